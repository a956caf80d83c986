"""What was measured, as a table that says what each figure is."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """Pairs of figures taken in turn (ours, the peer's), in one unit."""

    what: str
    peer: str
    ours: Sequence[float]
    theirs: Sequence[float]
    unit: str
    goal: float | None
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median of the ratios pair by pair: it holds when the machine's speed drifts."""
        return statistics.median(a / b for a, b in zip(self.ours, self.theirs, strict=True))


def render(rows: Sequence[Row], *, machine: str, rounds: int) -> str:
    """A Markdown document with one line a row."""
    lines = [
        "# What was measured",
        "",
        f"`make bench` wrote this: {machine}; {rounds} pairs a comparison unless a row says",
        "otherwise, ours and the peer's in turn on one machine in one run. Times are medians, the",
        "ratio is the median of the pairs' ratios (below 1: we are faster), p90 is of ours.",
        "",
        "| what | peer | ours | p90 | peer's | ratio | goal | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        p90 = sorted(row.ours)[min(len(row.ours) - 1, int(len(row.ours) * 0.9))]
        met = "" if row.goal is None else ("yes" if row.ratio <= row.goal else "**no**")
        goal = "" if row.goal is None else f"≤ {row.goal}"
        lines.append(
            f"| {row.what} | {row.peer} | {statistics.median(row.ours):.3g} {row.unit}"
            f" | {p90:.3g} {row.unit} | {statistics.median(row.theirs):.3g} {row.unit}"
            f" | {row.ratio:.2f} | {goal} | {met} |"
        )
    notes = [f"- {row.what}: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, "", *notes, ""])
