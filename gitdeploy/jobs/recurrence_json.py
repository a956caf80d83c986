"""A recurrence out of JSON, checked; what Azure Scheduler took is taken.

Lists may be single values, words are in any case. `timeZone` (Logic Apps) is `timezone`. Refused
as there: week days without a weekly frequency, month days and monthly occurrences without a
monthly one. Beyond it: `interval` to 1000 for every frequency, `count` and `endTime` together
(the first of both ends it: scheduler-concepts-terms.md), `weekDays` empty never.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, cast, get_args

from gitdeploy.jobs.checks import (
    expect_choice,
    expect_integer,
    expect_object,
    expect_text,
    known_keys,
    refuse,
)
from gitdeploy.jobs.recurrence import (
    WEEK_DAYS,
    Frequency,
    MonthlyOccurrence,
    Pattern,
    Recurrence,
    WeekDay,
)
from gitdeploy.jobs.wallclock import instant
from gitdeploy.jobs.zones import local_zone, zone

MAX_INTERVAL = 1000
MAX_COUNT = 10_000
_KEYS = ("frequency", "interval", "startTime", "endTime", "count", "schedule", "timezone")
_LISTS = ("seconds", "minutes", "hours", "weekDays", "monthDays", "monthlyOccurrences")
_EXAMPLE = '{"frequency": "day", "interval": 1, "schedule": {"hours": [2], "minutes": [30]}}'
_FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)

Given = dict[str, tuple[str, Any]]


def parse_recurrence(
    value: Any, *, timezone: str | None = None, key: str = "recurrence"
) -> Recurrence:
    """Read a recurrence; `timezone` is the one beside it, `key` what errors call it.

    Raises SettingError.
    """
    given = known_keys(key, expect_object(key, value, _EXAMPLE), _KEYS, {"timeZone": "timezone"})
    place = _timezone(given, timezone)
    start, end = _time(given, "startTime"), _time(given, "endTime")
    if "frequency" not in given:
        for name in ("interval", "count", "schedule", "endTime"):
            if name in given:
                reason = 'it needs a "frequency"; without one a job runs once'
                raise refuse(*given[name], reason, 'Write "frequency": "day", or remove it.')
        return Recurrence(start_time=start, timezone=place)
    frequency = _frequency(*given["frequency"])
    if start is not None and end is not None:
        wall = (local_zone() if place is None else zone(place)) or local_zone()
        first, last = (instant(t, wall) if t.tzinfo is None else t for t in (start, end))
        if last < first:
            raise refuse(*given["endTime"], "it is before startTime", "Write a later time.")
    return Recurrence(
        frequency=frequency,
        interval=_integer(given, "interval", MAX_INTERVAL) or 1,
        start_time=start,
        end_time=end,
        count=_count(given),
        schedule=_pattern(frequency, *given["schedule"]) if "schedule" in given else None,
        timezone=place,
    )


def _timezone(given: Given, beside: str | None) -> str | None:
    if "timezone" not in given:
        return beside
    path, value = given["timezone"]
    name = expect_text(path, value)
    if zone(name) is None:
        fix = "Write an IANA name such as Europe/Berlin or Asia/Seoul."
        raise refuse(path, value, "it isn't a time zone", fix)
    if beside is not None and beside != name:
        raise refuse(path, value, f"the time zone beside it is {beside}", "Write one of them.")
    return name


def _frequency(path: str, value: Any) -> Frequency:
    word = value.strip().lower() if isinstance(value, str) else value
    if word == "year":
        reason = "years aren't counted here"
        raise refuse(path, value, reason, 'Write "frequency": "month", "interval": 12.')
    if word == "second":
        fix = 'Write "minute" and in "schedule" the "seconds" of a minute.'
        raise refuse(path, value, "seconds aren't counted here", fix)
    return cast(Frequency, expect_choice(path, value, _FREQUENCIES))


def _integer(given: Given, name: str, high: int) -> int | None:
    return expect_integer(*given[name], 1, high) if name in given else None


def _count(given: Given) -> int | None:
    if "count" not in given:
        return None
    path, value = given["count"]
    if isinstance(value, int) and value > MAX_COUNT:
        raise refuse(path, value, f"it is above {MAX_COUNT}", 'Write an "endTime" in its place.')
    return expect_integer(path, value, 1, MAX_COUNT)


def _time(given: Given, name: str) -> datetime | None:
    """ISO 8601, a date alone is its midnight; seconds are the finest unit."""
    if name not in given:
        return None
    path, value = given[name]
    try:
        time = datetime.fromisoformat(expect_text(path, value).strip())
        if time.tzinfo is not None:
            time.astimezone(zone("UTC"))
            time.utctimetuple()
    except (ValueError, OverflowError):
        fix = 'Write ISO 8601, as in "2026-11-23T21:20:39+09:00".'
        raise refuse(path, value, "it isn't a date and time", fix) from None
    if not 1900 <= time.year <= 9000 or (time.utcoffset() or timedelta()) % timedelta(seconds=1):
        raise refuse(path, value, "it isn't between the years 1900 and 9000", "Mend the year.")
    return time.replace(microsecond=0)


def _pattern(frequency: Frequency, path: str, value: Any) -> Pattern | None:
    given = known_keys(path, expect_object(path, value, '{"hours": [2]}'), _LISTS)
    _fits(frequency, given, "weekDays", "week")
    _fits(frequency, given, "monthDays", "month")
    _fits(frequency, given, "monthlyOccurrences", "month")
    if "seconds" in given and "minutes" not in given and frequency != "minute":
        reason = '"seconds" need "minutes" beside them'
        raise refuse(*given["seconds"], reason, 'Write "minutes" too, as in [0].')
    if not given:
        return None
    return Pattern(
        seconds=_numbers(given, "seconds", 0, 59),
        minutes=_numbers(given, "minutes", 0, 59),
        hours=_numbers(given, "hours", 0, 23),
        week_days=_week_days(given),
        month_days=_month_days(given),
        monthly_occurrences=_occurrences(given),
    )


def _fits(frequency: Frequency, given: Given, name: str, needed: Literal["week", "month"]) -> None:
    if name in given and frequency != needed:
        reason = f'it needs "frequency": "{needed}"'
        raise refuse(*given[name], reason, f'Write "frequency": "{needed}", or remove it.')


def _items(given: Given, name: str) -> list[tuple[str, Any]]:
    """The members of a list with their paths; a single value is a list of one."""
    path, value = given[name]
    if not isinstance(value, list | tuple):
        return [(path, value)]
    if not value:
        raise refuse(path, value, "it is empty, so nothing would ever match", "Remove it.")
    return [(f"{path}[{index}]", item) for index, item in enumerate(value)]


def _numbers(given: Given, name: str, low: int, high: int) -> tuple[int, ...] | None:
    if name not in given:
        return None
    return tuple(sorted({expect_integer(*item, low, high) for item in _items(given, name)}))


def _week_days(given: Given) -> tuple[WeekDay, ...] | None:
    if "weekDays" not in given:
        return None
    named = {expect_choice(*item, WEEK_DAYS) for item in _items(given, "weekDays")}
    return tuple(day for day in WEEK_DAYS if day in named)


def _month_days(given: Given) -> tuple[int, ...] | None:
    days = _numbers(given, "monthDays", -31, 31)
    if days is not None and 0 in days:
        fix = "Write 1 for the first day, -1 for the last."
        raise refuse(*given["monthDays"], "a month has no day 0", fix)
    return days


def _occurrences(given: Given) -> tuple[MonthlyOccurrence, ...] | None:
    if "monthlyOccurrences" not in given:
        return None
    found: dict[MonthlyOccurrence, None] = {}
    for path, value in _items(given, "monthlyOccurrences"):
        example = '{"day": "friday", "occurrence": -1}'
        inner = known_keys(path, expect_object(path, value, example), ("day", "occurrence"))
        if "day" not in inner:
            raise refuse(path, value, '"day" is missing', f"Write {example}.")
        which = None
        if "occurrence" in inner:
            which = expect_integer(*inner["occurrence"], -5, 5)
            if which == 0:
                fix = "Write 1 to 5 from the beginning of the month, -1 to -5 from its end."
                raise refuse(*inner["occurrence"], "there is no occurrence 0", fix)
        day = cast(WeekDay, expect_choice(*inner["day"], WEEK_DAYS))
        found[MonthlyOccurrence(day=day, occurrence=which)] = None
    return tuple(found)
