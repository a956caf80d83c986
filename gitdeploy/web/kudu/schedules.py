"""Schedules looked at: what one would do (preview), what became of a job's, what comes next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from aiohttp import web

from gitdeploy.clock import from_datetime, rfc3339, to_datetime
from gitdeploy.errors import Invalid, NotFound
from gitdeploy.jobs import (
    Schedule,
    check_settings,
    from_ncrontab,
    schedule_of,
    to_ncrontab,
)
from gitdeploy.store import Occurrence
from gitdeploy.web.answers import as_json
from gitdeploy.web.errors import PROBLEM, Problem
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.job_view import find
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import integer, read_json
from gitdeploy.web.route import Answer, Body, Param, Route
from gitdeploy.web.services import services_of

_COUNT, _COUNT_MOST = 5, 1000
_NOTES_AHEAD = timedelta(days=366)
_RECORDED_MOST = 1000


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A schedule in either spelling; `from` is RFC 3339 (default: now)."""

    schedule: str | None = None
    recurrence: dict[str, Any] | None = None
    timezone: str | None = None
    count: int = _COUNT
    from_: datetime | None = msgspec.field(default=None, name="from")
    language: Literal["en", "ko"] | None = None


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A due time in UTC and by the schedule's own clock (with its offset)."""

    utc: str
    local: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`notes` tell what changes of the clocks do to it within a year; `schedule` and `recurrence`
    are its two spellings, null where one can't say it. `ends` is whether it ever does within
    what was asked."""

    description: str
    timezone: str | None
    occurrences: list[Due]
    notes: list[str]
    schedule: str | None
    recurrence: Any
    ends: bool


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a due time: started (`run`), queued, dropped or missed (`note`)."""

    due: str
    state: str
    run: str | None
    run_url: str | None
    note: str


class JobSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """A job's schedule now. `state` is active, asleep (the app sleeps), disabled (the job was
    stopped), off (WEBJOBS_DISABLE_SCHEDULE or WEBJOBS_STOPPED) or ended."""

    description: str
    timezone: str | None
    state: Literal["active", "asleep", "disabled", "off", "ended"]
    overlap: str
    next: list[Due]
    recorded: list[Recorded]
    notes: list[str]


async def preview(request: web.Request) -> web.Response:
    """The next due times, or what is wrong and where."""
    wanted: Wanted = await read_json(request, Wanted)
    now = to_datetime(services_of(request).clock.now())
    return as_json(previewed(wanted, now, wanted.language or _language(request)))


def previewed(wanted: Wanted, now: datetime, language: Literal["en", "ko"]) -> Preview:
    """What a schedule would do. Raises Invalid, SettingError and ScheduleError (with the place)."""
    if (wanted.schedule is None) == (wanted.recurrence is None):
        raise Invalid("One of schedule and recurrence is needed.", "Send exactly one of them.")
    if not 1 <= wanted.count <= _COUNT_MOST:
        raise Invalid(f"count = {wanted.count} isn't between 1 and {_COUNT_MOST}.")
    after = now
    if wanted.from_ is not None:
        after = wanted.from_ if wanted.from_.tzinfo else wanted.from_.replace(tzinfo=after.tzinfo)
    given = {
        key: value
        for key in ("schedule", "recurrence", "timezone")
        if (value := getattr(wanted, key)) is not None
    }
    settings, wrong = check_settings(given)
    if wrong:
        if wanted.schedule is not None and wrong[0].key == "schedule":
            Schedule.parse(wanted.schedule, settings.timezone)  # raises, with the position
        raise wrong[0]
    anchor = after - timedelta(microseconds=1)  # a due time at `from` itself counts
    schedule = schedule_of(settings, anchor)
    assert schedule is not None
    dues = schedule.occurrences(anchor, wanted.count)
    recurrence = settings.recurrence
    expression = settings.schedule
    if recurrence is not None:
        expression = to_ncrontab(recurrence, anchor)
    elif expression is not None:
        recurrence = from_ncrontab(expression, settings.timezone)
    return Preview(
        description=schedule.describe(language),
        timezone=schedule.timezone,
        occurrences=[_due(due) for due in dues],
        notes=schedule.notes(after, after + _NOTES_AHEAD, language),
        schedule=expression,
        recurrence=recurrence,
        ends=len(dues) < wanted.count,
    )


async def show(request: web.Request) -> web.Response:
    """A job's schedule: next due times, and what became of those before."""
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, "triggered", request.match_info["job"])
    schedule = services.supervisor.schedule(app, view.job.name)
    if schedule is None:
        raise NotFound(
            f"{view.job.name} has no schedule.", "Give it one: PUT …/settings with a schedule."
        )
    limit = integer(request, "recorded", highest=_RECORDED_MOST)
    rows = await services.store.occurrences.newest(
        app, view.job.name, limit=50 if limit is None else limit
    )
    count = integer(request, "count", highest=_COUNT_MOST)
    language = _language(request)
    now = to_datetime(services.clock.now())
    dues = schedule.occurrences(now, _COUNT if count is None else count)
    return as_json(
        JobSchedule(
            description=schedule.describe(language),
            timezone=schedule.timezone,
            state=services.supervisor.schedule_state(app, view.job.name),
            overlap=view.job.settings.overlap,
            next=[_due(due) for due in dues],
            recorded=[_recorded(request, row) for row in rows],
            notes=schedule.notes(now, now + _NOTES_AHEAD, language),
        )
    )


def _recorded(request: web.Request, row: Occurrence) -> Recorded:
    way = way_in(request, services_of(request).options.scm_domain)
    history = (row.app, "triggeredwebjobs", row.job, "history")
    return Recorded(
        due=rfc3339(row.due_at),
        state=row.state,
        run=row.run,
        run_url=None if row.run is None else way.api(*history, row.run),
        note=row.note,
    )


def _due(due: datetime) -> Due:
    return Due(utc=rfc3339(from_datetime(due)), local=due.isoformat())


def _language(request: web.Request) -> Literal["en", "ko"]:
    """The first of our languages that `language=` or `Accept-Language` names; English else."""
    for part in (request.query.get("language", ""), request.headers.get("Accept-Language", "")):
        for word in part.lower().split(","):
            match word.strip()[:2]:
                case "ko":
                    return "ko"
                case "en":
                    return "en"
    return "en"


_ONE = "triggeredwebjobs/{job}/schedule"
_SPEAK = Param("language", "en or ko; Accept-Language does the same.")
ROUTES = (
    Route(
        method="POST",
        path=f"{API}/schedules/preview",
        aliases=spellings("schedules/preview"),
        handler=preview,
        operation="schedule.preview",
        scope="read",
        summary="The next due times of a schedule or recurrence, in words too; nothing is kept.",
        tag="jobs",
        query=(_SPEAK,),
        body=Body(Wanted),
        answers={200: Answer("What it does.", Preview)},
        writes=False,
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show,
        operation="triggered.schedule",
        scope="read",
        summary="When the job is due next, and what became of its due times.",
        tag="jobs",
        query=(
            Param("count", "So many of the next.", "integer"),
            Param("recorded", "So many of those before.", "integer"),
            _SPEAK,
        ),
        answers={
            200: Answer("The schedule.", JobSchedule),
            404: Answer("It has none.", Problem, (PROBLEM,)),
        },
    ),
)
