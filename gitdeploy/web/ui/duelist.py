"""What is due of an app's schedules in a span of time, line by line. Pure, and bounded.

A job has as many steps of its schedule as `steps`: while they last, due times are counted; when
just enough are left to see the days that remain, of each only its first due time is looked for.
So a job of every minute is in each day of a month, and costs no more than one of every week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.jobs import Schedule
from gitdeploy.jobs.sentences import Language
from gitdeploy.jobs.shape import zone_name
from gitdeploy.jobs.wallclock import SECOND, Change, changes, instant
from gitdeploy.web.ui.show import Show

RANGES: Mapping[str, int] = {"24h": 1, "7d": 7, "30d": 30}
"""Days ahead, by what the address says."""
ALONE = 6
"""More due times of a job in a day are one line."""
STEPS, STEPS_OF_ALL = 100, 4000
"""Steps of one schedule, and of all of an app together."""

_DAY = 86_400_000_000
_LONGEST_CHANGE = timedelta(hours=3)
_UTC = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Zulu", "UCT", "Zulu", "Etc/Universal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A job's schedule; `mark` says why nothing of it runs (a name of states.py), "" where it does.

    `zone` is the schedule's own where it isn't the reader's, "" else.
    """

    job: str
    schedule: Schedule
    sentence: str
    expression: str
    mark: str
    zone: str


@dataclass(frozen=True, slots=True)
class Due:
    """A due time, or all of a day in one line; `first` and `last` are microseconds.

    There are more than `count` where it isn't `whole`. `there` is `first` by the schedule's own
    clock where that isn't the reader's; `notes` tell what a change of the clocks does to it.
    """

    of: Followed
    first: int
    last: int
    count: int
    whole: bool
    there: datetime | None
    notes: tuple[str, ...]

    @property
    def alone(self) -> bool:
        return self.count == 1 and self.whole


class DueList(NamedTuple):
    """All lines by time; `known` is up to when (microseconds) each job's are listed, None where
    that is the whole span."""

    lines: list[Due]
    known: int | None


class Day(NamedTuple):
    """The lines of one day of the reader; `ahead` counts from today."""

    at: int
    ahead: int
    lines: list[Due]


def due_list(followed: Sequence[Followed], show: Show, days: int, language: Language) -> DueList:
    """What is due in the next `days` times 24 hours."""
    until = show.now + days * _DAY
    steps = max(1, min(STEPS, STEPS_OF_ALL // max(1, len(followed))))
    clocks: dict[str, list[Change]] = {}
    lines: list[Due] = []
    known: int | None = None
    for each in followed:
        schedule = each.schedule
        name = zone_name(schedule.timezone, schedule.zone)
        if name not in clocks:
            end = to_datetime(until) + _LONGEST_CHANGE
            clocks[name] = list(changes(schedule.zone, to_datetime(show.now), end))
        noted = _noted(schedule, clocks[name], language) if clocks[name] else []
        found, upto = _lines_of(each, show, until, steps, noted)
        lines += found
        if upto is not None:
            known = upto if known is None else min(known, upto)
    lines.sort(key=lambda line: (line.first, line.of.job))
    return DueList(lines, known)


def by_day(lines: Sequence[Due], show: Show) -> list[Day]:
    """Lines that are sorted by time, day by day."""
    today = show.at(show.now).date()
    grouped = groupby(lines, key=lambda line: show.at(line.first).date())
    days = [(date, list(found)) for date, found in grouped]
    return [Day(found[0].first, (date - today).days, found) for date, found in days]


def own_zone(schedule: Schedule, show: Show) -> str:
    """The name of the schedule's zone where it isn't the one that times are shown in."""
    theirs, ours = zone_name(schedule.timezone, schedule.zone), zone_name(None, show.zone)
    return "" if theirs == ours or {theirs, ours} <= _UTC else theirs


class _Steps:
    """A schedule's due times, so many and no more; `out` once more were asked for."""

    def __init__(self, schedule: Schedule, left: int) -> None:
        self._schedule = schedule
        self.left = left
        self.out = False

    def behind(self, moment: int) -> int | None:
        if self.left <= 0:
            self.out = True
            return None
        self.left -= 1
        due = self._schedule.next(to_datetime(moment))
        return None if due is None else from_datetime(due)


class _Note(NamedTuple):
    """A change of the clocks and what it does, for due times from `begin` to `end`."""

    begin: int
    end: int
    text: str


def _lines_of(
    of: Followed, show: Show, until: int, steps: int, noted: Sequence[_Note]
) -> tuple[list[Due], int | None]:
    """The lines of one schedule, and up to when they are known where that isn't the whole span."""
    found: list[Due] = []
    walk = _Steps(of.schedule, steps)
    last_day, known = show.at(until).date(), show.now
    due = walk.behind(show.now)
    while due is not None and due <= until:
        tomorrow = _tomorrow(due, show)
        kept = 2 * (last_day - show.at(due).date()).days
        times, whole = [due], True
        following = walk.behind(due)
        while following is not None and following < min(tomorrow, until + 1):
            if walk.left <= kept:
                whole = False
                following = walk.behind(tomorrow - 1) if tomorrow <= until else None
                break
            times.append(following)
            following = walk.behind(following)
        if whole and len(times) <= ALONE:
            found += [_line(of, [each], True, each, noted) for each in times]
        else:
            found.append(_line(of, times, whole, times[-1] if whole else tomorrow - 1, noted))
        known = times[-1] if whole else tomorrow - 1
        due = following
    return found, known if walk.out else None


def _line(of: Followed, times: list[int], whole: bool, end: int, noted: Sequence[_Note]) -> Due:
    there = to_datetime(times[0]).astimezone(of.schedule.zone) if of.zone else None
    notes = (note.text for note in noted if times[0] <= note.end and note.begin <= end)
    return Due(of, times[0], times[-1], len(times), whole, there, tuple(notes))


def _noted(schedule: Schedule, clocks: Sequence[Change], language: Language) -> list[_Note]:
    """What changes of the clocks do to the schedule: a time that doesn't exist is due at the
    change itself, one that comes twice in the hour before it."""
    found = []
    for change in clocks:
        end = from_datetime(change.at)
        begin = end
        if not change.is_gap:
            begin, end = from_datetime(change.at - (change.to - change.from_)), end - 1
        told = schedule.notes(change.at - SECOND, change.at, language)
        found += [_Note(begin, end, text) for text in told]
    return found


def _tomorrow(moment: int, show: Show) -> int:
    """When the reader's next day begins."""
    date = show.at(moment).date() + timedelta(days=1)
    return from_datetime(instant(datetime(date.year, date.month, date.day), show.zone))
