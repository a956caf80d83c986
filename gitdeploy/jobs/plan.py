"""A recurrence's wall times: periods counted from the start, and what each period holds.

Periods (RFC 5545, 3.3.10, where Azure Scheduler's pages are silent): weeks begin on Monday; a
month without the day has no due time; hours and minutes that are given limit an hourly or
minutely recurrence and expand the longer ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta
from typing import NamedTuple

from gitdeploy.jobs.recurrence import WEEK_DAYS, Frequency, Pattern, Recurrence
from gitdeploy.jobs.shape import ALL_HOURS, ALL_MINUTES, ALL_MONTHS

Nth = tuple[int, int | None]

_DAY_MINUTES = 1440
# The calendar repeats after 400 years, a day after its minutes: what wasn't found in as many
# periods isn't found in more.
_MAX_EMPTY_MONTHS = 4800
_MAX_EMPTY_MINUTES = _DAY_MINUTES
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1, 1, 1)


class Sets(NamedTuple):
    """The same as a plan's periods, as sets that hold for every day (what NCRONTAB can say)."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A recurrence with everything filled in that it takes from its start (a naive wall time).

    Weekdays count from Monday = 0; empty `weekdays`, `month_days`, `nths` don't restrict.
    """

    frequency: Frequency
    interval: int
    start: datetime
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    weekdays: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    nths: tuple[Nth, ...] = ()

    def walk(self, behind: datetime) -> Iterator[datetime]:
        """The wall times behind one, from the start on, ascending."""
        behind = max(behind, self.start - timedelta(microseconds=1))
        if self.frequency in ("hour", "minute"):
            yield from self._walk_minutes(behind)
            return
        for day in self._days(behind.date()):
            yield from self._times(day, behind)

    def sets(self) -> Sets | None:
        """None where periods don't fit into a day or a year, or nothing is left."""
        hours, minutes, months = self.hours, self.minutes, ALL_MONTHS
        n, start = self.interval, self.start
        if self.frequency == "month":
            if 12 % n:
                return None
            months = tuple(m for m in ALL_MONTHS if (m - start.month) % n == 0)
        elif self.frequency == "hour" or (self.frequency == "minute" and n % 60 == 0):
            if self.frequency == "minute":
                n //= 60
                minutes = tuple(m for m in minutes if m == start.minute)
            if 24 % n:
                return None
            hours = tuple(h for h in hours if (h - start.hour) % n == 0)
        elif self.frequency == "minute":
            if 60 % n:
                return None
            minutes = tuple(m for m in minutes if (m - start.minute) % n == 0)
        elif n != 1:
            return None
        return Sets(self.seconds, minutes, hours, months) if hours and minutes else None

    def _times(self, day: date, behind: datetime) -> Iterator[datetime]:
        """A day's times behind one."""
        low = (0, 0, -1)
        if day == behind.date():
            low = (behind.hour, behind.minute, behind.second)
        for hour in self.hours[bisect_left(self.hours, low[0]) :]:
            first = low[1] if hour == low[0] else 0
            for minute in self.minutes[bisect_left(self.minutes, first) :]:
                at = low[2] if (hour, minute) == low[:2] else -1
                for second in self.seconds[bisect_right(self.seconds, at) :]:
                    yield datetime(day.year, day.month, day.day, hour, minute, second)

    def _days(self, first: date) -> Iterator[date]:
        """The days that have due times, from one on."""
        if self.frequency == "month":
            yield from self._month_days(first)
            return
        start = self.start.date()
        offsets: tuple[int, ...] = (0,)
        length = self.interval
        if self.frequency == "week":
            start -= timedelta(days=start.weekday())
            offsets = self.weekdays
            length *= 7
        period = (first - start).days // length
        while True:
            begin = start + timedelta(days=period * length)
            for offset in offsets:
                day = begin + timedelta(days=offset)
                if day >= first:
                    yield day
            period += 1

    def _month_days(self, first: date) -> Iterator[date]:
        start = self.start.year * 12 + self.start.month - 1
        period = (first.year * 12 + first.month - 1 - start) // self.interval
        empty = 0
        while empty < _MAX_EMPTY_MONTHS:
            year, month = divmod(start + period * self.interval, 12)
            if year > MAXYEAR:
                return
            days = self._of_month(year, month + 1)
            empty = 0 if days else empty + 1
            for number in days:
                day = date(year, month + 1, number)
                if day >= first:
                    yield day
            period += 1

    def _of_month(self, year: int, month: int) -> list[int]:
        """The numbers of a month's days that match, ascending."""
        weekday, length = monthrange(year, month)
        days = range(1, length + 1)
        found = {day if day > 0 else length + 1 + day for day in self.month_days or days}
        if self.nths:
            matching: set[int] = set()
            for which, nth in self.nths:
                named = days[(which - weekday) % 7 :: 7]
                if nth is None:
                    matching.update(named)
                elif abs(nth) <= len(named):
                    matching.add(named[nth - 1 if nth > 0 else nth])
            found &= matching
        return sorted(day for day in found if 1 <= day <= length)

    def _walk_minutes(self, behind: datetime) -> Iterator[datetime]:
        """Hours or minutes counted by the wall clock."""
        if self.frequency == "hour":
            start = self.start.replace(minute=0, second=0)
            length = 60 * self.interval
        else:
            start = self.start.replace(second=0)
            length = self.interval
        base = (start - _EPOCH) // _MINUTE
        period = ((behind - _EPOCH) // _MINUTE - base) // length
        hours, minutes = frozenset(self.hours), frozenset(self.minutes)
        empty = 0
        while empty < _MAX_EMPTY_MINUTES:
            at = base + period * length
            period += 1
            hour, minute = divmod(at % _DAY_MINUTES, 60)
            if hour not in hours or (self.frequency == "minute" and minute not in minutes):
                empty += 1
                continue
            empty = 0
            begin = _EPOCH + at * _MINUTE
            for number in self.minutes if self.frequency == "hour" else (minute,):
                for second in self.seconds:
                    time = begin.replace(minute=number, second=second)
                    if time > behind:
                        yield time


def plan_of(recurrence: Recurrence, start: datetime) -> Plan | None:
    """The plan of a recurrence that starts at a wall time; None for one that runs once.

    What isn't said is the start's ("if hours and/or minutes aren't set in the schedule, they
    default to the hours and/or minutes of the first execution"), but with minutes alone it is
    every hour (all examples there say so). Seconds are the start's only where nothing finer
    than an hour is said and the start was given.
    """
    frequency = recurrence.frequency
    if frequency is None:
        return None
    given = recurrence.schedule or Pattern()
    fine = given.minutes is not None or (
        recurrence.schedule is not None and recurrence.start_time is None
    )
    seconds = given.seconds or ((0,) if fine else (start.second,))
    minutes = given.minutes or (ALL_MINUTES if frequency == "minute" else (start.minute,))
    every_hour = given.minutes is not None or frequency in ("minute", "hour")
    hours = given.hours or (ALL_HOURS if every_hour else (start.hour,))
    weekdays: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    nths: tuple[Nth, ...] = ()
    if frequency == "week":
        named = given.week_days
        weekdays = tuple(WEEK_DAYS.index(day) for day in named) if named else (start.weekday(),)
    elif frequency == "month":
        month_days = given.month_days or ()
        nths = tuple(
            (WEEK_DAYS.index(each.day), each.occurrence) for each in given.monthly_occurrences or ()
        )
        if not month_days and not nths:
            month_days = (start.day,)
    return Plan(
        frequency,
        recurrence.interval,
        start,
        seconds,
        minutes,
        hours,
        weekdays,
        month_days,
        nths,
    )
