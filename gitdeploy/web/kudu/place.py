"""The path of a vfs or zip request: where it points, how it has to end, what may be written there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.logs import Measures
from gitdeploy.web.errors import ReadOnly
from gitdeploy.web.files import OpenFile
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.found import Found
from gitdeploy.web.kudu.tree import Tree
from gitdeploy.web.services import services_of

T = TypeVar("T")
_NAME_MAX = 255  # of every Linux file system in use
Turns = defaultdict[str, asyncio.Lock]
MEASURES = web.AppKey("measures", Measures)
TURNS = web.AppKey("turns", Turns)
"""Those who write to an app's data directory do it one after the other."""


def parts_of_path(request: web.Request) -> list[str]:
    """The names from Kudu's home down; a leading `home` is dropped."""
    parts = [part for part in request.match_info.get("path", "").split("/") if part]
    return parts[1:] if parts[:1] == ["home"] else parts


def tree_of(request: web.Request) -> Tree:
    """The app's files as this client sees them."""
    services = services_of(request)
    way = way_in(request, services.options.scm_domain)
    return Tree(services, request.app[MEASURES], request.match_info["app"], way)


def site_place(parts: list[str]) -> list[str] | None:
    """The path from the site's root, where the path leads below `site/wwwroot`."""
    return parts[2:] if parts[:2] == ["site", "wwwroot"] else None


def data_place(request: web.Request, parts: list[str]) -> list[str] | None:
    """The path from the app's data directory, where the path leads below `data`."""
    if parts[:1] != ["data"]:
        return None
    if parts[1:2] == ["jobs"]:
        return tree_of(request).jobs.real(parts[2:])[1:]
    return parts[1:]


async def in_turn(request: web.Request, work: Callable[[], T]) -> T:
    """Do what changes the app's data directory in a thread; a client that leaves doesn't stop it."""

    async def do() -> T:
        async with request.app[TURNS][request.match_info["app"]]:
            return await asyncio.to_thread(work)

    return await services_of(request).background.complete(do())


def ends_in_slash(request: web.Request) -> bool:
    return request.rel_url.raw_path.endswith("/")


def redirect(request: web.Request, *, slash: bool) -> web.Response:
    """To the same path with or without a slash at its end."""
    way = way_in(request, services_of(request).options.scm_domain)
    path = request.rel_url.raw_path.rstrip("/") + ("/" if slash else "")
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    return web.Response(status=307, headers={"Location": f"{way.base}{path}{query}"})


def nothing_at(parts: list[str]) -> NotFound:
    """For a path that leads nowhere."""
    path = "/".join(parts)[:200]
    return NotFound(f"There is no file {path!r}.", "GET …/api/vfs/ lists what there is.")


def read_only(parts: list[str]) -> ReadOnly:
    """For a place that only the server writes to."""
    return ReadOnly(
        f"{'/'.join(parts)[:200] or '/'} can't be written to.",
        "Write below data/ or site/wwwroot/; the repository by a push.",
    )


def check_names(parts: list[str]) -> None:
    """Raises Invalid for a name that no disk takes."""
    for part in parts:
        if len(part.encode()) > _NAME_MAX:
            raise Invalid(f"{part[:60]!r}… has more than {_NAME_MAX} bytes.", "Use a shorter name.")


def writable_tag(found: Found, parts: list[str]) -> str:
    """The ETag of a file that isn't one of the server's own logs. Raises ReadOnly."""
    if not isinstance(found, OpenFile):
        raise read_only(parts)
    return found.tag
