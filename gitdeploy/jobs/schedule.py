"""When a job is due: an NCRONTAB expression in a time zone.

Day and day of week must both match (kudu.md). The wall clock of the zone decides: a time that
doesn't exist (clocks go forward) is due at the first instant behind the gap, a time that comes
twice (clocks go back) is due the first time only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast

from cronsim import CronSim

from gitdeploy.jobs.cronfields import FIELDS, Item, parse_field, split
from gitdeploy.jobs.errors import ScheduleError
from gitdeploy.jobs.zones import local_zone, zone

_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Within 28 years from 2000 on every date meets every day of the week: what didn't match by
# then never does.
_REFERENCE = datetime(2000, 1, 1)
_SECOND = timedelta(seconds=1)


class _Walk(CronSim):
    """cronsim's walk over naive local times, with our parser's sets and both day fields needed."""

    def __init__(self, items: tuple[frozenset[Item], ...], after: datetime) -> None:
        # not super().__init__: it would parse, and decide day_and by Vixie's rule
        self.dt = after.replace(microsecond=0)
        self.skip_initial_tick = False
        self.tick_direction = 1
        self.fixup_tz = None
        self.day_and = True
        numbers = cast("tuple[set[int], ...]", items)
        self.seconds, self.minutes, self.hours, self.days, self.months = numbers[:5]
        self.weekdays = cast("set[Item]", items[5])


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed expression; make it with `parse`."""

    expression: str
    timezone: str | None
    zone: tzinfo
    items: tuple[frozenset[Item], ...]

    @classmethod
    def parse(cls, expression: str, timezone: str | None = None) -> Schedule:
        """Read an expression; `timezone` is an IANA name, None the server's local zone.

        Raises ScheduleError: syntax, a value out of its range, a zone that isn't known, an
        expression that never matches.
        """
        place = local_zone() if timezone is None else zone(timezone)
        if place is None:
            raise ScheduleError(
                position=0,
                field="timezone",
                reason=f"{timezone!r} isn't a time zone",
                fix="Write an IANA name such as Europe/Berlin or Asia/Seoul.",
            )
        words = split(expression)
        items = tuple(
            frozenset(parse_field(f, word)) for f, word in zip(FIELDS, words, strict=True)
        )
        if not _may_match(items) or next(_Walk(items, _REFERENCE), None) is None:
            raise ScheduleError(
                position=words[3].position,
                field="day",
                reason="no day ever matches day, month and day of week together",
                fix="Mend the day (L is a month's last day) or leave * in one of these fields.",
            )
        return cls(expression, timezone, place, items)

    def next(self, after: datetime) -> datetime | None:
        """The first due time behind `after` (aware), in the schedule's zone; None at the end of
        the calendar.
        """
        try:
            local = after.astimezone(self.zone)
            start = local.replace(tzinfo=None, fold=0)
            if local.fold:
                # the hour comes for the second time: all its times were due the first time
                start = _end_of_repetition(local) - _SECOND
            for naive in _Walk(self.items, start):
                due = _instant(naive, self.zone)
                if due > after:
                    return due.astimezone(self.zone)
        except OverflowError:
            pass
        return None

    def describe(self) -> str:
        """One line for people: the fields that restrict, and the zone."""
        words = split(self.expression)
        parts = [
            f"{field.name} {word.text}"
            for field, word in zip(FIELDS, words, strict=True)
            if word.text != "*"
        ]
        where = self.timezone or "local time"
        return f"{', '.join(parts) or 'every second'} ({where})"


def _may_match(items: tuple[frozenset[Item], ...]) -> bool:
    """Whether some month has one of the days; spares the walk through 50 years."""
    days = [day for day in items[3] if isinstance(day, int)]
    months = [month for month in items[4] if isinstance(month, int)]
    return min(days) <= max(_MONTH_LENGTHS[month - 1] for month in months)


def _instant(naive: datetime, place: tzinfo) -> datetime:
    """The instant (UTC) at which the zone's clocks first show this time, or pass over it."""
    first = naive.replace(tzinfo=place).astimezone(UTC)
    if first.astimezone(place).replace(tzinfo=None, fold=0) == naive:
        return first
    # in a gap: PEP 495 takes the offset before it for fold=0 and the one behind it for fold=1
    early = naive.replace(tzinfo=place, fold=1).astimezone(UTC)
    return _transition(early, first, place)


def _end_of_repetition(local: datetime) -> datetime:
    """The naive time up to which clocks had come when they were set back before `local`."""
    here = local.astimezone(UTC)
    first = local.replace(fold=0).astimezone(UTC)
    change = _transition(first, here, local.tzinfo or UTC)
    offset = local.replace(fold=0).utcoffset() or timedelta()
    return change.replace(tzinfo=None) + offset


def _transition(before: datetime, behind: datetime, place: tzinfo) -> datetime:
    """The instant between two (UTC) at which the zone's offset changes; it does so once."""
    offset = before.astimezone(place).utcoffset()
    low, high = before.replace(microsecond=0), behind.replace(microsecond=0)
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(place).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
