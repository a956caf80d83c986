"""A run: what it was, how it stands, its log; and the log of a continuous job."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.jobs import kudu_status
from gitdeploy.supervise import JobView
from gitdeploy.web.following import follow_job, follow_run
from gitdeploy.web.kudu.job_view import signal_name
from gitdeploy.web.requests import accepts
from gitdeploy.web.route import FOLLOW, JSON, SELECT, SSE, TEXT, Answer, Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import Format
from gitdeploy.web.ui.lines import answer, numbers_of
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.usual import seconds_of, usual
from gitdeploy.web.ui.views.found import (
    directory_of,
    executions_of,
    follow_execution,
    follow_executions,
    part_of,
    run_of,
    view_of,
    what_of,
)

_TAIL = 1000
_COMPARED = 100


async def show(request: web.Request) -> web.Response:
    """The run's page, with the last lines of its log, or those from `?line=` on."""
    run, services = await run_of(request), services_of(request)
    show, way = show_of(request), page_way(request)
    address = way.page(run.app, "jobs", run.job)
    past = await services.store.history.page(
        run.app, "triggered", run.job, before=run.id, limit=_COMPARED
    )
    expected, took = usual(past), seconds_of(run, show.now)
    view: JobView | None = None
    with suppress(NotFound):  # the job may be gone
        view = view_of(request, "triggered")
    log = await asyncio.to_thread(part_of, request, directory_of(request, run), job=False)
    return render(
        request,
        "run.html",
        title=f"{run.job} · {show.time(run.started_at or run.created_at)}",
        crumbs=[
            Crumb(run.app, way.page(run.app)),
            Crumb(show.words("job.jobs"), way.page(run.app)),
            Crumb(run.job, f"{address}?kind=triggered"),
            Crumb(show.time(run.started_at or run.created_at)),
        ],
        section="jobs",
        run=run,
        job=view,
        what=what_of(view) if view is not None else "",
        address=address,
        here=f"{address}runs/{run.id}",
        state_name=kudu_status(run.status),
        live=run.ended_at is None,
        took=took,
        usual=expected,
        progress=None if expected is None else min(100.0, round(100 * took / expected.p50, 1)),
        signal=signal_name(run.exit_code),
        log=log,
    )


async def output(request: web.Request) -> web.Response:
    """A continuous job's log as a page."""
    view, way, show = view_of(request, "continuous"), page_way(request), show_of(request)
    app, name = request.match_info["app"], view.job.name
    address = way.page(app, "jobs", name)
    log = await asyncio.to_thread(part_of, request, executions_of(request, view), job=True)
    return render(
        request,
        "output.html",
        title=show.words("job.log_of", name=name),
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(show.words("job.jobs"), way.page(app)),
            Crumb(name, address),
            Crumb(show.words("job.log")),
        ],
        section="jobs",
        job=view,
        state_name="Up" if view.status == "Running" else view.status,
        address=address,
        here=f"{address}output",
        live=True,
        log=log,
    )


async def run_lines(request: web.Request) -> web.StreamResponse:
    """Parts of a run's log for the viewer, and what comes of it."""
    run = await run_of(request)
    directory = directory_of(request, run)

    async def ended() -> None:
        with suppress(NotFound):  # it goes on elsewhere, or was forgotten meanwhile
            await services_of(request).supervisor.wait_ended(run)

    return await answer(
        request,
        numbers_of(request, directory, job=False),
        lambda after: follow_execution(request, directory, after),
        ended=ended,
    )


async def job_lines(request: web.Request) -> web.StreamResponse:
    """Parts of a continuous job's log for the viewer, and what comes of it."""
    executions = executions_of(request, view_of(request, "continuous"))
    return await answer(
        request,
        numbers_of(request, executions, job=True),
        lambda after: follow_executions(request, executions, after),
        ended=None,
    )


async def run_log(request: web.Request) -> web.StreamResponse:
    """A run's log as text, or as an event stream."""
    return await follow_run(request, await run_of(request), form=_form(request))


async def job_log(request: web.Request) -> web.StreamResponse:
    """A continuous job's last lines as text, or as an event stream."""
    view = view_of(request, "continuous")
    app = request.match_info["app"]
    return await follow_job(
        request, app, "continuous", view.job.name, form=_form(request), tail=_TAIL
    )


def _form(request: web.Request) -> Format:
    return "sse" if accepts(request, SSE) else "text"


_JOB = "/ui/{app}/jobs/{job}"
_RUN = f"{_JOB}/runs/{{run}}"
_SIGN_IN = Answer("To the sign-in page.", media=())
_VIEW = (
    Param("line", "The log from this line on, from 1.", "integer"),
    Param("find", "For the viewer: what is looked for."),
    Param("stream", "For the viewer: only lines of `stdout` or `stderr`."),
    Param("only", "For the viewer: only lines that match."),
)
_LINES = (
    Param("from", "Number of the first line wanted, from 0; without it the last ones.", "integer"),
    Param("limit", "At most so many lines.", "integer"),
    Param("find", "In place of lines: how many have this text, and which; with `limit` those."),
    Param("stream", "The same for lines of `stdout` or `stderr` only."),
    Param("to", "Look for it in front of this line.", "integer"),
    Param("ignore_case", "Compare the text in any case.", "boolean"),
    Param("after", "Of an event stream: begin behind this cursor."),
)
ROUTES = (
    Route(
        method="GET",
        path=_RUN,
        handler=show,
        operation="page.run",
        scope="page",
        summary="A run.",
        tag="pages",
        query=_VIEW,
        answers=page("A run."),
    ),
    Route(
        method="GET",
        path=f"{_JOB}/output",
        handler=output,
        operation="page.output",
        scope="page",
        summary="A continuous job's log.",
        tag="pages",
        query=_VIEW,
        answers=page("A continuous job's log."),
    ),
    *(
        Route(
            method="GET",
            path=f"{path}/lines",
            handler=handler,
            operation=operation,
            scope="page",
            summary=summary,
            tag="pages",
            query=_LINES,
            answers={200: Answer(summary, dict, (JSON, SSE)), 303: _SIGN_IN},
        )
        for path, handler, operation, summary in (
            (_RUN, run_lines, "page.run_lines", "Numbered lines of a run's log."),
            (_JOB, job_lines, "page.job_lines", "Numbered lines of a continuous job's log."),
        )
    ),
    *(
        Route(
            method="GET",
            path=f"{path}/log",
            handler=handler,
            operation=operation,
            scope="page",
            summary=summary,
            tag="pages",
            query=(FOLLOW, *SELECT),
            answers={200: Answer(summary, str, (TEXT, SSE)), 303: _SIGN_IN},
        )
        for path, handler, operation, summary in (
            (_JOB, job_log, "page.job_log", "A continuous job's log."),
            (_RUN, run_log, "page.run_log", "A run's log."),
        )
    ),
)
