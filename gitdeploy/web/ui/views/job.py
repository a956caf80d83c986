"""A job: what it is, how it stands, its runs; run once with arguments; delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.deploy.deployer import refuse_locked
from gitdeploy.errors import Conflict, Invalid
from gitdeploy.home import Kind
from gitdeploy.jobs import job_environment, kudu_status
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView, RunRequest
from gitdeploy.web.auth import app_of, principal_of
from gitdeploy.web.route import FOUND, HTML, Answer, Param, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.senders import one_line
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import goes_on, read_form, require
from gitdeploy.web.ui.joblist import state_of
from gitdeploy.web.ui.refused import refusal
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.usual import AXIS, HEIGHT, chart, seconds_of
from gitdeploy.web.ui.views.found import executions_of, view_of, views_of, what_of

PAGE = 25
_COMPARED = 200
_ARGUMENTS_MOST = 8000
_AT_RUNS = "#job-runs"
RESULTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "success": ("success",),
    "failed": ("failed", "aborted"),
    "running": ("initializing", "running"),
    "stopped": ("stopped",),
}
"""What the list of runs can be narrowed to."""


class Variable(NamedTuple):
    """A variable of the job's environment; `own` where it is one of the app's settings."""

    name: str
    own: bool


async def show(request: web.Request) -> web.Response:
    return await _page(request, view_of(request))


async def runs(request: web.Request) -> web.Response:
    """To the job's page: its form is sent to this address, where it may be loaded again."""
    name = view_of(request, "triggered").job.name
    address = page_way(request).page(request.match_info["app"], "jobs", name)
    raise web.HTTPFound(f"{address}?kind=triggered")


async def run(request: web.Request) -> web.Response:
    """Start a run with the field `arguments`; the browser goes on to its page."""
    form = await read_form(request, "run")
    services, app = services_of(request), request.match_info["app"]
    view = view_of(request, "triggered")
    name = view.job.name
    arguments, words = form.get("arguments"), show_of(request).words
    if len(arguments) > _ARGUMENTS_MOST:
        wrong = words("job.too_long")
        return await _page(request, view, status=400, wrong=wrong, typed=arguments)
    agent = one_line(request.headers.get("User-Agent", "unknown"), 100)
    wanted = RunRequest(
        trigger=f"External - {agent}", arguments=arguments or None, who=principal_of(request).who
    )
    try:
        started = await services.supervisor.run(app, name, wanted)
    except (Invalid, Conflict) as error:
        status = 409 if isinstance(error, Conflict) else 400
        view = view_of(request, "triggered")
        wrong = refusal(words, error, view, arguments)
        return await _page(request, view, status=status, wrong=wrong, typed=arguments)
    address = f"{page_way(request).page(app, 'jobs', name)}runs/{started.id}"
    return goes_on(request, address, said="job.started", name=name)


async def ask(request: web.Request) -> web.Response:
    """What goes with the job, before it is deleted."""
    require(request, "deploy")
    view, services, way = view_of(request), services_of(request), page_way(request)
    show, app, job = show_of(request), request.match_info["app"], view.job
    counts = await services.store.history.counts(app, job.kind, job.name)
    address = way.page(app, "jobs", job.name)
    return render(
        request,
        "job_delete.html",
        title=show.words("job.delete_of", name=job.name),
        crumbs=[*_above(request, view), Crumb(show.words("common.delete"))],
        section="jobs",
        job=view,
        runs=sum(counts.values()),
        size=await services.store.history.output_bytes(app, job.kind, job.name),
        address=address,
        back=f"{address}?kind={job.kind}",
    )


async def delete(request: web.Request) -> web.Response:
    """Delete the job, its data and its history."""
    form = await read_form(request, "deploy")
    refuse_locked(app_of(request))
    services, app = services_of(request), request.match_info["app"]
    kind: Kind = "triggered" if form.get("kind") == "triggered" else "continuous"
    name = view_of(request, kind).job.name
    await services.background.complete(services.uploads.delete(app, kind, name))
    return goes_on(request, page_way(request).page(app), said="job.deleted", name=name)


