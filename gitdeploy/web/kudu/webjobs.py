"""`/api/webjobs`: jobs of both kinds in one list."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gitdeploy.web.answers import tagged
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.job_view import continuous, triggered
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.sdk import using_sdk
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of


async def every(request: web.Request) -> web.Response:
    """The continuous ones first, each kind by name; `type` tells them apart."""
    services, app = services_of(request), request.match_info["app"]
    way, now = way_in(request, services.options.scm_domain), services.clock.now()
    latest = await services.store.executions.latest(app)
    views = services.supervisor.jobs(app)
    marked = await using_sdk(services.home.app(app), (view.job for view in views))
    return tagged(
        request,
        [
            continuous(view, app, way, services.instance, sdk=view.job.key in marked)
            if view.job.kind == "continuous"
            else triggered(
                view, app, latest.get(view.job.name), way, now, sdk=view.job.key in marked
            )
            for view in views
        ],
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/webjobs",
        aliases=spellings("webjobs"),
        handler=every,
        operation="webjobs.list",
        scope="read",
        summary="The jobs of both kinds.",
        tag="jobs",
        answers={
            200: Answer("By kind and name, with an ETag.", list[dict[str, Any]]),
            304: Answer("As before."),
        },
    ),
)
