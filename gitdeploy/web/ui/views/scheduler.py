"""`/ui/{app}/scheduler/`: what is due of all jobs, their schedules, what was missed or dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.errors import GitdeployError
from gitdeploy.jobs import Schedule, kudu_status
from gitdeploy.jobs.sentences import Language
from gitdeploy.store import Occurrence
from gitdeploy.supervise import JobView
from gitdeploy.supervise.following import ScheduleState
from gitdeploy.supervise.steering import Steering
from gitdeploy.web.forwarded import Way
from gitdeploy.web.route import Param, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.duelist import RANGES, Followed, by_day, due_list, own_zone
from gitdeploy.web.ui.lost import Why, why
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.show import Show
from gitdeploy.web.ui.views.settings import page_number

LINES = 300
"""Due times of one page."""
PAGE = 200
LOST = 25
_EXPRESSION = "0 30 9 * * MON-FRI"
EXAMPLE = f'{{"schedule": "{_EXPRESSION}"}}'
"""A whole settings.job, for somebody who has none yet."""
_KEYS = frozenset({"schedule", "recurrence", "timezone"})
_FILE = "settings.job"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A job with a schedule, or one whose schedule is wrong (`schedule` is None then).

    `state` is a name of states.py; `mark` the same where nothing of it runs, "" where it does.
    """

    view: JobView
    schedule: Schedule | None
    sentence: str
    state: str
    mark: str

    @property
    def name(self) -> str:
        return self.view.job.name

    @property
    def expression(self) -> str:
        return self.view.job.settings.schedule or ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A due time without a run; `address` of its job, "" where that is gone."""

    occurrence: Occurrence
    why: Why
    address: str


async def show(request: web.Request) -> web.Response:
    """The page, with the span and the pages of its lists that the address names."""
    services, shown, app = services_of(request), show_of(request), request.match_info["app"]
    steering, asked = services.supervisor.steering(app), request.query
    language: Language = "ko" if shown.words.language == "ko" else "en"
    jobs = [view for view in services.supervisor.jobs(app) if view.job.kind == "triggered"]
    rows = [_row(services, app, view, steering, language) for view in jobs if _asks(view)]
    tables = max(1, -(-len(rows) // PAGE))
    table = page_number(asked.get("jobs", ""), tables)
    tabled = rows[(table - 1) * PAGE : table * PAGE]
    before = _cursor(asked.get("before", ""))
    seen = await services.store.overviews.scheduler(
        app, [row.name for row in tabled], before=before, limit=LOST + 1
    )
    span = asked["range"] if asked.get("range") in RANGES else next(iter(RANGES))
    followed = [one for one in (_followed(row, shown) for row in rows) if one is not None]
    way = page_way(request)
    here = way.page(app, "scheduler")
    link = _links(asked, here, span)
    names = {view.job.name for view in jobs}

    def page() -> web.Response:
        due = due_list(followed, shown, RANGES[span], language)
        pages = max(1, -(-len(due.lines) // LINES))
        number = page_number(asked.get("page", ""), pages)
        return render(
            request,
            "scheduler.html",
            title=shown.words("scheduler.title"),
            crumbs=[Crumb(app, way.page(app)), Crumb(shown.words("scheduler.title"))],
            section="scheduler",
            here=here,
            link=link,
            span=span,
            ranges=list(RANGES),
            days=by_day(due.lines[(number - 1) * LINES : number * LINES], shown),
            known=due.known,
            clock=_clock(shown),
            number=number,
            pages=pages,
            rows=tabled,
            last=seen.last,
            table=table,
            tables=tables,
            tally=_tally(rows),
            steering=steering,
            asleep=any(row.state == "asleep" for row in rows),
            lost=[_lost(one, names, way) for one in seen.lost[:LOST]],
            newest=link(before=None) if before is not None else "",
            older=link(before=_spelled(seen.lost[LOST - 1])) if len(seen.lost) > LOST else "",
            kudu_status=kudu_status,
            example=EXAMPLE,
            told=Schedule.parse(_EXPRESSION).describe(language),
        )

    # schedules are walked beside the loop, which serves others meanwhile
    return await asyncio.to_thread(page)


def _asks(view: JobView) -> bool:
    """Whether a triggered job is meant to have a schedule: it has, or its settings are wrong."""
    settings, error = view.job.settings, view.error or ""
    return settings.scheduled or bool(
        error and (settings.raw.keys() & _KEYS or _FILE in error.casefold())
    )


def _row(
    services: Services,
    app: str,
    view: JobView,
    steering: Steering,
    language: Language,
) -> Scheduled:
    try:
        schedule = services.supervisor.schedule(app, view.job.name)
    except GitdeployError:  # its zone was known when it was deployed, and isn't any more
        schedule = None
    state = "invalid"
    if schedule is not None:
        state = _state(services.supervisor.schedule_state(app, view.job.name), steering)
    return Scheduled(
        view=view,
        schedule=schedule,
        sentence="" if schedule is None else schedule.describe(language),
        state=state,
        mark="" if state in ("active", "ended") else state,
    )


def _state(state: ScheduleState, steering: Steering) -> str:
    """The name of a state of states.py: who has stopped it, all of them or one."""
    if state != "off":
        return state
    if steering.stopped:
        return "halted"
    return "off" if steering.schedules_off else "error"


def _followed(row: Scheduled, shown: Show) -> Followed | None:
    if row.schedule is None:
        return None
    return Followed(
        job=row.name,
        schedule=row.schedule,
        sentence=row.sentence,
        expression=row.expression,
        mark=row.mark,
        zone=own_zone(row.schedule, shown),
    )


def _lost(one: Occurrence, names: set[str], way: Way) -> Lost:
    return Lost(one, why(one), way.page(one.app, "jobs", one.job) if one.job in names else "")


def _tally(rows: Sequence[Scheduled]) -> dict[str, int]:
    followed = sum(row.state == "active" for row in rows)
    paused = sum(row.state in ("disabled", "off", "halted") for row in rows)
    return {"n": len(rows), "followed": followed, "paused": paused}


def _clock(shown: Show) -> Callable[[int], str]:
    def clock(moment: int) -> str:
        at = shown.at(moment)
        return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"

    return clock


def _links(asked: Mapping[str, str], here: str, span: str) -> Callable[..., str]:
    """Addresses of this page with some of its query changed; None takes a key away."""
    kept = {key: asked[key] for key in ("page", "jobs", "before") if key in asked}
    kept["range"] = "" if span == next(iter(RANGES)) else span

    def link(**changes: object) -> str:
        query = {key: str(value) for key, value in {**kept, **changes}.items() if value}
        return f"{here}?{urlencode(query)}" if query else here

    return link


def _spelled(one: Occurrence) -> str:
    return f"{one.due_at}-{one.job}"


def _cursor(text: str) -> tuple[int, str] | None:
    """What `_spelled` has written; anything else is the beginning."""
    due, _, job = text.partition("-")
    return (int(due), job[:300]) if due.isascii() and due.isdigit() and len(due) < 19 else None


ROUTES = (
    Route(
        method="GET",
        path="/ui/{app}/scheduler",
        handler=show,
        operation="page.scheduler",
        scope="page",
        summary="What is due of an app's jobs, their schedules, what was missed.",
        tag="pages",
        query=(
            Param("range", f"How far ahead: {', '.join(RANGES)}."),
            Param("page", "Which page of the due times, from 1.", "integer"),
            Param("jobs", "Which page of the schedules, from 1.", "integer"),
            Param("before", "Only what was missed or dropped before this due time."),
        ),
        answers=page_answers("The page."),
    ),
)
