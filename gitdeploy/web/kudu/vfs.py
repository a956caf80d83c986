"""GET `/api/vfs`: an app's files from Kudu's home on (tree.py).

A directory's address ends in a slash and answers a JSON list; without the slash it redirects there.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Invalid
from gitdeploy.logs import select_lines, select_system
from gitdeploy.web.answers import as_json, text
from gitdeploy.web.entity import serve
from gitdeploy.web.files import DIRECTORY, Listed
from gitdeploy.web.following import CLOSING, until
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.found import FoundFile, Log, SystemLog, close, opened
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.place import (
    MEASURES,
    ends_in_slash,
    nothing_at,
    parts_of_path,
    redirect,
    tree_of,
)
from gitdeploy.web.route import FOUND, JSON, SELECT, TEXT, Answer, Route
from gitdeploy.web.selection import selection
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import stream_bytes

__all__ = ["MEASURES", "ROUTES", "get"]
_MEDIA = (JSON, TEXT, "application/octet-stream")
_SELECT = tuple(param.name for param in SELECT)


async def get(request: web.Request) -> web.StreamResponse:
    """A file, or the list of a directory."""
    services = services_of(request)
    parts = parts_of_path(request)
    found = await tree_of(request).find(parts)
    if found is None:
        raise nothing_at(parts)
    try:
        if ends_in_slash(request) != isinstance(found, list):
            return redirect(request, slash=not ends_in_slash(request))
        if isinstance(found, list):
            return as_json([_entry(request, parts, one) for one in found])
        if any(name in request.query for name in _SELECT):
            return await _select(request, found)
        entity, media = await opened(found, services, request.app[MEASURES])
        return await serve(request, entity, media)
    finally:
        close(found)


async def _select(request: web.Request, found: FoundFile) -> web.StreamResponse:
    """Some of a log's lines. Raises Invalid for a file that isn't a log of ours."""
    services = services_of(request)
    chosen = selection(request, services.clock.now())
    if isinstance(found, Log):
        pieces = select_lines(services.watcher, found.parts, chosen)
        return await stream_bytes(request, until(request.app[CLOSING], pieces))
    if isinstance(found, SystemLog):
        lines = select_system(found.lines, chosen)
        return text(b"".join(line.kudu(services.instance) for line in lines).decode())
    raise Invalid(
        "This file isn't a log of the server's, so no part of it can be selected.",
        f"Leave out {', '.join(_SELECT)}, or ask for a Range.",
    )


def _entry(request: web.Request, parts: list[str], one: Listed) -> shapes.File:
    way = way_in(request, services_of(request).options.scm_domain)
    end = "/" if one.media == DIRECTORY else ""
    return shapes.File(
        name=one.name,
        size=one.size,
        mtime=rfc3339(one.modified),
        mime=one.media.partition(";")[0],
        href=f"{way.base}{request.rel_url.raw_path}{quote(one.name, safe='')}{end}",
        path="/".join(("/home", *parts, one.name)),
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/vfs/{{path*}}",
        aliases=spellings("vfs/{path*}"),
        handler=get,
        operation="vfs.get",
        scope="read",
        summary="A file of the app with Range and ETag, or the list of a directory.",
        tag="files",
        query=SELECT,
        answers={
            200: Answer("A directory's list, or a file as it is.", list[shapes.File], _MEDIA),
            206: Answer("The range that was asked for.", media=()),
            304: Answer("As before."),
            307: FOUND,
        },
    ),
)
