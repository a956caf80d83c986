"""When a job runs: from the fields of the form to a schedule or recurrence, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from gitdeploy.jobs import JobSettings, Recurrence
from gitdeploy.jobs.jsonfile import NotAnObject, read_object
from gitdeploy.jobs.recurrence import WEEK_DAYS, Pattern
from gitdeploy.jobs.recurrence_json import MAX_COUNT, MAX_INTERVAL
from gitdeploy.jobs.wallclock import wall
from gitdeploy.jobs.zones import local_zone, zone
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.jobform.numbers import clock, clock_shown, day, listed, shown, whole

UNITS = ("minute", "hour", "day", "week", "month")
REPEATS = ("none", "once", "recurring", "cron", "json")
OCCURRENCES = ("1", "2", "3", "4", "5", "-1", "every")
MONTH_DAYS = range(1, 32)

Fields = dict[str, list[str]]


class Fault(NamedTuple):
    """A key below `job_form.wrong` and its names."""

    key: str
    values: Mapping[str, object] = MappingProxyType({})


Faults = dict[str, Fault]


def read_when(form: Form) -> tuple[dict[str, Any], Faults]:
    """`schedule` or `recurrence` and `timezone` as settings.job has them, and what is wrong."""
    raw: dict[str, Any] = {}
    faults: Faults = {}
    repeat = form.get("repeat", "recurring")
    if repeat == "none":
        return raw, faults
    if repeat == "cron":
        raw["schedule"] = form.get("cron")
        if not raw["schedule"]:
            faults["cron"] = Fault("cron_empty")
    elif repeat == "json":
        try:
            raw["recurrence"] = read_object(form.get("recurrence_json").encode())
        except NotAnObject as error:
            faults["recurrence_json"] = Fault("json", {"reason": error.reason})
    elif repeat == "once":
        raw["recurrence"] = _start(form, faults)
    else:
        raw["recurrence"] = _recurring(form, faults)
    timezone = form.get("timezone")
    if timezone:
        raw["timezone"] = timezone
        if zone(timezone) is None:
            faults["timezone"] = Fault("timezone")
    return raw, faults


def _start(form: Form, faults: Faults) -> dict[str, Any]:
    if form.get("start", "now") != "at":
        return {}
    return {"startTime": _moment(form, "start", faults)}


def _moment(form: Form, name: str, faults: Faults) -> str:
    on, at = day(form.get(f"{name}_date")), clock(form.get(f"{name}_time"))
    if on is None:
        faults[f"{name}_date"] = Fault("date")
    if at is None:
        faults[f"{name}_time"] = Fault("time")
    return "" if on is None or at is None else datetime.combine(on, at).isoformat()


def _recurring(form: Form, faults: Faults) -> dict[str, Any]:
    unit = form.get("unit", "day")
    raw: dict[str, Any] = {"frequency": unit}
    interval = whole(form.get("interval", "1"), 1, MAX_INTERVAL)
    if interval is None:
        faults["interval"] = Fault("number", {"low": 1, "high": MAX_INTERVAL})
    raw["interval"] = interval
    raw |= _start(form, faults)
    end = form.get("end", "never")
    if end == "at":
        raw["endTime"] = _moment(form, "end", faults)
    elif end == "after":
        raw["count"] = whole(form.get("count"), 1, MAX_COUNT)
        if raw["count"] is None:
            faults["count"] = Fault("number", {"low": 1, "high": MAX_COUNT})
    pattern = _days(form, unit, faults)
    for name, high in (("hours", 23), ("minutes", 59), ("seconds", 59)):
        if form.get(name):
            numbers = listed(form.get(name), 0, high)
            if numbers is None:
                faults[name] = Fault("numbers", {"low": 0, "high": high})
            pattern[name] = numbers
    if pattern:
        raw["schedule"] = pattern
    return raw


def _days(form: Form, unit: str, faults: Faults) -> dict[str, Any]:
    if unit == "week":
        days = [name for name in WEEK_DAYS if name in form.all("week_day")]
        return {"weekDays": days} if days else {}
    by = form.get("month_by", "start") if unit == "month" else "start"
    if by == "days":
        found = {int(text) for text in form.all("month_day") if whole(text, -31, 31)}
        if form.get("month_days_end"):
            more = listed(form.get("month_days_end"), -31, -1)
            if more is None:
                faults["month_days_end"] = Fault("numbers", {"low": -31, "high": -1})
            found |= set(more or ())
        if not found and not faults:
            faults["month_day"] = Fault("choose_day")
        return {"monthDays": sorted(found)}
    if by == "weekdays":
        which = [text for text in OCCURRENCES if text in form.all("occurrence")]
        days = [name for name in WEEK_DAYS if name in form.all("month_week_day")]
        if not which:
            faults["occurrence"] = Fault("choose_occurrence")
        if not days:
            faults["month_week_day"] = Fault("choose_day")
        pairs = [(name, text) for text in which for name in days]
        return {
            "monthlyOccurrences": [
                {"day": name} if text == "every" else {"day": name, "occurrence": int(text)}
                for name, text in pairs
            ]
        }
    return {}


def when_fields(settings: JobSettings) -> Fields:
    """The fields that say what settings say; as JSON where the form has no fields for it."""
    raw, recurrence = settings.raw, settings.recurrence
    fields: Fields = {"timezone": [str(raw.get("timezone") or settings.timezone or "")]}
    if raw.get("schedule") is not None:
        return {**fields, "repeat": ["cron"], "cron": [str(raw["schedule"])]}
    if raw.get("recurrence") is None:
        return {**fields, "repeat": ["none"]}
    if recurrence is not None:
        if recurrence.timezone is not None:
            fields["timezone"] = [recurrence.timezone]
        said = _said(recurrence)
        if said is not None:
            return {**fields, **said}
    text = json.dumps(raw["recurrence"], ensure_ascii=False, indent=2)
    return {**fields, "repeat": ["json"], "recurrence_json": [text]}


def _said(recurrence: Recurrence) -> Fields | None:
    fields: Fields = {"start": ["now"], "end": ["never"]}
    place = local_zone() if recurrence.timezone is None else zone(recurrence.timezone)
    for name, moment in (("start", recurrence.start_time), ("end", recurrence.end_time)):
        if moment is not None:
            if moment.tzinfo is not None:
                moment = wall(moment, place or local_zone())
            fields[name] = ["at"]
            fields[f"{name}_date"] = [f"{moment:%Y-%m-%d}"]
            fields[f"{name}_time"] = [clock_shown(moment)]
    if recurrence.frequency is None:
        return {**fields, "repeat": ["once"]}
    fields |= {
        "repeat": ["recurring"],
        "unit": [recurrence.frequency],
        "interval": [str(recurrence.interval)],
    }
    if recurrence.count is not None:
        if recurrence.end_time is not None:
            return None
        fields |= {"end": ["after"], "count": [str(recurrence.count)]}
    if recurrence.schedule is None:
        return fields
    days = _days_said(recurrence.schedule)
    return None if days is None else {**fields, **days}


def _days_said(pattern: Pattern) -> Fields | None:
    fields: Fields = {}
    for name in ("hours", "minutes", "seconds"):
        numbers = getattr(pattern, name)
        if numbers is not None:
            fields[name] = [shown(numbers)]
    if pattern.week_days is not None:
        fields["week_day"] = list(pattern.week_days)
    if pattern.month_days is not None:
        fields["month_by"] = ["days"]
        fields["month_day"] = [str(one) for one in pattern.month_days if one >= -1]
        fields["month_days_end"] = [shown(one for one in pattern.month_days if one < -1)]
    if pattern.monthly_occurrences is not None:
        pairs = {
            (one.day, "every" if one.occurrence is None else str(one.occurrence))
            for one in pattern.monthly_occurrences
        }
        days = {name for name, _ in pairs}
        which = {text for _, text in pairs}
        if not which <= set(OCCURRENCES) or len(pairs) != len(days) * len(which):
            return None
        if pattern.month_days is not None:
            return None
        fields["month_by"] = ["weekdays"]
        fields["occurrence"], fields["month_week_day"] = sorted(which), sorted(days)
    return fields
