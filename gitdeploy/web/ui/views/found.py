"""The job, the run and the log that the address of a page names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.logs import ALL, OutputBlock, select_execution, select_job
from gitdeploy.net import shown
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.ansi import Span, spans
from gitdeploy.web.ui.lines import Window, numbers_of, window
from gitdeploy.web.ui.preferences import preferences

BROUGHT = 500
"""Lines that the page itself has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the page has it; `number` counts from 1."""

    number: int
    stderr: bool
    spans: list[Span]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a log that the page has; `first` and `last` count from 1, as `begin` and `end`,
    the log's own first and last line, do."""

    lines: list[Line]
    first: int
    last: int
    begin: int
    end: int
    zone: str
    offset: int

    @property
    def older(self) -> int:
        """The first line of the part before this one, 0 where there is none."""
        return max(self.begin, self.first - BROUGHT) if self.first > self.begin else 0

    @property
    def newer(self) -> int:
        """The first line of the part behind this one, 0 where there is none."""
        return self.last + 1 if self.last < self.end else 0


def views_of(request: web.Request) -> list[JobView]:
    """The jobs of this name, the continuous one first. Raises NotFound."""
    name, wanted = request.match_info["app"], request.match_info["job"].casefold()
    jobs = services_of(request).supervisor.jobs(name)
    found = [view for view in jobs if view.job.name.casefold() == wanted]
    if not found:
        raise NotFound(f"{name} has no job {request.match_info['job'][:100]!r}.")
    return found


def view_of(request: web.Request, kind: Kind | None = None) -> JobView:
    """The job of this name and kind, or of the kind that the query names. Raises NotFound."""
    found = views_of(request)
    wanted = kind or request.query.get("kind")
    for view in found:
        if view.job.kind == wanted:
            return view
    if kind is not None:
        raise NotFound(f"{request.match_info['app']} has no {kind} job {found[0].job.name!r}.")
    return found[0]


async def run_of(request: web.Request) -> Execution:
    """The run that the address names, also of a job that is gone. Raises NotFound."""
    app, job, run = (request.match_info[key] for key in ("app", "job", "run"))
    wanted = job.casefold()
    for view in services_of(request).supervisor.jobs(app):
        if view.job.kind == "triggered" and view.job.name.casefold() == wanted:
            job = view.job.name
    found = await services_of(request).store.executions.get(app, "triggered", job, run)
    if found is None:
        raise NotFound(f"{job[:100]} has no run {run[:100]!r}.", "The job's page lists those kept.")
    return found


def what_of(view: JobView) -> str:
    """What a job runs: its script, or its request without what may be secret in the address."""
    action = view.job.action
    if action is not None:
        return f"{action.request.method} {shown(action.request.uri)}"
    return view.job.script or ""


def directory_of(request: web.Request, run: Execution) -> Path:
    return services_of(request).home.app(run.app).execution(run.kind, run.job, run.id)


def executions_of(request: web.Request, view: JobView) -> Path:
    app = services_of(request).home.app(request.match_info["app"])
    return app.executions(view.job.kind, view.job.name)


async def follow_execution(
    request: web.Request, directory: Path, after: str | None
) -> AsyncIterator[list[OutputBlock]]:
    """What comes of one execution until it has ended."""
    if not directory.is_dir():  # it never started
        return
    watcher = services_of(request).watcher
    async for batch in select_execution(watcher, directory, ALL, after=after, follow=True):
        yield batch


def follow_executions(
    request: web.Request, executions: Path, after: str | None
) -> AsyncIterator[list[OutputBlock]]:
    """What comes of all executions of a job."""
    return select_job(services_of(request).watcher, executions, ALL, after=after, follow=True)


def part_of(request: web.Request, directory: Path, *, job: bool) -> Part:
    """The lines that the page has: from `?line=` on, else the last; to be called on a thread."""
    asked = request.query.get("line", "")
    first = int(asked) - 1 if asked.isascii() and asked.isdigit() and len(asked) < 16 else None
    found: Window = window(
        numbers_of(request, directory, job=job), None if first is None else max(0, first), BROUGHT
    )
    lines = [
        Line(block.n + place + 1, bool(block.s), spans(text[:10_000]))
        for block in found.blocks
        for place, text in enumerate(block.x)
    ]
    last = lines[-1].number if lines else found.end
    begin = lines[0].number if lines else last
    shown_in = preferences(request).shown_in
    now = to_datetime(services_of(request).clock.now()).astimezone(shown_in)
    ahead = now.utcoffset()
    offset = 0 if ahead is None else int(ahead.total_seconds() // 60)
    return Part(
        lines,
        begin,
        last,
        found.begin + 1,
        found.end,
        str(getattr(shown_in, "key", "") or ("UTC" if offset == 0 else "")),
        offset,
    )
