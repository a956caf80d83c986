"""What changes of a zone's clocks do to a schedule's due times, told in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Literal, NamedTuple, Protocol

from gitdeploy.jobs.shape import zone_name
from gitdeploy.jobs.wallclock import SECOND, Change, changes, instant, wall

_LONGEST = timedelta(days=3660)
_SHOWN = 3

Language = Literal["en", "ko"]


class _Walking(Protocol):
    """What this needs of a schedule."""

    @property
    def timezone(self) -> str | None: ...

    @property
    def zone(self) -> tzinfo: ...

    def walk(self, behind: datetime) -> Iterator[datetime]: ...

    def holds(self, due: datetime) -> bool: ...


class _Hit(NamedTuple):
    """A change and the schedule's wall times that it touches (at most one more than are shown)."""

    change: Change
    times: list[datetime]
    runs: datetime


def clock_notes(
    schedule: _Walking, after: datetime, until: datetime, language: Language
) -> list[str]:
    """A sentence for each change of the clocks that moves or doubles a due time."""
    tell = _english if language == "en" else _korean
    name = zone_name(schedule.timezone, schedule.zone)
    return [tell(hit, name) for hit in _hits(schedule, after, until)]


def _hits(schedule: _Walking, after: datetime, until: datetime) -> Iterator[_Hit]:
    try:
        until = min(until, after + _LONGEST)
        # clocks may have been set shortly before a due time that comes for the second time
        for change in changes(schedule.zone, after, until):
            times = list(islice(_touched(schedule, change), _SHOWN + 1))
            if times:
                yield _Hit(change, times, wall(change.at, schedule.zone))
    except OverflowError:
        return  # the end of the calendar


def _touched(schedule: _Walking, change: Change) -> Iterator[datetime]:
    for naive in schedule.walk(change.from_ - SECOND):
        if naive >= change.to:
            return
        if schedule.holds(instant(naive, schedule.zone)):
            yield naive


def _english(hit: _Hit, zone: str) -> str:
    names = [_clock(time) for time in hit.times[:_SHOWN]]
    names += ["others"] if len(hit.times) > _SHOWN else []
    many = len(names) > 1
    which = ", ".join(names[:-1]) + " and " + names[-1] if many else names[0]
    day = hit.times[0].date()
    if hit.change.is_gap:
        runs = _clock(hit.runs)
        if hit.runs.date() != day:
            runs += f" on {hit.runs.date()}"
        verb, then = ("don't", f"run once, at {runs}") if many else ("doesn't", f"runs at {runs}")
        return f"{which} {verb} exist on {day} in {zone}: {then}"
    if many:
        return f"{which} come twice on {day} in {zone}: each runs once, at the first"
    return f"{which} comes twice on {day} in {zone}: runs once, at the first"


def _korean(hit: _Hit, zone: str) -> str:
    which = ", ".join(_clock(time) for time in hit.times[:_SHOWN])
    which += " 등" if len(hit.times) > _SHOWN else ""
    day = _day(hit.times[0])
    many = len(hit.times) > 1
    if hit.change.is_gap:
        runs = _clock(hit.runs)
        if hit.runs.date() != hit.times[0].date():
            runs = f"{_day(hit.runs)} {runs}"
        once = " 한 번만" if many else ""
        return f"{zone}에서는 {day}에 {which} 시각이 없어 {runs}에{once} 실행합니다"
    each = "각각 " if many else ""
    return f"{zone}에서는 {day}에 {which} 시각이 두 번 오며 {each}첫 번째에만 실행합니다"


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}" if time.second else f"{time:%H:%M}"


def _day(time: datetime) -> str:
    return f"{time.year}년 {time.month}월 {time.day}일"
