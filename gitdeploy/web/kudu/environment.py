"""`/api/environment`: which server this is, and when its site was last changed."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gitdeploy import __version__
from gitdeploy.clock import rfc3339
from gitdeploy.web.answers import as_json
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of


class Environment(msgspec.Struct, frozen=True, omit_defaults=True):
    """Kudu's fields; `siteLastModified` is when the active release was made, absent without one."""

    version: str
    siteLastModified: str | None = None


async def show(request: web.Request) -> web.Response:
    app = request.match_info["app"]
    active = await services_of(request).store.releases.active(app)
    changed = None if active is None else rfc3339(active.created_at)
    return as_json(Environment(__version__, changed))


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/environment",
        aliases=spellings("environment"),
        handler=show,
        operation="app.environment",
        scope="read",
        summary="The server's version, and when the site was last changed.",
        tag="diagnostics",
        answers={200: Answer("Version and time.", Environment)},
    ),
)
