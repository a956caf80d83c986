"""PUT and DELETE `/api/vfs`: into `data/` in place, below `site/wwwroot/` by a new release each.

Conditions are Kudu's: a file that is there is replaced or removed only with an If-Match that fits.
"""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

from aiohttp import web

from gitdeploy.deploy.content import File, Folder, Removed, WholeSite, site_path
from gitdeploy.deploy.source import Source
from gitdeploy.errors import Conflict, NotFound, TooLarge
from gitdeploy.web import placing
from gitdeploy.web.conditions import check_write
from gitdeploy.web.entity import http_date
from gitdeploy.web.files import OpenFile, lasting_tag
from gitdeploy.web.incoming import receive, spare
from gitdeploy.web.kudu.found import close
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.place import (
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
    writable_tag,
)
from gitdeploy.web.kudu.site_change import begin, check_unlocked, live
from gitdeploy.web.kudu.site_files import active_site, open_site
from gitdeploy.web.requests import flag
from gitdeploy.web.route import FOUND, Answer, Body, Param, Route
from gitdeploy.web.services import services_of


async def put(request: web.Request) -> web.Response:
    """Create or replace a file, or make a directory; parents come along."""
    parts = parts_of_path(request)
    site, data = site_place(parts), data_place(request, parts)
    if site is None and data is None:
        raise read_only(parts)
    check_names(parts)
    if site is not None:
        site_path("/".join(site))
        check_unlocked(request, wait_turn=True)
    try:
        found = await tree_of(request).find(parts)
    except NotFound as error:  # a link, a socket
        raise Conflict(error.what, "Remove it first, or choose another name.") from error
    try:
        if isinstance(found, list) or (found is not None and ends_in_slash(request)):
            raise Conflict(f"{'/'.join(parts)} is there already.", "Send a file's path.")
        if found is not None:
            check_write(request, writable_tag(found, parts))
        elif not ends_in_slash(request):
            check_write(request, None)
    finally:
        close(found)
    if site is not None:
        return await _put_site(request, site)
    assert data is not None
    return await _put_data(request, data)


async def delete(request: web.Request) -> web.Response:
    """Remove a file, or a directory: one that isn't empty only with `?recursive=true`."""
    parts = parts_of_path(request)
    site, data = site_place(parts), data_place(request, parts)
    recursive = flag(request, "recursive")
    if site is None and data is None:
        raise read_only(parts)
    if site is not None:
        check_unlocked(request, wait_turn=True)
    is_empty = False
    try:
        found = await tree_of(request).find(parts)
        is_empty = found == []
    except TooLarge:  # to be listed, not to be removed
        found = []
    if found is None:
        raise nothing_at(parts)
    try:
        is_folder = isinstance(found, list)
        if not is_folder and ends_in_slash(request):
            return redirect(request, slash=False)
        if isinstance(found, list):
            if not is_empty and not recursive:
                raise Conflict(f"{'/'.join(parts)} isn't empty.", "Add ?recursive=true.")
        else:
            check_write(request, writable_tag(found, parts))
    finally:
        close(found)
    if site is not None:
        await _delete_site(request, site, recursive=recursive, is_folder=is_folder)
    else:
        assert data is not None
        await _delete_data(request, data, recursive=recursive, is_folder=is_folder)
    return web.Response(status=200)


async def _put_data(request: web.Request, parts: list[str]) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    root = services.home.app(app).data
    if ends_in_slash(request):
        await in_turn(request, lambda: placing.make_folder(root, parts))
        return web.Response(status=201)
    file = await receive(request)

    def work() -> tuple[bool, int, str]:
        try:
            return placing.put_file(root, parts, file, lambda tag: check_write(request, tag))
        finally:
            file.unlink(missing_ok=True)

    created, modified, tag = await in_turn(request, work)
    return _written(created, tag, modified)


