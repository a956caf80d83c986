"""When a job with a recurrence is due.

Meaning: Azure Scheduler's pages (recurrence.py names them). The interval counts from the start.
Without a start it starts when it is first seen: the second behind the `anchor`. Due times up to
the anchor are past and don't count ("any instances in the past are discarded").

Every N minutes or hours is real time that passes: clocks set back or forward don't matter to it.
Everything else is the wall clock of the zone, as for NCRONTAB.

Differently here: a recurrence with a `schedule` and without a start doesn't also run at once, and
a single due time that was more than ten minutes ago when it was first seen doesn't run: settings
in git are seen anew by each server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property

from gitdeploy.jobs.errors import ScheduleError
from gitdeploy.jobs.job import JobSettings
from gitdeploy.jobs.plan import Plan, plan_of
from gitdeploy.jobs.recurrence import Recurrence
from gitdeploy.jobs.schedule import Schedule
from gitdeploy.jobs.shape import Shape, zone_name
from gitdeploy.jobs.wallclock import SECOND, instant, resume, wall
from gitdeploy.jobs.zones import local_zone, zone

LATE = timedelta(minutes=10)
"""A single due time that was missed by at most this runs at once (kudu.md)."""
_TICK = timedelta(microseconds=1)
_LENGTHS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


def schedule_of(settings: JobSettings, anchor: datetime) -> Schedule | None:
    """The schedule that settings ask for, if any; `anchor` is when it was first seen (aware).

    Raises ScheduleError where an expression or a zone isn't valid (any more).
    """
    if settings.recurrence is not None:
        return RecurrenceSchedule.of(settings.recurrence, anchor, settings.timezone)
    if settings.schedule is not None:
        return Schedule.parse(settings.schedule, settings.timezone)
    return None


@dataclass(frozen=True)
class RecurrenceSchedule(Schedule):
    """A recurrence tied to the time it was first seen; make it with `of`.

    `start` is where it counts from, `earliest` the first instant at which it may be due, `end`
    the last (UTC).
    """

    recurrence: Recurrence
    timezone: str | None
    zone: tzinfo
    start: datetime
    earliest: datetime
    end: datetime | None
    plan: Plan | None

    @classmethod
    def of(
        cls, recurrence: Recurrence, anchor: datetime, timezone: str | None = None
    ) -> RecurrenceSchedule:
        """`timezone` counts where the recurrence names none. Raises ScheduleError."""
        name = recurrence.timezone if recurrence.timezone is not None else timezone
        place = local_zone() if name is None else zone(name)
        if place is None:
            raise ScheduleError(
                position=0,
                field="timezone",
                reason=f"{name!r} isn't a time zone",
                fix="Write an IANA name such as Europe/Berlin or Asia/Seoul.",
            )
        earliest = anchor.astimezone(UTC).replace(microsecond=0) + SECOND
        start, shown = earliest, wall(earliest, place)
        given = recurrence.start_time
        if given is not None:
            start = _instant(given, place)
            shown = given if given.tzinfo is None else wall(start, place)
            if recurrence.frequency is None and earliest - LATE <= start < earliest:
                start = earliest
        end = recurrence.end_time
        return cls(
            recurrence=recurrence,
            timezone=name,
            zone=place,
            start=start,
            earliest=max(start, earliest),
            end=_instant(end, place) if end is not None else None,
            plan=plan_of(recurrence, shown),
        )

    def next(self, after: datetime) -> datetime | None:
        try:
            due = self._behind(max(after.astimezone(UTC), self.earliest - _TICK))
        except OverflowError:  # the end of the calendar
            return None
        return due.astimezone(self.zone) if due is not None and self.holds(due) else None

    def walk(self, behind: datetime) -> Iterator[datetime]:
        if self.plan is not None and not self._elapsed:
            yield from self.plan.walk(behind)
        given = self.recurrence.start_time
        if self.plan is None and given is not None and given.tzinfo is None and given > behind:
            yield given

    def holds(self, due: datetime) -> bool:
        if not self.earliest <= due or (self.end is not None and due > self.end):
            return False
        return self.recurrence.count is None or (self._last is not None and due <= self._last)

    def shape(self) -> Shape:
        given = self.recurrence
        name = zone_name(self.timezone, self.zone)
        start = wall(self.start, self.zone)
        if self.plan is None or given.frequency is None:
            return Shape(zone=name, once=True, start=start)
        plan = self.plan
        sets = plan.sets()
        every = (given.frequency, given.interval)
        counted = self._elapsed or sets is None or given.interval > 1
        return Shape(
            zone=name,
            seconds=plan.seconds,
            minutes=sets.minutes if sets else plan.minutes,
            hours=sets.hours if sets else plan.hours,
            month_days=tuple(sorted(plan.month_days, key=lambda day: (day < 0, day))),
            weekdays=() if len(plan.weekdays) == 7 and given.interval == 1 else plan.weekdays,
            nths=tuple(sorted(plan.nths, key=lambda nth: ((nth[1] or 0) < 0, nth[1] or 0, nth[0]))),
            months=sets.months if sets else Shape(zone=name).months,
            every=every if self._elapsed or sets is None else None,
            elapsed=self._elapsed,
            start=start if counted or given.start_time is not None else None,
            end=wall(self.end, self.zone) if self.end is not None else None,
            count=given.count,
        )

    @property
    def _elapsed(self) -> bool:
        return self.recurrence.frequency in _LENGTHS and self.recurrence.schedule is None

    def _behind(self, bound: datetime) -> datetime | None:
        """The first due time behind an instant, without regard to the end."""
        if bound < self.start and self.recurrence.schedule is None:
            return self.start
        if self.plan is None:
            return None
        if self._elapsed:
            length = _LENGTHS[self.plan.frequency] * self.plan.interval
            return self.start + ((bound - self.start) // length + 1) * length
        for naive in self.plan.walk(resume(bound, self.zone)):
            due = instant(naive, self.zone)
            if due > bound:
                return due
        return None

    @cached_property
    def _last(self) -> datetime | None:
        """The last of `count` due times; None where there is none at all."""
        last: datetime | None = None
        bound = self.earliest - _TICK
        for _ in range(self.recurrence.count or 0):
            due = self._behind(bound)
            if due is None:
                break
            last = bound = due
        return last


def _instant(time: datetime, place: tzinfo) -> datetime:
    return instant(time, place) if time.tzinfo is None else time.astimezone(UTC)
