"""Which pages are served: a list links only to those that answer."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.web.router import TableRoute


def served(request: web.Request) -> frozenset[str]:
    """The operations of all routes of this application."""
    routes = request.app.router.routes()
    return frozenset(one.route.operation for one in routes if isinstance(one, TableRoute))
