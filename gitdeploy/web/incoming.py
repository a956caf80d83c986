"""A body for a site or its data: into a file of the app's own, whatever its Content-Type says."""

from __future__ import annotations

import asyncio
import secrets
from email.message import Message
from pathlib import Path

import aiofiles
import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.web import bodies
from gitdeploy.web.formfile import unwrap
from gitdeploy.web.package import download
from gitdeploy.web.requests import decode_json
from gitdeploy.web.route import JSON, KiB
from gitdeploy.web.services import services_of

_SETTING = "max_site_size"
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_REFERENCE = 64 * KiB


class Package(msgspec.Struct, frozen=True):
    """A body that only says where the zip or file is."""

    packageUri: str


def spare(request: web.Request) -> Path:
    """A path for something on its way in; what a crash leaves there goes at the next start."""
    return services_of(request).uploads.incoming(
        request.match_info["app"], f"site-{secrets.token_hex(8)}"
    )


async def receive(request: web.Request, *, references: bool = False) -> Path:
    """The body as a file, which the caller removes or hands on; nothing is left where this raises.

    Of a multipart form it is the form's one file. With `references` a JSON body names, as
    `packageUri`, where to fetch it. Raises what `bodies.pieces` raises, and Invalid.
    """
    limit = services_of(request).options.max_site_size
    file = spare(request)
    try:
        async with aiofiles.open(file, "wb") as out:
            async for piece in bodies.pieces(request, limit=limit, setting=_SETTING):
                await out.write(piece)
        if request.content_type.startswith("multipart/"):
            boundary = boundary_of(request)
            if boundary:
                await asyncio.to_thread(unwrap, file, boundary)
        elif references and request.content_type == JSON:
            await _follow(request, file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


async def _follow(request: web.Request, file: Path) -> None:
    """Fetch what a JSON body names; a zip that only claims to be JSON stays."""
    head = await asyncio.to_thread(_head, file)
    if head.startswith(_SIGNATURES):
        return
    if len(head) > _REFERENCE:
        raise Invalid("The body isn't a zip.", 'Send a zip, or {"packageUri": "https://…"}.')
    package: Package = decode_json(head, Package)
    options = services_of(request).options
    await download(
        package.packageUri,
        file,
        limit=options.max_site_size,
        setting=_SETTING,
        allow_private=options.allow_private_fetch,
    )


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_REFERENCE + 1)


def boundary_of(request: web.Request) -> str:
    """The boundary that the Content-Type names; empty where it names none."""
    message = Message()
    message["Content-Type"] = request.headers.get("Content-Type", "")
    found = message.get_param("boundary", "")
    return found if isinstance(found, str) else ""
