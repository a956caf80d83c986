"""One job's schedule as the scheduler follows it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from gitdeploy.clock import to_datetime
from gitdeploy.jobs import JobSettings, Schedule, schedule_of
from gitdeploy.supervise.overdue import next_due


class Wish(NamedTuple):
    """A job that asks for runs by schedule; while its app is `asleep` they wait."""

    job: str
    settings: JobSettings
    asleep: bool = False

    @property
    def spelling(self) -> str:
        """The schedule as text: what it is compared by."""
        settings = self.settings
        told = (settings.schedule, settings.timezone, settings.recurrence)
        return msgspec.json.encode(told).decode()


class Plan:
    """A schedule and how far it was followed: `due` is the next due time behind `after`.

    Points in time are microseconds. Raises ScheduleError where the schedule isn't valid (any
    more: a zone may have gone since it was checked).
    """

    def __init__(self, app: str, wish: Wish, *, anchor: int, after: int) -> None:
        schedule = schedule_of(wish.settings, to_datetime(anchor))
        assert schedule is not None, "only jobs with a schedule are wished for"
        self.app = app
        self.wish = wish
        self.schedule: Schedule = schedule
        self.after = after
        self.due = next_due(schedule, after)

    @property
    def job(self) -> str:
        return self.wish.job

    def move(self, after: int) -> None:
        """Everything up to `after` was dealt with."""
        self.after = after
        self.due = next_due(self.schedule, after)

    @property
    def trigger(self) -> str:
        """What a run by this schedule is recorded with (Kudu's text)."""
        expression = self.wish.settings.schedule
        return f"Schedule - {self.schedule.describe() if expression is None else expression}"
