"""`/ui/{app}/processes/`: what the app's jobs run on this instance, and an end to one of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from aiohttp import web

from gitdeploy.errors import Conflict, NotFound
from gitdeploy.logs import safe_text
from gitdeploy.supervise import JobProcess
from gitdeploy.web.kudu.processes import end_process
from gitdeploy.web.route import HTML, Answer, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import goes_on, read_form
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of


@dataclass(frozen=True, slots=True)
class Row:
    """A process as it is shown: `since` in µs, `cpu` in seconds, `memory` in bytes.

    `start` tells it from another one that has its number later.
    """

    pid: int
    start: int
    name: str
    job: str
    first: bool
    since: int
    cpu: float
    memory: int
    command: str
    parent: int


async def every(request: web.Request) -> web.Response:
    """By job, each job's own process first."""
    words, app = show_of(request).words, request.match_info["app"]
    rows = sorted(
        await _rows(request), key=lambda row: (row.job.casefold(), not row.first, row.since)
    )
    return render(
        request,
        "processes.html",
        title=words("nav.processes"),
        crumbs=[Crumb(app, page_way(request).page(app)), Crumb(words("nav.processes"))],
        section="processes",
        rows=rows,
    )


async def one(request: web.Request) -> web.Response:
    """What one process is and has used."""
    show, app, way = show_of(request), request.match_info["app"], page_way(request)
    there = await services_of(request).supervisor.processes(app)
    found = _find(request, there)
    told = found.details
    age = max(1e-6, (show.now - told.started_at) / 1e6)
    facts = (
        ("pid", str(told.pid)),
        ("parent", str(told.parent)),
        ("user", show.duration(told.user)),
        ("system", show.duration(told.system)),
        (
            "share",
            f"{min(100 * (told.user + told.system) / age, 100 * (os.cpu_count() or 1)):.1f} %",
        ),
        ("memory", show.size(told.resident)),
        ("peak", show.size(told.peak_resident)),
        ("virtual", show.size(told.virtual)),
        ("threads", str(told.threads)),
        ("program", safe_text(told.program) or "–"),
    )
    section = show.words("nav.processes")
    row = _row(request, found)
    return render(
        request,
        "process.html",
        title=f"{row.name} {row.pid}",
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(section, way.page(app, "processes")),
            Crumb(str(row.pid)),
        ],
        section="processes",
        one=row,
        facts=facts,
        below=[_row(request, each) for each in there if each.details.parent == told.pid],
    )


async def end(request: web.Request) -> web.Response:
    """End the process that was seen, and all below it; the job takes that as a crash."""
    form = await read_form(request, "deploy")
    app = request.match_info["app"]
    found = _find(request, await services_of(request).supervisor.processes(app))
    if form.get("start") != str(found.details.start):
        raise Conflict(show_of(request).words("processes.gone"))
    await end_process(request, found)
    return goes_on(
        request,
        page_way(request).page(app, "processes"),
        "processes.ended",
        f"{found.details.name} ({found.details.pid})",
    )


async def _rows(request: web.Request) -> list[Row]:
    there = await services_of(request).supervisor.processes(request.match_info["app"])
    return [_row(request, each) for each in there]


def _row(request: web.Request, found: JobProcess) -> Row:
    told = found.details
    line = services_of(request).events.redactor.text(told.command_line)
    return Row(
        pid=told.pid,
        start=told.start,
        name=safe_text(told.name),
        job=found.execution.job,
        first=found.first,
        since=told.started_at,
        cpu=told.user + told.system,
        memory=told.resident,
        command=safe_text(line),
        parent=told.parent,
    )


def _find(request: web.Request, there: list[JobProcess]) -> JobProcess:
    wanted = request.match_info["id"]
    for each in there:
        if str(each.details.pid) == wanted:
            return each
    raise NotFound(show_of(request).words("processes.gone"))


_PATH = "/ui/{app}/processes"
ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        handler=every,
        operation="page.processes",
        scope="page",
        summary="The processes of an app's jobs.",
        tag="pages",
        answers=page("A table."),
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}",
        handler=one,
        operation="page.process",
        scope="page",
        summary="One of them.",
        tag="pages",
        answers={**page("What it is and has used."), 404: Answer("It has ended.", str, (HTML,))},
    ),
    Route(
        method="POST",
        path=f"{_PATH}/{{id}}",
        handler=end,
        operation="page.process_end",
        scope="page",
        summary="End one of them and all below it.",
        tag="pages",
        answers={303: Answer("It was told to end.", media=(), headers=("Location", "Set-Cookie"))},
    ),
)
