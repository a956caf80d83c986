"""Which due times of a schedule lie in a span of time. Pure, and bounded for any schedule."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from gitdeploy.clock import from_datetime, to_datetime

LIMIT = 10_000
MINUTE = 60_000_000
_WINDOWS = (10 * MINUTE, 60 * MINUTE, 1440 * MINUTE, 31 * 1440 * MINUTE, 366 * 1440 * MINUTE)


class HasNext(Protocol):
    """What this needs of a schedule."""

    def next(self, after: datetime) -> datetime | None:
        """The first due time behind a moment."""


class Overdue(NamedTuple):
    """Due times in a span: how many (`total`; `LIMIT` stands for "or more") and the last two.

    Times are microseconds since the epoch.
    """

    total: int
    latest: int
    before_latest: int | None

    @property
    def many(self) -> str:
        """The count in words: `12`, or `10000 or more`."""
        return f"{self.total} or more" if self.total >= LIMIT else str(self.total)


def next_due(schedule: HasNext, after: int) -> int | None:
    """The first due time behind a point in time, both in microseconds."""
    due = schedule.next(to_datetime(after))
    return None if due is None else from_datetime(due)


def overdue(schedule: HasNext, after: int, now: int) -> Overdue | None:
    """The due times behind `after` up to and with `now`; None where there is none."""
    found = _walk(schedule, after, now)
    if found is None or found.total < LIMIT:
        return found
    for window in _WINDOWS:  # too many to count: look for the last ones from behind
        if now - window <= after:
            break
        recent = _walk(schedule, now - window, now)
        if recent is not None and 2 <= recent.total < LIMIT:
            return recent._replace(total=LIMIT)
    return found


def _walk(schedule: HasNext, after: int, now: int) -> Overdue | None:
    count, latest, before = 0, None, None
    due = next_due(schedule, after)
    while due is not None and due <= now and count < LIMIT:
        count, latest, before = count + 1, due, latest
        due = next_due(schedule, due)
    return None if latest is None else Overdue(count, latest, before)
