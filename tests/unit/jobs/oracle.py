"""When a schedule is due, found by looking at every minute: slow, and without any cleverness.

Nothing here is taken from the package. A wall time is due where its first instant is; one that
the clocks pass over is due with the first instant behind.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Matches = Callable[[datetime], bool]
# Around these the clocks of a zone are set, or a day is skipped, or a month or a year ends.
EDGES = [
    ("Europe/Berlin", datetime(2026, 3, 28)),
    ("Europe/Berlin", datetime(2026, 10, 24)),
    ("America/New_York", datetime(2026, 3, 7)),
    ("America/New_York", datetime(2026, 10, 31)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3)),
    ("Pacific/Apia", datetime(2011, 12, 29)),
    ("Asia/Seoul", datetime(2028, 2, 28)),
    ("UTC", datetime(2027, 12, 30)),
]


def walk(matches: Matches, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The due instants of whole minutes in (after, until], by walking through them in UTC."""
    place = ZoneInfo(zone)
    first = after.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(hours=30)
    seen: set[datetime] = set()
    found: list[datetime] = []
    moment = first
    last_wall = (moment - MINUTE).astimezone(place).replace(tzinfo=None)
    highest = last_wall
    while moment <= until:
        wall = moment.astimezone(place).replace(tzinfo=None)
        passed = [wall] if wall > highest else []
        if wall > last_wall + MINUTE:  # clocks went forward: all between stands for this instant
            step = last_wall + MINUTE
            while step < wall:
                if step > highest:
                    passed.append(step)
                step += MINUTE
        if any(matches(time) for time in passed) and moment not in seen and moment > after:
            found.append(moment)
            seen.add(moment)
        highest = max(highest, wall)
        last_wall = wall
        moment += MINUTE
    return found


def recurs(value: dict[str, Any], start: datetime) -> Matches:
    """Whether a recurrence (as JSON, with a schedule) from a wall time on has a wall minute."""
    pattern = value.get("schedule", {})
    frequency, interval = value["frequency"], value.get("interval", 1)
    hours, minutes = pattern.get("hours"), pattern.get("minutes")
    if frequency in ("day", "week", "month"):
        if hours is None and minutes is None:
            hours = [start.hour]
        minutes = [start.minute] if minutes is None else minutes
    elif frequency == "hour":
        minutes = [start.minute] if minutes is None else minutes

    def matches(time: datetime) -> bool:
        if time < start:
            return False
        if hours is not None and time.hour not in hours:
            return False
        if minutes is not None and time.minute not in minutes:
            return False
        return _period(frequency, start, time) % interval == 0 and _day(
            frequency, pattern, start, time
        )

    return matches


def _period(frequency: str, start: datetime, time: datetime) -> int:
    if frequency == "minute":
        return int((time - start.replace(second=0)) / MINUTE)
    if frequency == "hour":
        return int((time.replace(minute=0) - start.replace(minute=0, second=0)) / (60 * MINUTE))
    if frequency == "day":
        return (time.date() - start.date()).days
    if frequency == "week":
        monday = start.date() - timedelta(days=start.weekday())
        return (time.date() - monday).days // 7
    return time.year * 12 + time.month - start.year * 12 - start.month


def _day(frequency: str, pattern: dict[str, Any], start: datetime, time: datetime) -> bool:
    if frequency == "week":
        return DAYS[time.weekday()] in pattern.get("weekDays", [DAYS[start.weekday()]])
    if frequency != "month":
        return True
    length = monthrange(time.year, time.month)[1]
    dates, nths = pattern.get("monthDays"), pattern.get("monthlyOccurrences")
    if dates is None and nths is None:
        dates = [start.day]
    if dates is not None and time.day not in dates and time.day - length - 1 not in dates:
        return False
    return nths is None or any(_is_nth(nth, time, length) for nth in nths)


def _is_nth(nth: dict[str, Any], time: datetime, length: int) -> bool:
    if DAYS[time.weekday()] != nth["day"]:
        return False
    from_start = (time.day - 1) // 7 + 1
    from_end = -((length - time.day) // 7 + 1)
    return nth.get("occurrence") in (None, from_start, from_end)


def cron(expression: str) -> Matches:
    """Whether an expression of plain numbers, lists, ranges and steps has a wall minute."""
    fields = [
        set(_values(text, *bounds))
        for text, bounds in zip(expression.split(), _BOUNDS, strict=True)
    ]

    def matches(time: datetime) -> bool:
        shown = (0, time.minute, time.hour, time.day, time.month, time.isoweekday() % 7)
        return all(value in field for value, field in zip(shown, fields, strict=True))

    return matches


_BOUNDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]


def _values(text: str, low: int, high: int) -> Iterator[int]:
    for term in text.split(","):
        body, _, width = term.partition("/")
        first, _, last = body.partition("-")
        begin = low if first == "*" else int(first)
        end = high if first == "*" else int(last or first)
        yield from range(begin, end + 1, int(width or 1))
