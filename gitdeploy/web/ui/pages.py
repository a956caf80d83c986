"""The pages: one job, one run, one deployment, and their logs as text."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.errors import NotFound
from gitdeploy.jobs import kudu_status
from gitdeploy.store import Deployment, Execution
from gitdeploy.supervise import JobView
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.following import follow_app, follow_deployment, follow_job, follow_run
from gitdeploy.web.requests import accepts
from gitdeploy.web.route import FOLLOW, FOUND, TAIL, TEXT, Answer, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.html import Content, Safe, link, table, tag
from gitdeploy.web.ui.layout import page, page_way

_RUNS = 30
_TAIL = 1000
_GOOD = frozenset({"Running", "Ready", "Success", "success"})
_BAD = frozenset({"Failed", "failed", "Aborted", "PendingRestart"})


async def start(request: web.Request) -> web.Response:
    raise web.HTTPFound(page_way(request).page())


async def app_start(request: web.Request) -> web.Response:
    """A browser at the app's base address goes to its page."""
    if accepts(request, "text/html"):
        raise web.HTTPFound(page_way(request).page(request.match_info["app"]))
    raise NotFound("There is nothing at this path.", "The app's API is below api/.")


async def job(request: web.Request) -> web.Response:
    """A job; where both kinds have the name, one after the other."""
    services, name, way = services_of(request), request.match_info["app"], page_way(request)
    views = _views(request)
    parts: list[Content] = []
    for view in views:
        address = way.page(name, "jobs", view.job.name)
        facts = [
            ["Kind", view.job.kind],
            ["State", _state(view.status)],
            ["Script", "none" if view.job.action else view.job.script or "none"],
            ["Schedule", view.job.settings.schedule or "none"],
            ["Error", view.error or "none"],
        ]
        parts.append(table(("", ""), facts, empty=""))
        if view.job.kind == "continuous":
            parts.append(tag("p", link(f"{address}log", "Log as text")))
            continue
        runs = await services.store.executions.newest(name, "triggered", view.job.name, limit=_RUNS)
        parts.append(tag("h2", "Runs"))
        parts.append(
            table(
                ("Run", "State", "Exit code", "Started", ""),
                [_run_row(run, address) for run in runs],
                empty="It hasn't run yet.",
            )
        )
    return page(request, views[0].job.name, *parts, trail=_trail(request))


async def job_log(request: web.Request) -> web.StreamResponse:
    for view in _views(request):
        if view.job.kind == "continuous":
            name = request.match_info["app"]
            return await follow_job(
                request, name, "continuous", view.job.name, form="text", tail=_TAIL
            )
    raise NotFound("A triggered job has a log for each run.", "Choose a run on the job's page.")


async def run(request: web.Request) -> web.Response:
    execution = await _execution(request)
    way = page_way(request)
    address = way.page(execution.app, "jobs", execution.job)
    facts: list[list[Content]] = [
        ["State", _state(kudu_status(execution.status))],
        ["Exit code", _number(execution.exit_code)],
        ["Started", _time(execution.started_at)],
        ["Ended", _time(execution.ended_at)],
        ["Trigger", execution.trigger],
        ["Arguments", execution.arguments or "none"],
        ["Deployment", execution.deployment or "none"],
        ["Error", execution.error or "none"],
    ]
    return page(
        request,
        f"Run {execution.id}",
        table(("", ""), facts, empty=""),
        tag("p", link(f"{address}runs/{execution.id}/log", "Log as text")),
        trail=(*_trail(request), (address, execution.job)),
    )


async def run_log(request: web.Request) -> web.StreamResponse:
    return await follow_run(request, await _execution(request), form="text")


async def deployment(request: web.Request) -> web.Response:
    row, way = await _deployment(request), page_way(request)
    facts: list[list[Content]] = [
        ["State", _state(row.status)],
        ["Reason", row.status_text or "none"],
        ["Active", "yes" if row.active else "no"],
        ["Attempt", str(row.attempt)],
        ["Author", row.author],
        ["Deployed by", row.deployer],
        ["Received", _time(row.received_at)],
        ["Ended", _time(row.ended_at)],
        ["Release", _number(row.release)],
    ]
    return page(
        request,
        f"Deployment {row.id[:10]}",
        tag("pre", row.message),
        table(("", ""), facts, empty=""),
        tag("p", link(f"{way.page(row.app, 'deployments', row.id)}log", "Log as text")),
        trail=_trail(request),
    )