async def _put_site(request: web.Request, parts: list[str]) -> web.Response:
    at = "/".join(parts)
    message = f"PUT site/wwwroot/{at}"
    if ends_in_slash(request):
        row = await begin(request, Folder(at), trigger="vfs", wait_turn=True, message=message)
        await live(request, row)
        return web.Response(status=201)
    file = await receive(request)
    created = False

    def check(there: Path, exists: bool) -> None:
        nonlocal created
        created = not exists
        check_write(request, _tag_at(there) if exists else None)

    content = File(file, at, check=check)
    row = await begin(request, content, trigger="vfs", wait_turn=True, message=message)
    await live(request, row)
    now = await active_site(services_of(request), request.match_info["app"])
    found = None if now is None else await asyncio.to_thread(open_site, now, parts)
    try:
        if isinstance(found, OpenFile):
            return _written(created, found.tag, found.modified)
    finally:
        close(found)
    return web.Response(status=201 if created else 204)  # gone again meanwhile


async def _delete_data(
    request: web.Request, parts: list[str], *, recursive: bool, is_folder: bool
) -> None:
    if not parts or (parts[0] == "jobs" and len(parts) < 3):
        raise Conflict("This directory is always there.", "Delete what is in it.")
    root = services_of(request).home.app(request.match_info["app"]).data

    def work() -> None:
        if is_folder:
            placing.remove_folder(root, parts, recursive=recursive)
        else:
            placing.remove_file(root, parts, lambda tag: check_write(request, tag))

    await in_turn(request, work)


async def _delete_site(
    request: web.Request, parts: list[str], *, recursive: bool, is_folder: bool
) -> None:
    at = "/".join(parts)

    def check(there: Path, exists: bool) -> None:
        if not is_folder:
            check_write(request, _tag_at(there) if exists else None)

    content: Source = Removed(at, recursive=recursive, check=check)
    if not at:
        content = WholeSite(await asyncio.to_thread(_empty_zip, spare(request)))
    message = f"DELETE site/wwwroot/{at}"
    row = await begin(request, content, trigger="vfs", wait_turn=True, message=message)
    await live(request, row)


def _tag_at(file: Path) -> str:
    """The ETag under which the file is served: a link's is that of what it leads to."""
    try:
        return lasting_tag(file.stat())
    except OSError:
        return lasting_tag(file.lstat())


def _written(created: bool, tag: str, modified: int) -> web.Response:
    headers = {"ETag": f'"{tag}"', "Last-Modified": http_date(modified)}
    return web.Response(status=201 if created else 204, headers=headers)


def _empty_zip(file: Path) -> Path:
    with zipfile.ZipFile(file, "w"):
        return file


_TAGS = ("ETag", "Last-Modified")
ROUTES = (
    Route(
        method="PUT",
        path=f"{API}/vfs/{{path*}}",
        aliases=spellings("vfs/{path*}"),
        handler=put,
        operation="vfs.put",
        scope="deploy",
        summary="Write a file below data/, or below site/wwwroot/ as a new release.",
        tag="files",
        body=Body(bytes, ("application/octet-stream",), required=False),
        answers={
            201: Answer("A new file or directory.", media=(), headers=_TAGS),
            204: Answer("The file was replaced.", media=(), headers=_TAGS),
            405: Answer("A place that only the server writes to."),
            412: Answer("The file that is there isn't the one in If-Match."),
            507: Answer("The server's disk is full."),
        },
    ),
    Route(
        method="DELETE",
        path=f"{API}/vfs/{{path*}}",
        aliases=spellings("vfs/{path*}"),
        handler=delete,
        operation="vfs.delete",
        scope="deploy",
        summary="Remove a file (If-Match) or a directory.",
        tag="files",
        query=(Param("recursive", "Also a directory that isn't empty.", "boolean"),),
        answers={
            200: Answer("It is gone.", media=()),
            307: FOUND,
            405: Answer("A place that only the server writes to."),
            412: Answer("The file that is there isn't the one in If-Match."),
        },
    ),
)
