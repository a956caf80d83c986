"""`/api/continuouswebjobs`: see, start, stop and read the jobs that are kept running."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gitdeploy.web.answers import as_json, tagged
from gitdeploy.web.following import follow_job
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.job_view import continuous, find
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.sdk import using_sdk
from gitdeploy.web.route import AFTER, FOLLOW, SELECT, Answer, Route, stream
from gitdeploy.web.services import services_of

_KIND: Final = "continuous"


async def every(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    jobs = [view for view in services.supervisor.jobs(app) if view.job.kind == _KIND]
    marked = await using_sdk(services.home.app(app), (view.job for view in jobs))
    return tagged(
        request,
        [
            continuous(view, app, way, services.instance, sdk=view.job.key in marked)
            for view in jobs
        ],
    )


async def show(request: web.Request) -> web.Response:
    return await _one(request)


async def start(request: web.Request) -> web.Response:
    return await _switch(request, on=True)


async def stop(request: web.Request) -> web.Response:
    return await _switch(request, on=False)


async def log(request: web.Request) -> web.StreamResponse:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    return await follow_job(request, app, _KIND, view.job.name)


async def _switch(request: web.Request, *, on: bool) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    job = find(services.supervisor, app, _KIND, request.match_info["job"]).job.name
    change = services.supervisor.enable if on else services.supervisor.disable
    await services.background.complete(change(app, _KIND, job))
    return await _one(request)


async def _one(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    way = way_in(request, services.options.scm_domain)
    marked = await using_sdk(services.home.app(app), [view.job])
    return as_json(continuous(view, app, way, services.instance, sdk=bool(marked)))


_FAMILY = "continuouswebjobs"
_ONE = f"{_FAMILY}/{{job}}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/{_FAMILY}",
        aliases=spellings(_FAMILY),
        handler=every,
        operation="continuous.list",
        scope="read",
        summary="The continuous jobs.",
        tag="jobs",
        answers={
            200: Answer("By name, with an ETag.", list[shapes.ContinuousJob]),
            304: Answer("As before."),
        },
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show,
        operation="continuous.get",
        scope="read",
        summary="One continuous job.",
        tag="jobs",
        answers={200: Answer("The job.", shapes.ContinuousJob)},
    ),
    Route(
        method="POST",
        path=f"{API}/{_ONE}/start",
        aliases=spellings(f"{_ONE}/start"),
        handler=start,
        operation="continuous.start",
        scope="run",
        summary="Keep the job running again.",
        tag="jobs",
        answers={200: Answer("The job.", shapes.ContinuousJob)},
    ),
    Route(
        method="POST",
        path=f"{API}/{_ONE}/stop",
        aliases=spellings(f"{_ONE}/stop"),
        handler=stop,
        operation="continuous.stop",
        scope="run",
        summary="Stop the job until it is started, also across restarts and deployments.",
        tag="jobs",
        answers={200: Answer("The job; its process has ended.", shapes.ContinuousJob)},
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}/log",
        aliases=spellings(f"{_ONE}/log"),
        handler=log,
        operation="continuous.log",
        scope="read",
        summary="The job's output.",
        tag="jobs",
        query=(FOLLOW, *SELECT, AFTER),
        answers=stream("Line by line."),
    ),
)
