"""A form with a file, read as it comes: fields into memory, the file onto the disk.

The form's token is its first field (templates see to that), so that nothing of a foreign form is
written anywhere. A file over the limit is read to its end and dropped: a browser that is still
sending doesn't read an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

import aiofiles
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from gitdeploy.deploy import Parcel, check_filename
from gitdeploy.errors import Invalid, Unavailable
from gitdeploy.jobs.scripts import KINDS
from gitdeploy.store.tokens import Scope
from gitdeploy.web import bodies
from gitdeploy.web.route import KiB, MiB
from gitdeploy.web.ui.forms import Form, check_form_token, require

FIELDS_LIMIT = 1 * MiB
"""Bytes of all fields together; an action's body may have 256 KiB."""
SCRIPTS = tuple(extension for kind in KINDS for extension in kind.extensions)
"""Endings of files that can be a job's script, in the order in which one is chosen."""
_MOST_FIELDS = 300
_PIECE = 256 * KiB
_DRAINED = 4
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_BROKEN = "The form is cut off or malformed."


class Uploaded(NamedTuple):
    """The file of a form; with `too_large` nothing of it was kept."""

    file: Path
    filename: str
    head: bytes
    too_large: bool

    def parcel(self) -> Parcel:
        """What it brings. Raises Invalid for a name that no file may have."""
        ending = Path(self.filename).suffix.lower()
        is_zip = self.head.startswith(_SIGNATURES)
        if ending == ".zip" or (is_zip and ending not in SCRIPTS):
            return Parcel("zip", self.file)
        return Parcel("script", self.file, check_filename(self.filename))


class Sent(NamedTuple):
    """The fields of a form and its file, None where none was chosen."""

    form: Form
    upload: Uploaded | None


async def read_sent(request: web.Request, scope: Scope, file: Path, limit: int) -> Sent:
    """Read a form of ours, with a file (multipart) or without.

    Raises Forbidden for a foreign one and without the scope, Invalid for a broken one, TooLarge
    where it is so much over the limit that it isn't read to its end.
    """
    require(request, scope)
    bodies.check_coding(request)
    if not request.content_type.startswith("multipart/"):
        body = await bodies.whole(request, limit=FIELDS_LIMIT, setting="the limit of forms")
        try:
            text = body.decode("utf-8", "replace")
            form = Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError as error:
            raise Invalid("The form has too many fields.") from error
        check_form_token(request, form.get("form_token"))
        return Sent(form, None)
    if (request.content_length or 0) > _DRAINED * limit + FIELDS_LIMIT:
        raise bodies.too_large(limit, "max_job_size")
    try:
        return await _parts(request, file, limit)
    except TimeoutError as error:
        raise Unavailable("The request's body paused for too long.", "Try again.") from error
    except (
        ValueError,
        AssertionError,
        ConnectionError,
        web.RequestPayloadError,
        HttpProcessingError,
    ) as error:
        raise bodies.BodyBroken(_BROKEN, "Send it again.") from error


async def _parts(request: web.Request, file: Path, limit: int) -> Sent:
    fields: dict[str, list[str]] = {}
    upload: Uploaded | None = None
    left, count = FIELDS_LIMIT, 0
    reader = await request.multipart()
    while True:
        async with asyncio.timeout(bodies.IDLE):
            part = await reader.next()
        if part is None:
            break
        count += 1
        if not isinstance(part, BodyPartReader) or count > _MOST_FIELDS:
            raise Invalid(_BROKEN, "Send the form of the page.")
        name = part.name or ""
        if count == 1 and name != "form_token":
            check_form_token(request, "")
        if part.filename is not None:
            if part.filename and upload is None:
                upload = await _file(part, file, limit)
            else:
                async for _ in _pieces(part):
                    pass
            continue
        value = b""
        async for piece in _pieces(part):
            value += piece
            if len(value) > left:
                raise bodies.too_large(FIELDS_LIMIT, "the limit of forms")
        left -= len(value)
        text = value.decode("utf-8", "replace")
        if count == 1:
            check_form_token(request, text)
        fields.setdefault(name, []).append(text)
    if not count:
        check_form_token(request, "")
    return Sent(Form(fields), upload)


async def _file(part: BodyPartReader, file: Path, limit: int) -> Uploaded:
    size, head = 0, b""
    async with aiofiles.open(file, "wb") as out:
        async for piece in _pieces(part):
            size += len(piece)
            if size > _DRAINED * limit + FIELDS_LIMIT:
                raise bodies.too_large(limit, "max_job_size")
            if len(head) < 4:
                head = (head + piece)[:4]
            if size <= limit:
                await out.write(piece)
        if size > limit:
            await out.truncate(0)
    return Uploaded(file, part.filename or "", head, size > limit)


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(bodies.IDLE):
            piece = await part.read_chunk(_PIECE)
        if not piece:
            return
        yield bytes(piece)
