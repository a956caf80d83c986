"""`/ui/{app}/`: the jobs of an app, what ran and will run; and the first page of an empty app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlencode

from aiohttp import web

from gitdeploy.jobs import Schedule
from gitdeploy.jobs.sentences import Language
from gitdeploy.store.overview import AppOverview
from gitdeploy.web.forwarded import Way
from gitdeploy.web.route import Param, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.bars import AXIS, HEIGHT, WIDTH, Bars, bars_of
from gitdeploy.web.ui.joblist import BARS, FILTERS, SORTS, Filter, Row, Sort, counts, row_of, wanted
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.show import Show
from gitdeploy.web.ui.timeline import timeline_of
from gitdeploy.web.ui.waysin import ways_in

_PAGE = 200
_LANES = 12
_MANY = 40
_ROWS_READ = 2400
"""Executions read for the page where the jobs are few; many jobs have `BARS` each."""
_MOST_OF_ONE = 400
_LONGEST_QUERY = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it is shown; `log` is the address of its log's page, "" where it has none."""

    row: Row
    bars: Bars
    schedule: str
    cron: str
    address: str
    log: str


async def jobs(request: web.Request) -> web.Response:
    """The list, filtered and sorted as the address says."""
    services, way, show = services_of(request), page_way(request), show_of(request)
    app = request.match_info["app"]
    views = services.supervisor.jobs(app)
    most = min(_MOST_OF_ONE, max(BARS, _ROWS_READ // max(1, len(views))))
    seen = await services.store.overviews.app(app, [view.job.key for view in views], most=most)
    if not views and seen.live is None:
        return _first(request, way, show, app, seen)
    asleep = services.supervisor.asleep(app)
    rows = [row_of(view, seen.past.get(view.job.key, ()), asleep=asleep) for view in views]
    asked = request.query
    only: Filter = next((one for one in FILTERS if one == asked.get("show")), "all")
    sort: Sort = next((one for one in SORTS if one == asked.get("sort")), "name")
    query = asked.get("q", "").strip()[:_LONGEST_QUERY]
    found = wanted(rows, only, query, sort)
    last = max(1, -(-len(found) // _PAGE))
    number = min(last, _number(asked.get("page", "")))
    schedules = _schedules(services, app)
    shown = found[(number - 1) * _PAGE : number * _PAGE]
    whole = asked.get("timeline") == "all"
    drawn = shown if whole else shown[:_LANES]
    page = partial(
        render,
        request,
        "jobs.html",
        title=show.words("joblist.title"),
        crumbs=[Crumb(app, way.page(app)), Crumb(show.words("joblist.title"))],
        section="jobs",
        tally=_tally(rows),
        seen=seen,
        timeline=timeline_of(drawn, schedules, show),
        undrawn=len(shown) - len(drawn),
        lines=[_line(row, way, app, show, schedules(row)) for row in shown],
        only=only,
        sort=sort,
        query=query,
        counts=counts(rows),
        filters=FILTERS,
        number=number,
        last=last,
        link=_links(request, way, app),
        size=(WIDTH, HEIGHT, AXIS),
    )
    # many rows take a while: the loop serves others meanwhile
    return page() if len(shown) < _MANY else await asyncio.to_thread(page)


def _first(request: web.Request, way: Way, show: Show, app: str, seen: AppOverview) -> web.Response:
    """How to deploy, until something is."""
    return render(
        request,
        "first.html",
        title=show.words("first.title"),
        crumbs=[Crumb(app)],
        section="jobs",
        newest=seen.newest,
        ways=ways_in(way, app),
    )


def _links(request: web.Request, way: Way, app: str) -> Callable[..., str]:
    """Addresses of this list with some of its query changed; None takes a key away."""
    kept = {
        key: request.query[key] for key in ("show", "q", "sort", "timeline") if key in request.query
    }

    def link(**changes: object) -> str:
        query = {**kept, **changes}
        told = urlencode({key: str(value) for key, value in query.items() if value})
        return f"{way.page(app)}?{told}" if told else way.page(app)

    return link


def _schedules(services: Services, app: str) -> Callable[[Row], Schedule | None]:
    """The schedule of a row, looked for once."""
    known: dict[str, Schedule | None] = {}

    def schedule(row: Row) -> Schedule | None:
        if row.kind != "triggered" or not row.view.job.settings.scheduled:
            return None
        if row.name not in known:
            known[row.name] = services.supervisor.schedule(app, row.name)
        return known[row.name]

    return schedule


def _line(row: Row, way: Way, app: str, show: Show, schedule: Schedule | None) -> Line:
    address = way.page(app, "jobs", row.name)
    log = f"{address}output" if row.kind == "continuous" else ""
    if row.kind == "triggered" and row.newest is not None:
        log = f"{address}runs/{quote(row.newest.id, safe='')}"
    told: Language = "ko" if show.words.language == "ko" else "en"
    return Line(
        row=row,
        bars=bars_of(row, show.now),
        schedule="" if schedule is None else schedule.describe(told),
        cron=row.view.job.settings.schedule or "",
        address=address,
        log=log,
    )


def _tally(rows: list[Row]) -> dict[str, int]:
    running = sum(row.running is not None for row in rows)
    attention = sum(row.attention for row in rows)
    return {"ok": len(rows) - attention, "running": running, "attention": attention}


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else 1


ROUTES = (
    Route(
        method="GET",
        path="/ui/{app}",
        handler=jobs,
        operation="page.app",
        scope="page",
        summary="An app's jobs, what ran and will run.",
        tag="pages",
        query=(
            Param("show", "all, continuous, triggered or attention."),
            Param("q", "Words that are in the name, script or kind."),
            Param("sort", "name, status, last or next."),
            Param("page", "Which page, from 1.", "integer"),
            Param("timeline", "`all` draws every job of the page."),
        ),
        answers=page_answers("The page."),
    ),
)
