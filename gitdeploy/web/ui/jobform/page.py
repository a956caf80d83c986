"""The page of the form: fields, what is wrong, and what the schedule would do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal, NamedTuple, cast

from aiohttp import web

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.errors import Invalid
from gitdeploy.jobs import Job
from gitdeploy.jobs.action_json import METHODS
from gitdeploy.jobs.discover import MAX_NAME
from gitdeploy.jobs.recurrence import WEEK_DAYS
from gitdeploy.jobs.shape import zone_name
from gitdeploy.jobs.zones import local_zone
from gitdeploy.web.kudu.schedules import Wanted, previewed
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.jobform.doing import KEPT, RETRIES, UNITS
from gitdeploy.web.ui.jobform.reading import HOWS, OVERLAPS, Filled, read_job
from gitdeploy.web.ui.jobform.sent import SCRIPTS
from gitdeploy.web.ui.jobform.when import MONTH_DAYS, OCCURRENCES, REPEATS
from gitdeploy.web.ui.jobform.when import UNITS as FREQUENCIES
from gitdeploy.web.ui.jobform.wrong import told
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.show import Show


class Due(NamedTuple):
    """A due time by the schedule's own clock: `2026-11-27`, a weekday's number, `09:00`."""

    day: str
    weekday: int
    clock: str
    at: int


class Look(NamedTuple):
    """What a schedule would do, or what is wrong."""

    sentence: str = ""
    dues: tuple[Due, ...] = ()
    notes: tuple[str, ...] = ()
    wrong: str = ""
    ends: bool = False
    zone: str = ""


class _Errors(dict[str, str]):
    """What is wrong by field; nothing where there is nothing."""

    def __missing__(self, field: str) -> str:
        return ""


def form_page(
    request: web.Request,
    form: Form,
    *,
    job: Job | None = None,
    source: Job | None = None,
    kept: AbstractSet[str] = frozenset(),
    filled: Filled | None = None,
    errors: Mapping[str, str] | None = None,
    tail: Sequence[str] = (),
    previewed: bool = False,
    status: int = 200,
) -> web.Response:
    """The page; `filled` is what the form was read as, where it was sent."""
    shown, way, app = show_of(request), page_way(request), request.match_info["app"]
    words, services = shown.words, services_of(request)
    if filled is None and previewed:
        old = None if job is None else job.action
        filled = read_job(form, words, name="" if job is None else job.name, old=old)
    title = words("job_form.add") if job is None else words("job_form.edit", name=job.name)
    crumbs = [Crumb(app, way.page(app))]
    if job is not None:
        crumbs.append(Crumb(job.name, way.page(app, "jobs", job.name)))
    crumbs.append(Crumb(words("job_form.add" if job is None else "job_form.edit_short")))
    address = way.page(app, "jobs", "-", "add") if job is None else way.page(app, "jobs", job.name)
    action = address.rstrip("/") if job is None else f"{address}edit?kind={job.kind}"
    return render(
        request,
        "job_form.html",
        title=title,
        crumbs=crumbs,
        section="jobs",
        f=form,
        job=job,
        source=source,
        kept=kept,
        errors=_Errors(errors or {}),
        tail=tail,
        look=_look(request, filled, shown),
        settings=_settings(filled),
        action=action,
        cancel=way.page(app) if job is None else address,
        zones=f"{way.page('-', 'zones')}",
        own_zone=zone_name(None, local_zone()),
        browser_zone=shown.preferences.browser_zone or "",
        limit=services.options.max_job_size,
        most_name=MAX_NAME,
        hows=[
            how
            for how in HOWS
            if job is None or (how == "continuous") == (job.kind == "continuous")
        ],
        repeats=REPEATS,
        units=FREQUENCIES,
        named_days=[(day, words(f"weekday.short.{n}")) for n, day in enumerate(WEEK_DAYS)],
        named_month_days=[
            *((str(day), str(day)) for day in MONTH_DAYS),
            ("-1", words("job_form.nth.last")),
        ],
        named_occurrences=[
            (one, words(f"job_form.nth.{'last' if one == '-1' else one}")) for one in OCCURRENCES
        ],
        overlaps=OVERLAPS,
        methods=METHODS,
        retries=RETRIES,
        spans=tuple(UNITS),
        place="App_Data/jobs/",
        scripts=" ".join(SCRIPTS),
        dots=KEPT,
        status=status,
    )


def _look(request: web.Request, filled: Filled | None, shown: Show) -> Look:
    if filled is None or filled.how not in ("schedule", "http"):
        return Look()
    raw, words = filled.raw, shown.words
    wrong = next(
        (filled.errors[name] for name in filled.errors if name in _OF_SCHEDULE),
        "",
    )
    if wrong:
        return Look(wrong=wrong)
    if raw.get("schedule") is None and raw.get("recurrence") is None:
        return Look()
    language = cast(Literal["en", "ko"], words.language)
    wanted = Wanted(
        schedule=raw.get("schedule"),
        recurrence=raw.get("recurrence"),
        timezone=raw.get("timezone"),
    )
    try:
        found = previewed(wanted, to_datetime(shown.now), language)
    except Invalid as error:
        return Look(wrong=told(error, words))
    return Look(
        sentence=found.description,
        dues=tuple(_due(due.local) for due in found.occurrences),
        notes=tuple(found.notes),
        ends=found.ends,
        zone=found.timezone or zone_name(None, local_zone()),
    )


def _due(local: str) -> Due:
    moment = datetime.fromisoformat(local)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return Due(f"{moment:%Y-%m-%d}", moment.weekday(), clock, from_datetime(moment))


def _settings(filled: Filled | None) -> str:
    if filled is None or not filled.shown:
        return ""
    return json.dumps(filled.shown, ensure_ascii=False, indent=2)


_OF_SCHEDULE = frozenset(
    [
        "repeat",
        "cron",
        "timezone",
        "recurrence_json",
        "interval",
        "unit",
        "start_date",
        "start_time",
        "end_date",
        "end_time",
        "count",
        "hours",
        "minutes",
        "seconds",
        "week_day",
        "month_day",
        "month_days_end",
        "occurrence",
        "month_week_day",
    ]
)
