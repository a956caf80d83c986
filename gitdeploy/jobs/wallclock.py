"""A zone's wall clock: which instant a time on it is, and when clocks are set back or forward.

A time that doesn't exist (clocks go forward) stands for the first instant behind the gap, a time
that comes twice (clocks go back) for the first of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

SECOND = timedelta(seconds=1)
_LOOK = timedelta(hours=12)
"""How closely changes are looked for: none of the zones' changes of an offset lasted less."""
_NEAR = timedelta(hours=3)
"""Around a gap of a zone given by POSIX rules."""
_LAST_YEAR = 2100


class Change(NamedTuple):
    """A zone's clocks are set: the instant (UTC) and the offsets before and behind it."""

    at: datetime
    before: timedelta
    behind: timedelta

    @property
    def from_(self) -> datetime:
        """The first wall time that doesn't exist, or that comes twice."""
        return self.at.replace(tzinfo=None) + min(self.before, self.behind)

    @property
    def to(self) -> datetime:
        """The wall time behind the last of them."""
        return self.at.replace(tzinfo=None) + max(self.before, self.behind)

    @property
    def is_gap(self) -> bool:
        """Whether clocks go forward."""
        return self.behind > self.before


def instant(naive: datetime, place: tzinfo) -> datetime:
    """The instant (UTC) at which the zone's clocks first show this time, or pass over it."""
    first = naive.replace(tzinfo=place).astimezone(UTC)
    if first.astimezone(place).replace(tzinfo=None, fold=0) == naive:
        return first
    # in a gap: PEP 495 takes the offset before it for fold=0 and the one behind it for fold=1
    early = naive.replace(tzinfo=place, fold=1).astimezone(UTC)
    if early == first:  # dateutil's zones by POSIX rules take one offset for both
        early, first = first - _NEAR, first + _NEAR
    return _transition(early, first, place)


def wall(moment: datetime, place: tzinfo) -> datetime:
    """What the zone's clocks show at an instant (naive)."""
    return moment.astimezone(place).replace(tzinfo=None, fold=0)


def resume(after: datetime, place: tzinfo) -> datetime:
    """The wall time (naive) up to which everything was due, at the latest, at an instant."""
    local = after.astimezone(place)
    if not local.fold:
        return local.replace(tzinfo=None)
    # the hour comes for the second time: all its times were due the first time
    here = local.astimezone(UTC)
    first = local.replace(fold=0).astimezone(UTC)
    change = _transition(first, here, place)
    offset = local.replace(fold=0).utcoffset() or timedelta()
    return change.replace(tzinfo=None) + offset - SECOND


def changes(place: tzinfo, after: datetime, until: datetime) -> Iterator[Change]:
    """The times at which the zone's clocks are set, behind `after` and up to `until`."""
    here, until = after.astimezone(UTC), until.astimezone(UTC)
    offset = _offset(here, place)
    while here < until:
        there = min(here + _LOOK, until)
        found = _offset(there, place)
        if found != offset:
            yield Change(_transition(here, there, place), offset, found)
        here, offset = there, found


def is_fixed(place: tzinfo, since: datetime) -> bool:
    """Whether the zone's offset from UTC stays as it is from an instant on (looked at to 2100)."""
    offset = _offset(since, place)
    months = (
        datetime(year, month, 1, tzinfo=UTC)
        for year in range(since.year, max(since.year + 30, _LAST_YEAR))
        for month in range(1, 13)
    )
    return all(_offset(month, place) == offset for month in months if month > since)


def _offset(moment: datetime, place: tzinfo) -> timedelta:
    return moment.astimezone(place).utcoffset() or timedelta()


def _transition(before: datetime, behind: datetime, place: tzinfo) -> datetime:
    """The instant between two (UTC) at which the zone's offset changes; it does so once."""
    offset = before.astimezone(place).utcoffset()
    low, high = before.replace(microsecond=0), behind.replace(microsecond=0)
    while high - low > SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(place).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
