"""PUT and DELETE `/api/vfs`: into `data/` in place, below `site/wwwroot/` by a new release each.

Conditions are Kudu's: a file that is there is replaced or removed only with an If-Match that fits.
"""

from __future__ import annotations

from functools import partial

from aiohttp import web

from gitdeploy.errors import Conflict, NotFound, TooLarge
from gitdeploy.web.conditions import check_write
from gitdeploy.web.entity import http_date
from gitdeploy.web.incoming import receive
from gitdeploy.web.kudu.file_change import check_new, known_place, make_folder, remove, write_file
from gitdeploy.web.kudu.found import close
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.place import (
    ends_in_slash,
    nothing_at,
    parts_of_path,
    redirect,
    tree_of,
    writable_tag,
)
from gitdeploy.web.requests import flag
from gitdeploy.web.route import FOUND, Answer, Body, Param, Route


async def put(request: web.Request) -> web.Response:
    """Create or replace a file, or make a directory; parents come along."""
    parts = parts_of_path(request)
    place = known_place(request, parts)
    check_new(place, parts)
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
    if ends_in_slash(request):
        await make_folder(request, place)
        return web.Response(status=201)
    file = await receive(request)
    written = await write_file(request, place, file, partial(check_write, request))
    headers = {}
    if written.tag is not None and written.modified is not None:
        headers = {"ETag": f'"{written.tag}"', "Last-Modified": http_date(written.modified)}
    return web.Response(status=201 if written.created else 204, headers=headers)


async def delete(request: web.Request) -> web.Response:
    """Remove a file, or a directory: one that isn't empty only with `?recursive=true`."""
    parts = parts_of_path(request)
    recursive = flag(request, "recursive")
    place = known_place(request, parts)
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
    check = partial(check_write, request)
    await remove(request, place, check, recursive=recursive, is_folder=is_folder)
    return web.Response(status=200)


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