async def deployment_log(request: web.Request) -> web.StreamResponse:
    return await follow_deployment(request, await _deployment(request), form="text")


async def events(request: web.Request) -> web.StreamResponse:
    """What happens to the app from now on, for the pages that show it."""
    return await follow_app(request)


def _views(request: web.Request) -> list[JobView]:
    """The jobs of this name, the continuous one first. Raises NotFound."""
    name, wanted = request.match_info["app"], request.match_info["job"].casefold()
    jobs = services_of(request).supervisor.jobs(name)
    found = [view for view in jobs if view.job.name.casefold() == wanted]
    if not found:
        raise NotFound(f"{name} has no job {request.match_info['job'][:100]!r}.")
    return found


async def _execution(request: web.Request) -> Execution:
    match = request.match_info
    views = [view for view in _views(request) if view.job.kind == "triggered"]
    job_name = views[0].job.name if views else match["job"]
    found = await services_of(request).store.executions.get(
        match["app"], "triggered", job_name, match["run"]
    )
    if found is None:
        raise NotFound(f"{job_name} has no run {match['run'][:100]!r}.")
    return found


async def _deployment(request: web.Request) -> Deployment:
    name, wanted = request.match_info["app"], request.match_info["id"]
    found = await request.app[FETCHER].find(name, wanted)
    if found is None:
        raise NotFound(f"{name} has no deployment {wanted[:100]!r}.")
    return found[0]


def _trail(request: web.Request) -> tuple[tuple[str, str], ...]:
    name = request.match_info["app"]
    return ((page_way(request).page(name), name),)


def _run_row(run: Execution, address: str) -> list[Content]:
    return [
        link(f"{address}runs/{run.id}", run.id),
        _state(kudu_status(run.status)),
        _number(run.exit_code),
        _time(run.started_at or run.created_at),
        link(f"{address}runs/{run.id}/log", "log"),
    ]


def _state(state: str) -> Safe:
    kind = "good" if state in _GOOD else "bad" if state in _BAD else None
    return tag("span", state, class_=kind)


def _time(moment: int | None) -> str:
    return "" if moment is None else to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S UTC")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _text_answer(summary: str) -> dict[int, Answer]:
    return {200: Answer(summary, str, (TEXT,)), 303: Answer("To the sign-in page.", media=())}


_APP = "/ui/{app}"
_JOB = f"{_APP}/jobs/{{job}}"
_RUN = f"{_JOB}/runs/{{run}}"
_DEPLOYMENT = f"{_APP}/deployments/{{id}}"
_PAGES = (
    (f"{_APP}/events", events, "page.events", "What happens to an app, as it comes.", True),
    (_JOB, job, "page.job", "A job.", False),
    (f"{_JOB}/log", job_log, "page.job_log", "A continuous job's log.", True),
    (_RUN, run, "page.run", "A run.", False),
    (f"{_RUN}/log", run_log, "page.run_log", "A run's log.", True),
    (_DEPLOYMENT, deployment, "page.deployment", "A deployment.", False),
    (f"{_DEPLOYMENT}/log", deployment_log, "page.deployment_log", "A deployment's log.", True),
)
ROUTES = (
    Route(
        method="GET",
        path="/",
        handler=start,
        operation="page.start",
        scope="open",
        summary="To the pages.",
        tag="pages",
        answers={302: FOUND},
    ),
    Route(
        method="GET",
        path="/apps/{app}",
        handler=app_start,
        operation="page.app_start",
        scope="open",
        summary="To the app's page, for a browser.",
        tag="pages",
        answers={302: FOUND},
    ),
    *(
        Route(
            method="GET",
            path=path,
            handler=handler,
            operation=operation,
            scope="page",
            summary=summary,
            tag="pages",
            query=(FOLLOW, TAIL) if is_log else (),
            answers=_text_answer(summary) if is_log else page_answers(summary),
        )
        for path, handler, operation, summary, is_log in _PAGES
    ),
)
