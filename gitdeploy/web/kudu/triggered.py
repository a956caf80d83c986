"""`/api/triggeredwebjobs`: see and run jobs, their history and the logs of their runs."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from gitdeploy.errors import Invalid, NotFound, Unavailable
from gitdeploy.logs import select_system
from gitdeploy.store import Execution, StoreFull
from gitdeploy.supervise import RunRequest
from gitdeploy.web import bodies
from gitdeploy.web.answers import as_json, tagged, text
from gitdeploy.web.audit import record_write
from gitdeploy.web.auth import principal_of
from gitdeploy.web.following import follow_run, run_to_end
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.job_view import find, run, triggered
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.scheduler_log import MOST, scheduler_lines
from gitdeploy.web.kudu.sdk import using_sdk
from gitdeploy.web.requests import flag
from gitdeploy.web.route import (
    AFTER,
    FOLLOW,
    SELECT,
    STREAM,
    TEXT,
    Answer,
    Body,
    Param,
    Route,
    stream,
)
from gitdeploy.web.router import route_of
from gitdeploy.web.selection import selection
from gitdeploy.web.senders import one_line
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import negotiate

_KIND: Final = "triggered"
_HISTORY_MOST = 1000
_BODY_LIMIT = 1 << 20
_KEY_LIMIT = 255


async def every(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way, now = way_in(request, services.options.scm_domain), services.clock.now()
    latest = await services.store.executions.latest(app)
    jobs = [view for view in services.supervisor.jobs(app) if view.job.kind == _KIND]
    marked = await using_sdk(services.home.app(app), (view.job for view in jobs))
    return tagged(
        request,
        [
            triggered(view, app, latest.get(view.job.name), way, now, sdk=view.job.key in marked)
            for view in jobs
        ],
    )


async def show(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    newest = await services.store.executions.newest(app, _KIND, view.job.name, limit=1)
    way = way_in(request, services.options.scm_domain)
    latest = newest[0] if newest else None
    marked = await using_sdk(services.home.app(app), [view.job])
    return as_json(triggered(view, app, latest, way, services.clock.now(), sdk=bool(marked)))


async def start(request: web.Request) -> web.StreamResponse:
    """Start a run; with `follow` its output, and at the end its status and exit code.

    A body is what the script reads from its standard input.
    """
    services, app = services_of(request), request.match_info["app"]
    form = negotiate(request) if flag(request, "follow") else None
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    agent = one_line(request.headers.get("User-Agent", "unknown"), 100)
    body = await bodies.whole(request, limit=_BODY_LIMIT, setting="1 MiB of a run's input")
    wanted = RunRequest(
        trigger=f"External - {agent}",
        arguments=request.query.get("arguments") or None,
        who=principal_of(request).who,
        body=body or None,
        key=_idempotency_key(request),
    )
    # goes on where the client leaves
    try:
        execution = await services.supervisor.run(app, view.job.name, wanted)
    except StoreFull as error:  # Kudu's code where a run can't be stored
        raise Unavailable(error.what, error.fix) from error
    way = way_in(request, services.options.scm_domain)
    location = run(execution, way, services.clock.now()).url
    if form is not None:
        route = route_of(request.match_info)
        assert route is not None
        await services.background.complete(record_write(request, route, 200))
        return await run_to_end(request, execution, location, form)
    return web.Response(status=202, headers={"Location": location})


def _idempotency_key(request: web.Request) -> str | None:
    """The header of draft-ietf-httpapi-idempotency-key-header; quotes around it are dropped."""
    key = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if len(key) > _KEY_LIMIT or not key.isprintable():
        raise Invalid(
            f"Idempotency-Key isn't one of at most {_KEY_LIMIT} printable characters.",
            "Send a UUID, say.",
        )
    return key or None


async def abort(request: web.Request) -> web.Response:
    """End a run that is under way; answered when it has ended."""
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    await services.supervisor.stop_run(app, view.job.name, request.match_info["run"])
    return await show_run(request)


async def history(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    rows = await services.store.executions.newest(app, _KIND, view.job.name, limit=_HISTORY_MOST)
    way, now = way_in(request, services.options.scm_domain), services.clock.now()
    return tagged(request, shapes.Runs([run(row, way, now) for row in rows]))


async def show_run(request: web.Request) -> web.Response:
    services = services_of(request)
    way = way_in(request, services.options.scm_domain)
    return as_json(run(await _execution(request), way, services.clock.now()))


async def log(request: web.Request) -> web.StreamResponse:
    return await follow_run(request, await _execution(request))


async def scheduler_log(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    rows = await services.store.occurrences.newest(app, view.job.name, limit=MOST)
    lines = select_system(scheduler_lines(view, rows), selection(request, services.clock.now()))
    return text(b"".join(line.kudu(services.instance) for line in lines).decode())


async def _execution(request: web.Request) -> Execution:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _KIND, request.match_info["job"])
    run_id = request.match_info["run"]
    found = await services.store.executions.get(app, _KIND, view.job.name, run_id)
    if found is None:
        raise NotFound(
            f"{view.job.name} has no run {run_id[:100]!r}.", "Its history lists those kept."
        )
    return found


_FAMILY = "triggeredwebjobs"
_ONE = f"{_FAMILY}/{{job}}"
_RUN = f"{_ONE}/history/{{run}}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/{_FAMILY}",
        aliases=spellings(_FAMILY),
        handler=every,
        operation="triggered.list",
        scope="read",
        summary="The triggered jobs.",
        tag="jobs",
        answers={
            200: Answer("By name, with an ETag.", list[shapes.TriggeredJob]),
            304: Answer("As before."),
        },
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show,
        operation="triggered.get",
        scope="read",
        summary="One triggered job.",
        tag="jobs",
        answers={200: Answer("The job.", shapes.TriggeredJob)},
    ),
    Route(
        method="POST",
        path=f"{API}/{_ONE}/run",
        aliases=spellings(f"{_ONE}/run"),
        handler=start,
        operation="triggered.run",
        scope="run",
        summary="Start a run; a body (1 MiB) is its input, an Idempotency-Key lasts a day.",
        tag="jobs",
        body=Body(str, ("application/octet-stream",), required=False),
        query=(
            Param("arguments", "Split as a POSIX shell would; nothing in it is executed."),
            Param("follow", "Stream the output; the last record has status and code.", "boolean"),
        ),
        answers={
            200: Answer("Its output (with follow).", str, STREAM, ("Location",)),
            202: Answer("Started; Location is the run's url.", media=(), headers=("Location",)),
        },
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}/history",
        aliases=spellings(f"{_ONE}/history"),
        handler=history,
        operation="triggered.history",
        scope="read",
        summary="The job's runs, newest first.",
        tag="jobs",
        answers={200: Answer("With an ETag.", shapes.Runs), 304: Answer("As before.")},
    ),
    Route(
        method="GET",
        path=f"{API}/{_RUN}",
        aliases=spellings(_RUN),
        handler=show_run,
        operation="triggered.get_run",
        scope="read",
        summary="One run.",
        tag="jobs",
        answers={200: Answer("The run.", shapes.Run)},
    ),
    Route(
        method="DELETE",
        path=f"{API}/{_RUN}",
        aliases=spellings(_RUN),
        handler=abort,
        operation="triggered.abort",
        scope="run",
        summary="End a run that is under way.",
        tag="jobs",
        answers={200: Answer("The run as it ended.", shapes.Run)},
    ),
    Route(
        method="GET",
        path=f"{API}/{_RUN}/log",
        aliases=spellings(f"{_RUN}/log"),
        handler=log,
        operation="triggered.log",
        scope="read",
        summary="A run's output.",
        tag="jobs",
        query=(FOLLOW, *SELECT, AFTER),
        answers=stream("Line by line."),
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}/scheduler_log",
        aliases=spellings(f"{_ONE}/scheduler_log"),
        handler=scheduler_log,
        operation="triggered.scheduler_log",
        scope="read",
        summary="What became of the job's due times.",
        tag="jobs",
        query=SELECT,
        answers={200: Answer("Line by line, oldest first.", str, (TEXT,))},
    ),
)
