"""What a schedule's sentence is made of, the same for both spellings and every language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim

from gitdeploy.jobs.cronfields import Item

ALL_SECONDS = tuple(range(60))
ALL_MINUTES = ALL_SECONDS
ALL_HOURS = tuple(range(24))
ALL_MONTHS = tuple(range(1, 13))
_MAX_CLOCK_TIMES = 6

Unit = Literal["minute", "hour", "day", "week", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The times of a day, the days, the bounds.

    Weekdays count from Monday = 0. `month_days` are negative from the end, `last_weekday` is the
    last one of Monday to Friday. Empty `weekdays`, `month_days`, `nths` don't restrict; all that
    is given must match together. `nths` are (weekday, which), negative from the end, None for
    each. `every` is the unit and interval where the interval isn't 1; `elapsed` means that only
    it counts, not the wall clock. `start` and `end` are wall times of the zone.
    """

    zone: str
    seconds: tuple[int, ...] = (0,)
    minutes: tuple[int, ...] = (0,)
    hours: tuple[int, ...] = (0,)
    month_days: tuple[int, ...] = ()
    last_weekday: bool = False
    weekdays: tuple[int, ...] = ()
    nths: tuple[tuple[int, int | None], ...] = ()
    months: tuple[int, ...] = ALL_MONTHS
    every: tuple[Unit, int] | None = None
    elapsed: bool = False
    once: bool = False
    start: datetime | None = None
    end: datetime | None = None
    count: int | None = None

    @property
    def clock_times(self) -> list[tuple[int, int, int]]:
        """The times of the day, where they are few enough to be listed; else none."""
        if len(self.hours) * len(self.minutes) * len(self.seconds) > _MAX_CLOCK_TIMES:
            return []
        return [(h, m, s) for h in self.hours for m in self.minutes for s in self.seconds]


def shape_of_items(items: tuple[frozenset[Item], ...], timezone: str | None, zone: tzinfo) -> Shape:
    """The shape of an NCRONTAB expression's six sets."""
    seconds, minutes, hours, _, months, _ = (
        tuple(sorted(item for item in field if isinstance(item, int))) for field in items
    )
    days = [day for day in items[3] if isinstance(day, int)]
    every_day = len([day for day in days if day > 0]) == 31
    numbers = {(item + 6) % 7 for item in items[5] if isinstance(item, int)}
    nths = [
        ((item[0] + 6) % 7, -1 if item[1] == CronSim.LAST else item[1])
        for item in items[5]
        if isinstance(item, tuple)
    ]
    nths.sort(key=lambda nth: (nth[1] < 0, nth[1], nth[0]))
    which: list[tuple[int, int | None]] = [(day, None) for day in sorted(numbers)] if nths else []
    which += nths
    last = [-1] if CronSim.LAST in days else []
    return Shape(
        zone=zone_name(timezone, zone),
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        month_days=() if every_day else (*sorted(day for day in days if day > 0), *last),
        last_weekday=CronSim.LAST_WEEKDAY in days and not every_day,
        weekdays=() if nths or len(numbers) == 7 else tuple(sorted(numbers)),
        nths=() if len(numbers) == 7 else tuple(which),
        months=months,
    )


def zone_name(timezone: str | None, zone: tzinfo) -> str:
    """How a zone is called: as it was given, else the name of the server's own."""
    if timezone is not None:
        return timezone
    return (zone.key if isinstance(zone, ZoneInfo) else None) or str(zone)


def step(values: tuple[int, ...], size: int) -> tuple[int, int] | None:
    """(step, first) of values that are evenly spread over a cycle of `size`, at least two."""
    if len(values) < 2 or size % len(values):
        return None
    width = size // len(values)
    if all(value == values[0] + n * width for n, value in enumerate(values)) and values[0] < width:
        return width, values[0]
    return None


def runs(values: tuple[int, ...]) -> list[tuple[int, int]]:
    """The values as spans (first, last); two in a row stay two."""
    spans: list[tuple[int, int]] = []
    for value in values:
        if spans and value == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], value)
        else:
            spans.append((value, value))
    split: list[tuple[int, int]] = []
    for first, last in spans:
        split += [(first, first), (last, last)] if last == first + 1 else [(first, last)]
    return split


def is_span(values: tuple[int, ...]) -> bool:
    """Whether the values follow one another, three or more."""
    return len(values) > 2 and values[-1] - values[0] == len(values) - 1
