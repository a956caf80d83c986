"""A day back and a day ahead of an app's jobs, as places between 0 and 100. Pure.

Runs that would be drawn on one another are drawn once, so that a picture doesn't grow with what
happened: a row has at most `_FINEST` marks of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.jobs import Schedule
from gitdeploy.store.overview import Past
from gitdeploy.web.ui.joblist import Row
from gitdeploy.web.ui.show import Show

BACK = AHEAD = 86_400_000_000
"""Microseconds shown on either side of now."""
_SPAN = BACK + AHEAD
_HOUR = 3_600_000_000
_EACH, _NAMED = 3, 6  # hours between lines, and between those with a label
_FINEST = 400
_NARROWEST = 0.25
_NOW = 100 * BACK / _SPAN
_NEAR = 5  # a label as near to that of now would run into it
_DOTS = 48
_BAD = frozenset({"failed", "aborted"})


@dataclass(frozen=True, slots=True)
class Bar:
    """A run, or a time of a continuous job's being up; `tone` is ok, run, idle or up."""

    x: float
    width: float
    tone: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One job: `failed` and `planned` are places of triangles and dots."""

    row: Row
    bars: Sequence[Bar]
    failed: Sequence[float]
    planned: Sequence[float]

    @property
    def dense(self) -> bool:
        """Whether the dots touch one another on a phone."""
        return len(self.planned) > _DOTS // 2


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the hour grid; `label` is empty where there is none, a day's name at midnight."""

    x: float
    label: str
    is_day: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """`runs`, `failures` of the day behind; `planned` jobs have a due time in the day ahead."""

    lanes: Sequence[Lane]
    ticks: Sequence[Tick]
    now: float
    runs: int
    failures: int
    planned: int


def timeline_of(
    rows: Sequence[Row], schedule: Callable[[Row], Schedule | None], show: Show
) -> Timeline:
    """The picture of these rows; `schedule` gives the schedule of a job that is followed."""
    begin, now = show.now - BACK, show.now
    lanes, runs, failures = [], 0, 0
    for row in rows:
        seen = [one for one in row.past if (one.ended_at or now) >= begin]
        failed = [one for one in seen if one.ended_at is not None and one.status in _BAD]
        if row.kind == "triggered":
            runs += len(seen)
        failures += len(failed)
        planned = _planned(schedule(row), now) if row.view.next_due is not None else []
        lanes.append(
            Lane(
                row,
                _bars(row, seen, begin, now),
                _thin(begin, failed),
                [*map(_place(begin), planned)],
            )
        )
    return Timeline(
        lanes=lanes,
        ticks=_ticks(begin, show),
        now=_place(begin)(now),
        runs=runs,
        failures=failures,
        planned=sum(bool(lane.planned) for lane in lanes),
    )


def _bars(row: Row, seen: Sequence[Past], begin: int, now: int) -> list[Bar]:
    """Oldest first. What would lie on the one before is left out or lengthens it."""
    place = _place(begin)
    bars: list[Bar] = []
    for one in sorted(seen, key=lambda one: one.begun_at):
        if row.kind == "triggered" and one.ended_at is not None and one.status in _BAD:
            continue
        tone = _tone(row, one)
        x = place(max(begin, one.begun_at))
        least = 0.05 if row.kind == "continuous" else _NARROWEST
        width = max(least, place(now if one.ended_at is None else one.ended_at) - x)
        before = bars[-1] if bars else None
        if (
            before is not None
            and before.tone == tone
            and x - before.x - before.width < 100 / _FINEST / 4
        ):
            end = max(before.x + before.width, x + width)
            bars[-1] = Bar(before.x, round(end - before.x, 3), tone)
            continue
        bars.append(Bar(round(x, 3), round(width, 3), tone))
    return bars


def _tone(row: Row, one: Past) -> str:
    if row.kind == "continuous":
        return "up"
    if one.ended_at is None:
        return "run"
    return "ok" if one.status == "success" else "idle"


def _thin(begin: int, failed: Sequence[Past]) -> list[float]:
    """Places of failures, none nearer than a triangle is narrow."""
    found: list[float] = []
    for at in sorted(one.ended_at or 0 for one in failed):
        x = _place(begin)(at)
        if not found or x - found[-1] >= 200 / _FINEST:
            found.append(x)
    return found


def _planned(schedule: Schedule | None, now: int) -> list[int]:
    """Due times of the day ahead, at most one in each of `_DOTS` parts of it."""
    found: list[int] = []
    if schedule is None:
        return found
    end, at, step = (
        to_datetime(now + AHEAD),
        to_datetime(now),
        timedelta(microseconds=AHEAD // _DOTS),
    )
    while len(found) < _DOTS and (due := schedule.next(at)) is not None and due <= end:
        found.append(from_datetime(due))
        at = due + step - timedelta(microseconds=1)
    return found


def _ticks(begin: int, show: Show) -> list[Tick]:
    """Full hours of the reader's zone; midnight has the day's name."""
    first = show.at(begin)
    behind = first.minute * 60_000_000 + first.second * 1_000_000 + first.microsecond
    at = begin + (_HOUR - behind) % _HOUR
    found = []
    while at <= begin + _SPAN:
        local = show.at(at)
        if local.hour % _EACH == 0:
            place, is_day = _place(begin)(at), local.hour == 0
            label = f"{local:%H:%M}" if local.hour % _NAMED == 0 else ""
            if is_day:
                label = show.words(f"weekday.short.{local.weekday()}")
            found.append(Tick(place, "" if abs(place - _NOW) < _NEAR else label, is_day))
        at += _HOUR
    return found


def _place(begin: int) -> Callable[[int], float]:
    return lambda moment: round(min(1.0, max(0.0, (moment - begin) / _SPAN)) * 100, 3)
