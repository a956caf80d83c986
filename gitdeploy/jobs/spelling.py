"""Translation between the two spellings of a schedule, where one can say what the other says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cronsim import CronSim
from msgspec.structs import replace

from gitdeploy.jobs.cronfields import FIELDS, Field, Item
from gitdeploy.jobs.errors import ScheduleError
from gitdeploy.jobs.plan import Plan, plan_of
from gitdeploy.jobs.recurrence import (
    WEEK_DAYS,
    Frequency,
    MonthlyOccurrence,
    Pattern,
    Recurrence,
)
from gitdeploy.jobs.recurring import RecurrenceSchedule
from gitdeploy.jobs.schedule import Schedule
from gitdeploy.jobs.shape import ALL_HOURS, runs, step
from gitdeploy.jobs.wallclock import is_fixed

# Two starts that have nothing in common: what is the same for both doesn't depend on the start.
_STARTS = (datetime(2001, 1, 1, 0, 0, 0), datetime(2001, 2, 6, 1, 1, 1))
# Stands for an anchor where the start is given: what is said doesn't depend on it then.
_ANY_TIME = datetime(2001, 1, 1, tzinfo=UTC)
_FIRST_YEAR = 1970


def to_ncrontab(recurrence: Recurrence, anchor: datetime | None = None) -> str | None:
    """The expression that says the same from the recurrence's start on, or None.

    An expression has no start, no end, no count; so none for a recurrence that ends. `anchor` is
    when it was first seen: without it none for one that takes something from its start and has
    none. Every N minutes is real time, so it is said only in zones whose clocks aren't changed.
    """
    if recurrence.frequency is None or recurrence.count is not None:
        return None
    if recurrence.end_time is not None:
        return None
    elapsed = recurrence.frequency in ("minute", "hour") and recurrence.schedule is None
    if recurrence.start_time is None and anchor is None:
        if elapsed and recurrence.interval > 1:
            return None
        said = {_expression(plan_of(recurrence, start)) for start in _STARTS}
        return said.pop() if len(said) == 1 and not elapsed else None
    schedule = RecurrenceSchedule.of(recurrence, anchor or _ANY_TIME)
    if elapsed and not is_fixed(schedule.zone, schedule.start):
        return None
    return _expression(schedule.plan)


def from_ncrontab(expression: str, timezone: str | None = None) -> Recurrence | None:
    """The recurrence that says the same, or None. Raises ScheduleError for what is no expression.

    Months at the same distance all year round become an interval of months, counted from 1970.
    """
    schedule = Schedule.parse(expression, timezone)
    seconds, minutes, hours, _, months, _ = (
        tuple(sorted(item for item in field if isinstance(item, int))) for field in schedule.items
    )
    days, weekdays = schedule.items[3], schedule.items[5]
    interval, first = step(tuple(month - 1 for month in months), 12) or (12, months[0] - 1)
    if len(months) * interval != 12 or CronSim.LAST_WEEKDAY in days:
        return None
    times = Pattern(
        seconds=None if seconds == (0,) else seconds,
        minutes=minutes,
        hours=None if hours == ALL_HOURS else hours,
    )
    numbers = tuple(sorted(day for day in days if isinstance(day, int) and day > 0))
    if CronSim.LAST in days and len(numbers) < 31:
        numbers = (-1, *numbers)
    named = _occurrences(weekdays)
    plain = [each.day for each in named if each.occurrence is None]
    frequency: Frequency = "month"
    if interval == 1 and len(numbers) == 31 and len(plain) == len(named):
        frequency = "day" if len(plain) == 7 else "week"
        pattern = replace(times, week_days=tuple(plain) if len(plain) < 7 else None)
    else:
        whole = len(numbers) == 31 and len(plain) < 7
        pattern = replace(
            times,
            month_days=None if whole else numbers,
            monthly_occurrences=tuple(named) if len(plain) < 7 else None,
        )
    return Recurrence(
        frequency=frequency,
        interval=interval,
        start_time=datetime(_FIRST_YEAR, first + 1, 1) if interval > 1 else None,
        schedule=pattern,
        timezone=timezone,
    )


def _occurrences(items: Iterable[Item]) -> list[MonthlyOccurrence]:
    """The days of the week, each of the month or the nth, as a recurrence has them."""
    found = {((item + 6) % 7, 0) for item in items if isinstance(item, int)}
    found |= {
        ((item[0] + 6) % 7, -1 if item[1] == CronSim.LAST else item[1])
        for item in items
        if isinstance(item, tuple)
    }
    return [
        MonthlyOccurrence(day=WEEK_DAYS[day], occurrence=nth or None) for day, nth in sorted(found)
    ]


def _expression(plan: Plan | None) -> str | None:
    """The six fields of a plan, or None where there is none, or none that ever matches."""
    sets = plan.sets() if plan is not None else None
    if plan is None or sets is None:
        return None
    days, weekdays = "*", "*"
    if plan.month_days:
        if min(plan.month_days) < -1:
            return None
        days = _field(FIELDS[3], [day for day in plan.month_days if day > 0])
        days = ",".join(part for part in (days, "L" if -1 in plan.month_days else "") if part)
    if plan.nths:
        if any(nth is not None and nth < -1 for _, nth in plan.nths):
            return None
        weekdays = ",".join(_nth(day, nth) for day, nth in plan.nths)
    elif plan.weekdays:
        weekdays = _field(FIELDS[5], sorted((day + 1) % 7 for day in plan.weekdays))
    fields = [
        _field(FIELDS[0], sets.seconds),
        _field(FIELDS[1], sets.minutes),
        _field(FIELDS[2], sets.hours),
        days,
        _field(FIELDS[4], sets.months),
        weekdays,
    ]
    try:
        return Schedule.parse(" ".join(fields), "UTC").expression
    except ScheduleError:
        return None


def _nth(day: int, nth: int | None) -> str:
    number = (day + 1) % 7
    if nth is None:
        return str(number)
    return f"{number}L" if nth < 0 else f"{number}#{nth}"


def _field(field: Field, values: Iterable[int]) -> str:
    """Values as short as the field allows: `*`, `*/5`, `1-5,9`."""
    given = tuple(values)
    size = field.high - field.low + 1
    if len(given) == size:
        return "*"
    spread = step(tuple(value - field.low for value in given), size)
    if spread is not None and spread[0] < size and len(given) > 2:
        start = "*" if spread[1] == 0 else str(spread[1] + field.low)
        return f"{start}/{spread[0]}"
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs(given))