async def _page(
    request: web.Request, view: JobView, *, status: int = 200, wrong: str = "", typed: str = ""
) -> web.Response:
    services, way = services_of(request), page_way(request)
    show, app, job = show_of(request), request.match_info["app"], view.job
    history = services.store.history
    newest = await history.page(app, job.kind, job.name, limit=_COMPARED)
    result = request.query.get("result", "all")
    result = result if result in RESULTS else "all"
    before, after = request.query.get("before"), request.query.get("after")
    rows, older, newer = await _runs(request, view, newest, result, before, after)
    address = way.page(app, "jobs", job.name)
    both = [each.job.kind for each in views_of(request)]
    query = {"kind": job.kind} if len(both) > 1 else {}

    def link(**changes: str) -> str:
        wanted = urlencode({key: value for key, value in {**query, **changes}.items() if value})
        return f"{address}?{wanted}" if wanted else address

    narrowed = {"result": "" if result == "all" else result}
    schedule = None
    if job.kind == "triggered":
        schedule = services.supervisor.schedule(app, job.name)
    counts = await history.counts(app, job.kind, job.name)
    return render(
        request,
        "job.html",
        title=job.name,
        crumbs=[*_above(request, view)[:-1], Crumb(job.name)],
        section="jobs",
        status=status,
        job=view,
        both=both,
        state_name=state_of(
            view,
            newest[0].status if newest else None,
            asleep=services.supervisor.asleep(app),
        ),
        what=what_of(view),
        sentence=schedule.describe("ko" if show.words.language == "ko" else "en")
        if schedule is not None
        else "",
        address=address,
        here=link(),
        link=link,
        newest=newest[0] if newest else None,
        runs=rows,
        seconds=lambda run: seconds_of(run, show.now),
        kudu_status=kudu_status,
        older=link(**narrowed, before=rows[-1].id) + _AT_RUNS if older else "",
        newer=link(**narrowed, after=rows[0].id) + _AT_RUNS if newer else "",
        result=result,
        results=[
            (key, link(result="" if key == "all" else key) + _AT_RUNS, _sum(counts, states))
            for key, states in RESULTS.items()
        ],
        good=_sum(counts, ("success",)),
        bad=_sum(counts, RESULTS["failed"]),
        chart=chart(newest, show.now),
        chart_size=(HEIGHT, AXIS),
        variables=await _variables(request, view),
        wrong=wrong,
        typed=typed,
    )


async def _runs(
    request: web.Request,
    view: JobView,
    newest: Sequence[Execution],
    result: str,
    before: str | None,
    after: str | None,
) -> tuple[list[Execution], bool, bool]:
    """A page of the runs; whether there are older, and newer ones."""
    if before is None and after is None and result == "all":
        return list(newest[:PAGE]), len(newest) > PAGE, False
    app, job = request.match_info["app"], view.job
    found = await services_of(request).store.history.page(
        app,
        job.kind,
        job.name,
        states=RESULTS[result],
        before=before,
        after=after,
        limit=PAGE + 1,
    )
    more = len(found) > PAGE
    if before is not None:
        return found[:PAGE], more, bool(found)
    if after is not None:
        return found[-PAGE:], bool(found), more
    return found[:PAGE], more, False


async def _variables(request: web.Request, view: JobView) -> list[Variable]:
    """Names of what the job finds in its environment; the values stay on the server."""
    services, app = services_of(request), request.match_info["app"]
    settings = await services.store.apps.settings(app)
    paths, job = services.home.app(app), view.job
    names = job_environment(
        job,
        app=app,
        execution="",
        root=paths.root,
        data=paths.job_data(job.kind, job.name),
        home=paths.root,
        settings=settings,
        port=0 if job.kind == "continuous" else None,
        shutdown_file=executions_of(request, view),
    )
    return [Variable(name, name in settings) for name in sorted(names)]


def _sum(counts: dict[str, int], states: Sequence[str]) -> int:
    return sum(counts.get(state, 0) for state in states) if states else sum(counts.values())


def _above(request: web.Request, view: JobView) -> list[Crumb]:
    way, app, words = page_way(request), request.match_info["app"], show_of(request).words
    return [
        Crumb(app, way.page(app)),
        Crumb(words("job.jobs"), way.page(app)),
        Crumb(view.job.name, way.page(app, "jobs", view.job.name)),
    ]


_JOB = "/ui/{app}/jobs/{job}"
_KIND = Param("kind", "`continuous` or `triggered`, where two jobs have the name.")
_DONE = Answer("Done; on to a page.", media=(), headers=("Location",))
ROUTES = (
    Route(
        method="GET",
        path=_JOB,
        handler=show,
        operation="page.job",
        scope="page",
        summary="A job.",
        tag="pages",
        query=(
            _KIND,
            Param("result", f"Only runs that are {', '.join(RESULTS)}."),
            Param("before", "Runs older than the one with this id."),
            Param("after", "Runs newer than the one with this id."),
        ),
        answers=page_answers("A job."),
    ),
    Route(
        method="GET",
        path=f"{_JOB}/runs",
        handler=runs,
        operation="page.runs",
        scope="page",
        summary="To the page of a triggered job.",
        tag="pages",
        answers={302: FOUND, 303: Answer("To the sign-in page.", media=())},
    ),
    Route(
        method="POST",
        path=f"{_JOB}/runs",
        handler=run,
        operation="page.start_run",
        scope="page",
        summary="Run a triggered job once and go to the run's page.",
        tag="pages",
        answers={
            303: _DONE,
            400: Answer("The page with what is wrong.", str, (HTML,)),
            409: Answer("The page with what stands against it.", str, (HTML,)),
        },
    ),
    Route(
        method="GET",
        path=f"{_JOB}/delete",
        handler=ask,
        operation="page.ask_delete_job",
        scope="page",
        summary="What goes with a job that is deleted.",
        tag="pages",
        query=(_KIND,),
        answers=page_answers("A question."),
    ),
    Route(
        method="POST",
        path=f"{_JOB}/delete",
        handler=delete,
        operation="page.delete_job",
        scope="page",
        summary="Delete a job, its data and its history, from a page.",
        tag="pages",
        answers={303: _DONE},
    ),
)
