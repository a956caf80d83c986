"""A job's last twenty runs as bars: up what went well, as high as it took long; down what failed.

A continuous job's bars are slices of the last day: as high as the share of it that it was up,
down where it died. All in two paths, so that 200 jobs are a page of moderate size. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitdeploy.store.overview import Past
from gitdeploy.web.ui.joblist import BARS, Row

WIDTH, HEIGHT, AXIS = 100, 30, 22
"""Of the picture; the axis is so far from its top."""
_STEP = WIDTH // BARS
_WIDE = 4
_DOWN = 7
_LOWEST, _HIGHEST = 5, 20
_BAD = frozenset({"failed", "aborted"})
_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Bars:
    """Paths of the good, the bad and the other bars; `good` and `bad` how many there are."""

    up: str
    down: str
    other: str
    good: int
    bad: int


def bars_of(row: Row, now: int) -> Bars:
    """The bars of a row, newest at the right."""
    if row.kind == "continuous":
        return _slices(row.past, now)
    runs = list(reversed(row.past[:BARS]))
    took = [max(0, (now if one.ended_at is None else one.ended_at) - one.begun_at) for one in runs]
    longest = max(took, default=0) or 1
    up: list[str] = []
    down: list[str] = []
    other: list[str] = []
    for place, (one, length) in enumerate(zip(runs, took, strict=True), BARS - len(runs)):
        if one.status in _BAD:
            down.append(_down(place))
        else:
            height = _LOWEST + round((_HIGHEST - _LOWEST) * length / longest)
            (up if one.status == "success" else other).append(_up(place, height))
    return Bars("".join(up), "".join(down), "".join(other), len(up), len(down))


def _slices(past: Sequence[Past], now: int) -> Bars:
    up: list[str] = []
    down: list[str] = []
    length = _DAY // BARS
    for place in range(BARS):
        begin = now - _DAY + place * length
        end = begin + length
        lived = [
            (max(begin, one.begun_at), min(end, now if one.ended_at is None else one.ended_at))
            for one in past
        ]
        share = min(1.0, sum(max(0, to - since) for since, to in lived) / length)
        if share > 0:
            up.append(_up(place, _LOWEST + round((_HIGHEST - 8 - _LOWEST) * share)))
        if any(_died(one) and begin <= (one.ended_at or 0) < end for one in past):
            down.append(_down(place))
    return Bars("".join(up), "".join(down), "", len(up), len(down))


def _died(one: Past) -> bool:
    return one.ended_at is not None and one.status in _BAD


def _up(place: int, height: int) -> str:
    return f"M{place * _STEP} {AXIS - height}h{_WIDE}v{height}h-{_WIDE}z"


def _down(place: int) -> str:
    return f"M{place * _STEP} {AXIS + 1}h{_WIDE}v{_DOWN}h-{_WIDE}z"
