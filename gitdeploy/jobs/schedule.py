"""When a job is due: one interface for both spellings, and the NCRONTAB one.

Day and day of week must both match (kudu.md). The wall clock of the zone decides: a time that
doesn't exist (clocks go forward) is due at the first instant behind the gap, a time that comes
twice (clocks go back) is due the first time only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import cast

from cronsim import CronSim

from gitdeploy.jobs.clocknotes import clock_notes
from gitdeploy.jobs.cronfields import FIELDS, Item, parse_field, split
from gitdeploy.jobs.errors import ScheduleError
from gitdeploy.jobs.sentences import Language, sentence
from gitdeploy.jobs.shape import Shape, shape_of_items
from gitdeploy.jobs.wallclock import instant, resume
from gitdeploy.jobs.zones import local_zone, zone

_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Within 28 years from 2000 on every date meets every day of the week: what didn't match by
# then never does.
_REFERENCE = datetime(2000, 1, 1)


class Schedule(ABC):
    """When a job is due. `Ncrontab` and `RecurrenceSchedule` are the two kinds.

    `timezone` is the IANA name as it was given, None for the server's local zone; `zone` what it
    stands for.
    """

    __slots__ = ()
    timezone: str | None
    zone: tzinfo

    @staticmethod
    def parse(expression: str, timezone: str | None = None) -> Ncrontab:
        """Read an NCRONTAB expression; `timezone` is an IANA name, None the server's local zone.

        Raises ScheduleError: syntax, a value out of its range, a zone that isn't known, an
        expression that never matches.
        """
        return Ncrontab.read(expression, timezone)

    @abstractmethod
    def next(self, after: datetime) -> datetime | None:
        """The first due time behind `after` (aware), in the schedule's zone; None where there is
        none any more.
        """

    def occurrences(self, after: datetime, count: int) -> list[datetime]:
        """The first `count` due times behind `after`; fewer where the schedule ends."""
        found: list[datetime] = []
        while len(found) < count:
            due = self.next(found[-1] if found else after)
            if due is None:
                break
            found.append(due)
        return found

    def describe(self, language: Language = "en") -> str:
        """One sentence for people, with the zone."""
        return sentence(self.shape(), language)

    def notes(self, after: datetime, until: datetime, language: Language = "en") -> list[str]:
        """What changes of the clocks do to due times behind `after` and up to `until`, a
        sentence each; at most ten years are looked at.
        """
        return clock_notes(self, after, until, language)

    @abstractmethod
    def shape(self) -> Shape:
        """What the sentence is made of."""

    @abstractmethod
    def walk(self, behind: datetime) -> Iterator[datetime]:
        """The wall times (naive, ascending) behind one, whether they exist in the zone or not."""

    @abstractmethod
    def holds(self, due: datetime) -> bool:
        """Whether an instant lies between the schedule's start and end."""


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
class Ncrontab(Schedule):
    """A parsed expression; make it with `Schedule.parse`."""

    expression: str
    timezone: str | None
    zone: tzinfo
    items: tuple[frozenset[Item], ...]

    @classmethod
    def read(cls, expression: str, timezone: str | None) -> Ncrontab:
        """See Schedule.parse."""
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
        after = after.astimezone(UTC)
        try:
            for naive in self.walk(resume(after, self.zone)):
                due = instant(naive, self.zone)
                if due > after:
                    return due.astimezone(self.zone)
        except OverflowError:
            pass  # the end of the calendar
        return None

    def shape(self) -> Shape:
        return shape_of_items(self.items, self.timezone, self.zone)

    def walk(self, behind: datetime) -> Iterator[datetime]:
        return iter(_Walk(self.items, behind))

    def holds(self, due: datetime) -> bool:
        return True


def _may_match(items: tuple[frozenset[Item], ...]) -> bool:
    """Whether some month has one of the days; spares the walk through 50 years."""
    days = [day for day in items[3] if isinstance(day, int)]
    months = [month for month in items[4] if isinstance(month, int)]
    return min(days) <= max(_MONTH_LENGTHS[month - 1] for month in months)
