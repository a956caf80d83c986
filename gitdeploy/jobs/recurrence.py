"""A recurrence: what the WebJobs portal and Azure Scheduler offered, as data in their spelling.

Names, values and meaning: "Build advanced schedules and recurrences for jobs in Azure Scheduler"
(MicrosoftDocs/azure-docs, articles/scheduler/scheduler-advanced-complexity.md). Encoded as JSON a
Recurrence is what Scheduler's REST API took, with `startTime` inside as Logic Apps have it.
Ours: `timezone`, `seconds`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Frequency = Literal["minute", "hour", "day", "week", "month"]
WeekDay = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

WEEK_DAYS: tuple[WeekDay, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


class MonthlyOccurrence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A weekday of a month: the `occurrence`-th, from the end if negative, each if None."""

    day: WeekDay
    occurrence: int | None = None


class Pattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A recurrence's `schedule`: it expands or limits what the frequency gives.

    None doesn't say anything; all that is said must match together. `month_days` count from the
    end if negative (-1 is the last day).
    """

    seconds: tuple[int, ...] | None = None
    minutes: tuple[int, ...] | None = None
    hours: tuple[int, ...] | None = None
    week_days: tuple[WeekDay, ...] | None = None
    month_days: tuple[int, ...] | None = None
    monthly_occurrences: tuple[MonthlyOccurrence, ...] | None = None


class Recurrence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """When a job is due: once (no `frequency`), or every `interval` units from the start on.

    `start_time` and `end_time` without an offset are wall times of `timezone` (an IANA name, None
    the server's local zone). Without a start it starts when it is first seen. It ends with the
    first of `end_time` (a due time then still counts) and `count` due times, or never.
    """

    frequency: Frequency | None = None
    interval: int = 1
    start_time: datetime | None = None
    end_time: datetime | None = None
    count: int | None = None
    schedule: Pattern | None = None
    timezone: str | None = None
