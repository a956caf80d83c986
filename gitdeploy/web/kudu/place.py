"""The path of a vfs or zip request: where it points, and how it has to end."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.logs import Measures
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.tree import Tree
from gitdeploy.web.services import services_of

MEASURES = web.AppKey("measures", Measures)


def parts_of_path(request: web.Request) -> list[str]:
    """The names from Kudu's home down; a leading `home` is dropped."""
    parts = [part for part in request.match_info.get("path", "").split("/") if part]
    return parts[1:] if parts[:1] == ["home"] else parts


def tree_of(request: web.Request) -> Tree:
    """The app's files as this client sees them."""
    services = services_of(request)
    way = way_in(request, services.options.scm_domain)
    return Tree(services, request.app[MEASURES], request.match_info["app"], way)


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
