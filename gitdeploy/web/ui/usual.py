"""How long a job's runs take: the chart of the newest ones, what is usual, how far one has come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitdeploy.store import Execution

WIDTH, HEIGHT, AXIS = 100.0, 96, 78
"""Of the chart: percent, pixels, and where the pixels of its axis are."""
_FAILED = frozenset({"failed", "aborted"})
_LOWEST, _HIGHEST, _DOWN = 3, 70, 14


@dataclass(frozen=True, slots=True)
class Usual:
    """Durations in seconds of the runs that went well: the middle one, and what 95 % don't pass."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the chart: `x` and `width` in percent, `y` and `height` in pixels."""

    run: Execution
    seconds: float
    tone: str
    x: float
    width: float
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """`p50` and `p95` are heights of lines in pixels."""

    bars: list[Bar]
    usual: Usual | None
    p50: int
    p95: int
    good: int
    bad: int


def seconds_of(run: Execution, now: int) -> float:
    """How long a run took, or takes until now (µs)."""
    begun = run.created_at if run.started_at is None else run.started_at
    return max(0, (now if run.ended_at is None else run.ended_at) - begun) / 1e6


def usual(runs: Sequence[Execution]) -> Usual | None:
    """What is usual; None where fewer than two runs went well."""
    took = sorted(seconds_of(run, 0) for run in runs if run.status == "success" and run.ended_at)
    if len(took) < 2:
        return None
    return Usual(_at(took, 0.5), _at(took, 0.95))


def chart(runs: Sequence[Execution], now: int, places: int = 60) -> Chart:
    """The bars of the newest runs (given newest first), the newest at the right; failed ones hang
    below the axis."""
    shown = [run for run in runs if run.started_at is not None][:places][::-1]
    found = usual(runs)
    longest = max([seconds_of(run, now) for run in shown] + [found.p95 if found else 0.0, 1e-6])
    step = WIDTH / max(len(shown), 20)
    bars = []
    for place, run in enumerate(shown, max(len(shown), 20) - len(shown)):
        seconds = seconds_of(run, now)
        failed = run.status in _FAILED
        height = _DOWN if failed else _height(seconds, longest)
        tone = "bad" if failed else {"success": "ok", "running": "run"}.get(run.status, "idle")
        y = AXIS + 1 if failed else AXIS - height
        bars.append(
            Bar(run, seconds, tone, round(place * step, 3), round(step * 0.7, 3), y, height)
        )
    return Chart(
        bars,
        found,
        AXIS - _height(found.p50, longest) if found else 0,
        AXIS - _height(found.p95, longest) if found else 0,
        sum(run.status == "success" for run in shown),
        sum(run.status in _FAILED for run in shown),
    )


def _height(seconds: float, longest: float) -> int:
    return max(_LOWEST, round(_HIGHEST * seconds / longest))


def _at(took: Sequence[float], share: float) -> float:
    """Between the two nearest, as most do it."""
    place = share * (len(took) - 1)
    low = int(place)
    high = min(low + 1, len(took) - 1)
    return took[low] + (took[high] - took[low]) * (place - low)
