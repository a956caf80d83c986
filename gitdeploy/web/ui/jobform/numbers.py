"""Numbers, lists of them, days and times as people type them into a form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time

_RANGE = re.compile(r"(\d{1,3})\s*[-–]\s*(\d{1,3})", re.ASCII)
_NUMBER = re.compile(r"[-−]?\d{1,9}", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def whole(text: str, low: int, high: int) -> int | None:
    """A whole number in a range, None for anything else."""
    if not _NUMBER.fullmatch(text):
        return None
    value = int(text.replace("−", "-"))
    return value if low <= value <= high else None


def listed(text: str, low: int, high: int) -> list[int] | None:
    """`9, 17` and `9-17` as numbers in a range; None where one of them isn't one."""
    found: set[int] = set()
    for word in re.split(r"[,;]|(?<=\d)\s+(?=[-−]?\d)", text):
        span = _RANGE.fullmatch(word.strip())
        bounds = span.groups() if span else (word.strip(), word.strip())
        first, last = (whole(bound, low, high) for bound in bounds)
        if first is None or last is None or first > last:
            return None
        found.update(range(first, last + 1))
    return sorted(found)


def shown(numbers: Iterable[int]) -> str:
    """Numbers as `listed` reads them, runs of three and more as ranges."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words: list[str] = []
    for run in runs:
        if len(run) > 2 and run[0] >= 0:
            words.append(f"{run[0]}-{run[-1]}")
        else:
            words += map(str, run)
    return ", ".join(words)


def day(text: str) -> date | None:
    """`2026-12-01`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def clock(text: str) -> time | None:
    """`9:00`, `09:00:30`."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError:
        return None


def clock_shown(moment: datetime) -> str:
    """The time of day as `clock` reads it."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
