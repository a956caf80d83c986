"""From a request's path to its route: a tree of segments, one look-up a segment.

aiohttp's own dispatcher tries patterns one after the other; with every spelling that Kudu's
clients use that would be some hundred. Here a path is decoded once, checked once, and answers with
and without a trailing slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.abc import AbstractMatchInfo
from aiohttp.web_urldispatcher import AbstractResource, ResourceRoute, UrlMappingMatchInfo
from yarl import URL

from gitdeploy.errors import Invalid
from gitdeploy.web.forwarded import scm_app
from gitdeploy.web.route import Handler, Route

_PARAM = re.compile(r"\{([a-z_]+)(\*?)\}(.*)")
_SCM_PASSES = ("ui", "healthz", "readyz", "openapi.json")


class TableRoute(ResourceRoute):
    """aiohttp's route object with our line of the table in it."""

    def __init__(self, route: Route, resource: AbstractResource, expect: Any) -> None:
        super().__init__(route.method, route.handler, resource, expect_handler=expect)
        self.route = route


class _Node:
    __slots__ = ("endings", "literals", "param", "routes", "tails")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.endings: list[tuple[str, _Node]] = []  # `{name}.git`: a parameter with an ending
        self.param: _Node | None = None
        # by method: the route and its parameters' names in order
        self.routes: dict[str, tuple[TableRoute, tuple[str, ...]]] = {}
        self.tails: dict[str, tuple[TableRoute, tuple[str, ...]]] = {}


class Table(AbstractResource):
    """All routes as the one resource of an aiohttp application."""

    def __init__(self, routes: Iterable[Route], *, scm_domain: str | None, expect: Any) -> None:
        super().__init__(name="table")
        self._scm_domain = scm_domain
        self._root = _Node()
        self._routes: list[TableRoute] = []
        for route in routes:
            if route.scope is None:
                continue
            served = TableRoute(route, self, expect)
            self._routes.append(served)
            for path in route.paths:
                self._add(path, served)

    @property
    def canonical(self) -> str:
        return "/"

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo | None, set[str]]:
        try:
            parts = split_path(request.rel_url.raw_path)
        except Invalid as error:
            return _Refused(error), set()
        app = scm_app(request, self._scm_domain)
        if app is not None and not (parts and parts[0] in _SCM_PASSES):
            parts = ["apps", app, *parts]
        method = "GET" if request.method == "HEAD" else request.method
        allowed: set[str] = set()
        for node_routes, values in self._matches(self._root, parts, 0, []):
            found = node_routes.get(method)
            if found is not None:
                served, names = found
                return Matched(dict(zip(names, values, strict=True)), served), set()
            allowed.update(node_routes)
        if "GET" in allowed:
            allowed.add("HEAD")
        return None, allowed

    def _matches(
        self, node: _Node, parts: list[str], at: int, values: list[str]
    ) -> Iterator[tuple[dict[str, tuple[TableRoute, tuple[str, ...]]], list[str]]]:
        """The nodes that fit, most literal first."""
        if at == len(parts):
            if node.routes:
                yield node.routes, values
            if node.tails:
                yield node.tails, [*values, ""]
            return
        part = parts[at]
        literal = node.literals.get(part)
        if literal is not None:
            yield from self._matches(literal, parts, at + 1, values)
        for ending, child in node.endings:
            if part.endswith(ending) and len(part) > len(ending):
                value = part.removesuffix(ending)
                yield from self._matches(child, parts, at + 1, [*values, value])
        if node.param is not None and part:
            yield from self._matches(node.param, parts, at + 1, [*values, part])
        if node.tails:
            yield node.tails, [*values, "/".join(parts[at:])]

    def _add(self, path: str, served: TableRoute) -> None:
        node = self._root
        names: list[str] = []
        for part in path.strip("/").split("/") if path != "/" else ():
            match = _PARAM.fullmatch(part)
            if match is None:
                node = node.literals.setdefault(part, _Node())
                continue
            name, tail, ending = match.groups()
            names.append(name)
            if tail:
                _put(node.tails, path, served, tuple(names))
                return
            if ending:
                known = dict(node.endings)
                if ending not in known:
                    node.endings.append((ending, _Node()))
                    known = dict(node.endings)
                node = known[ending]
            else:
                node.param = node.param or _Node()
                node = node.param
        _put(node.routes, path, served, tuple(names))

    # What aiohttp asks of a resource beside `resolve`; the table is never mounted or reversed.

    def url_for(self, **kwargs: str) -> URL:
        raise NotImplementedError("URLs are made by forwarded.py")

    def add_prefix(self, prefix: str) -> None:
        raise NotImplementedError("the table isn't mounted below a prefix")

    def get_info(self) -> Any:
        return {"path": "/"}

    def raw_match(self, path: str) -> bool:
        return False

    def __iter__(self) -> Iterator[TableRoute]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)


class Matched(UrlMappingMatchInfo):
    """What the path gave, and `state`: what middlewares and handlers keep of the request.

    (aiohttp's own store on the request wants keys that its older releases don't have.)
    """

    def __init__(self, values: dict[str, str], route: ResourceRoute) -> None:
        super().__init__(values, route)
        self.state: dict[str, Any] = {}


class _Refused(Matched):
    """A path that isn't looked up because of what is in it; raises within the middlewares."""

    def __init__(self, error: Invalid) -> None:
        super().__init__({}, ResourceRoute("GET", _raise(error), _NOWHERE))


def split_path(raw: str) -> list[str]:
    """The decoded segments of a raw path without empty ones at its end.

    Raises Invalid for a segment `..` or `.`, and for NUL, backslash, an encoded slash or bytes
    that aren't UTF-8 in one.
    """
    parts: list[str] = []
    for piece in raw.removeprefix("/").removesuffix("/").split("/") if raw.strip("/") else ():
        try:
            part = unquote_to_bytes(piece).decode()
        except UnicodeDecodeError as error:
            raise Invalid(f"The path's part {piece!r} isn't UTF-8.") from error
        if part in ("..", ".") or any(sign in part for sign in "\0\\/"):
            raise Invalid(
                f"The path's part {piece!r} is refused.",
                "Leave out '..', NUL, backslashes and encoded slashes.",
            )
        parts.append(part)
    return parts


def route_of(match_info: AbstractMatchInfo) -> Route | None:
    """The line of the table that a request was matched with."""
    served = getattr(match_info, "route", None)
    return served.route if isinstance(served, TableRoute) else None


def state_of(request: web.Request) -> dict[str, Any]:
    """What is kept of this request; nothing is, where no route was found."""
    match_info = request.match_info
    return match_info.state if isinstance(match_info, Matched) else {}


def _put(
    routes: dict[str, tuple[TableRoute, tuple[str, ...]]],
    path: str,
    served: TableRoute,
    names: tuple[str, ...],
) -> None:
    if served.method in routes:
        raise ValueError(f"{served.method} {path} stands in the table twice")
    routes[served.method] = served, names


def _raise(error: Invalid) -> Handler:
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise error

    return refuse


_NOWHERE = Table((), scm_domain=None, expect=None)
