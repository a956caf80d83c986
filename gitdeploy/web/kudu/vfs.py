"""`/api/vfs`: the log files of jobs and what jobs keep in their data directories, to be read.

A directory's address ends in a slash and answers a JSON list; without the slash it redirects there.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Invalid, NotFound
from gitdeploy.logs import Measures, open_file, select_lines, select_system
from gitdeploy.web.answers import as_json, text
from gitdeploy.web.entity import serve
from gitdeploy.web.files import DIRECTORY, Listed, OpenFile
from gitdeploy.web.following import CLOSING, until
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.log_files import Text, system_text
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.tree import Log, SystemLog, Tree
from gitdeploy.web.route import FOUND, JSON, SELECT, TEXT, Answer, Route
from gitdeploy.web.selection import selection
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import stream_bytes

MEASURES = web.AppKey("measures", Measures)
_PLAIN = f"{TEXT}; charset=utf-8"
_MEDIA = (JSON, TEXT, "application/octet-stream")
_SELECT = tuple(param.name for param in SELECT)


async def get(request: web.Request) -> web.StreamResponse:
    """A file, or the list of a directory."""
    services, app = services_of(request), request.match_info["app"]
    parts = [part for part in request.match_info.get("path", "").split("/") if part]
    if parts[:1] == ["home"]:
        parts = parts[1:]
    found = await Tree(services, request.app[MEASURES], app).find(parts)
    if found is None:
        raise NotFound(
            f"There is no file {'/'.join(parts)[:200]!r}.", "GET …/api/vfs/data/jobs/ lists them."
        )
    try:
        slash = request.rel_url.raw_path.endswith("/")
        if slash != isinstance(found, list):
            return _redirect(request, slash=not slash)
        if isinstance(found, list):
            return as_json([_entry(request, parts, one) for one in found])
        if any(name in request.query for name in _SELECT):
            return await _select(request, found)
        if isinstance(found, Log):
            file = await open_file(found.parts, request.app[MEASURES], services.clock.now())
            return await serve(request, file, _PLAIN)
        if isinstance(found, SystemLog):
            return await serve(request, system_text(found.lines, services.instance), _PLAIN)
        return await serve(request, found, found.media)
    finally:
        if isinstance(found, OpenFile):
            found.close()


async def _select(
    request: web.Request, found: Log | SystemLog | Text | OpenFile
) -> web.StreamResponse:
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


def _redirect(request: web.Request, *, slash: bool) -> web.Response:
    """To the same path with or without a slash at its end."""
    way = way_in(request, services_of(request).options.scm_domain)
    path = request.rel_url.raw_path.rstrip("/") + ("/" if slash else "")
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    return web.Response(status=307, headers={"Location": f"{way.base}{path}{query}"})


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
        summary="A job's log files and what it keeps in its data directory; Range and ETag.",
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
