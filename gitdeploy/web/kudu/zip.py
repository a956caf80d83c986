"""`/api/zip`: a directory of the app as a zip, down or up; what is below `site/` comes as a release."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from gitdeploy.archives import ZipLimits, extract, stream
from gitdeploy.deploy.content import Unzipped, site_path
from gitdeploy.errors import Conflict
from gitdeploy.web import placing
from gitdeploy.web.files import directory_below
from gitdeploy.web.incoming import receive, spare
from gitdeploy.web.kudu.found import close
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.place import (
    MEASURES,
    check_names,
    data_place,
    ends_in_slash,
    in_turn,
    nothing_at,
    parts_of_path,
    read_only,
    redirect,
    site_place,
    tree_of,
)
from gitdeploy.web.kudu.site_change import begin, check_unlocked, live
from gitdeploy.web.kudu.site_files import active_site, site_directory
from gitdeploy.web.kudu.zip_tree import pack_tree
from gitdeploy.web.route import FOUND, Answer, Body, Param, Route
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import STALL, write_all

ZIP = "application/zip"


async def get(request: web.Request) -> web.StreamResponse:
    """All that is below a directory, packed while it is sent."""
    services = services_of(request)
    parts, tree = parts_of_path(request), tree_of(request)
    fd = await _real_directory(request, parts)
    try:
        if fd is None:
            found = await tree.find(parts)
            close(found)
            if not isinstance(found, list):
                raise nothing_at(parts)
        if not ends_in_slash(request):
            return redirect(request, slash=True)
        headers = {"Content-Type": ZIP, "Content-Disposition": _disposition(_name(request, parts))}
        if fd is None:
            pieces = pack_tree(tree, parts, services, request.app[MEASURES])
        else:  # by its descriptor: the very directory that was judged
            pieces = stream(Path(f"/proc/self/fd/{fd}"))
        return await send(request, pieces, headers)
    finally:
        if fd is not None:
            os.close(fd)


async def _real_directory(request: web.Request, parts: list[str]) -> int | None:
    """The descriptor of a directory that is on the disk as it is shown; None for others."""
    services, app = services_of(request), request.match_info["app"]
    site = site_place(parts)
    if site is not None:
        active = await active_site(services, app)
        return None if active is None else await asyncio.to_thread(site_directory, active, site)
    if parts[:1] == ["data"] and parts[1:2] not in ([], ["jobs"]):
        return await asyncio.to_thread(directory_below, services.home.app(app).data, parts[1:])
    return None


async def put(request: web.Request) -> web.Response:
    """Unpack a zip into a directory; what isn't in the zip stays."""
    parts = parts_of_path(request)
    site, data = site_place(parts), data_place(request, parts)
    check_names(parts)
    if site is not None:
        at = site_path("/".join(site))
        check_unlocked(request, wait_turn=True)
        file = await receive(request, references=True)
        message = f"PUT zip site/wwwroot/{at}"
        content = Unzipped(file, at)
        row = await begin(request, content, trigger="zip", wait_turn=True, message=message)
        await live(request, row)
    elif data is not None:
        await _unpack(request, data)
    else:
        raise read_only(parts)
    return web.Response(status=200)


async def _unpack(request: web.Request, parts: list[str]) -> None:
    services, app = services_of(request), request.match_info["app"]
    file = await receive(request, references=True)
    aside, root = spare(request), services.home.app(app).data
    limits = ZipLimits.of(services.options)

    def work() -> None:
        try:
            extract(file, aside, limits=limits)
            placing.merge(aside, root, parts)
        except NotADirectoryError as error:
            raise Conflict(f"{'/'.join(parts)} is no directory.", "Choose another.") from error
        finally:
            file.unlink(missing_ok=True)
            shutil.rmtree(aside, ignore_errors=True)

    await in_turn(request, work)


async def send(
    request: web.Request, pieces: AsyncIterator[bytes], headers: dict[str, str]
) -> web.StreamResponse:
    """Answer with a zip that is made while it is sent; a client that leaves ends the making."""
    response = web.StreamResponse(headers=headers)
    async with aclosing(pieces) as packed:  # type: ignore[type-var]
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            async for piece in packed:
                if not await write_all(request, response, piece, STALL):
                    return response
            await response.write_eof()
        except ConnectionError:  # the client left while we wrote
            pass
    return response


def _name(request: web.Request, parts: list[str]) -> str:
    """What the client calls it (`fileName`, in any case), else after the directory."""
    given = next((v for k, v in request.query.items() if k.lower() == "filename" and v), None)
    return given or f"{parts[-1] if parts else 'home'}.zip"


def _disposition(name: str) -> str:
    """The name as a header has it (RFC 6266): plain, and whole where it isn't plain."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "_" for c in name)
    whole = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{whole}'


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/zip/{{path*}}",
        aliases=spellings("zip/{path*}"),
        handler=get,
        operation="zip.get",
        scope="read",
        summary="A directory as a zip.",
        tag="files",
        query=(Param("fileName", "What to call it."),),
        answers={200: Answer("The zip.", bytes, (ZIP,)), 307: FOUND},
    ),
    Route(
        method="PUT",
        path=f"{API}/zip/{{path*}}",
        aliases=spellings("zip/{path*}"),
        handler=put,
        operation="zip.put",
        scope="deploy",
        summary="Unpack a zip into data/, or into site/wwwroot/ as a new release.",
        tag="files",
        body=Body(bytes, (ZIP,)),
        answers={
            200: Answer("It is unpacked and, of a site, live.", media=()),
            405: Answer("A place that only the server writes to."),
            507: Answer("The server's disk is full."),
        },
    ),
)
