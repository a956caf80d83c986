"""When a delivery that wasn't taken is tried again. Pure."""

from __future__ import annotations

from collections.abc import Iterable

DAY = 24 * 3600.0
"""Seconds from the first try to the last one."""

_FACTORS = (1, 3, 6, 30, 90, 360)  # with 10 s: 10 s, 30 s, 1 min, 5 min, 15 min, then 1 h each
_SHORTEST = 0.01
_LONGEST_ASKED = 3600.0


def delay(tries: int, base: float) -> float:
    """Seconds to wait after that many tries, the first of them followed by `base` seconds."""
    return max(_SHORTEST, base * _FACTORS[min(max(tries, 1), len(_FACTORS)) - 1])


def next_try(
    tries: int, *, first_at: int, now: int, base: float, asked: float | None = None
) -> int | None:
    """When to try again after `tries` tries, or None where a day has passed since the first.

    Times are microseconds; `asked` is how many seconds the receiver wants to be left alone.
    """
    wait = max(delay(tries, base), min(asked or 0.0, _LONGEST_ASKED))
    at = now + round(wait * 1e6)
    return None if at - first_at > DAY * 1e6 else at


def retry_after(status: int | None, headers: Iterable[tuple[str, str]]) -> float | None:
    """Seconds of a `Retry-After` (RFC 9110, 10.2.3) that came with a 429 or 503; dates don't count."""
    if status not in (429, 503):
        return None
    for name, value in headers:
        if name.lower() == "retry-after" and value.strip().isascii() and value.strip().isdigit():
            return float(value.strip()[:9])
    return None
