"""How long a continuous job waits before it is started again. Pure."""

from __future__ import annotations

from typing import NamedTuple

HEALTHY = 120.0
"""Seconds after which a process counts as healthy (Kudu: a job that ran longer restarts at once)."""
_GROWTH = 1.5
_CAP = 10.0
_LEAST = 0.1  # a job that fails at once with a base of 0 mustn't keep a core busy


class Backoff(NamedTuple):
    """The wait before the next start, seconds, and the ends in a row that came too early."""

    delay: float
    failures: int


def after_end(ran: float, failures: int, base: float) -> Backoff:
    """What follows an end after `ran` seconds, with `failures` early ends before it.

    Longer than `HEALTHY`: at once, and the count starts anew. Else the base delay
    (WEBJOBS_RESTART_TIME), growing by half with every further early end up to ten times the base (at least a tenth of a
    second).
    """
    if ran > HEALTHY:
        return Backoff(0.0, 0)
    steps = min(failures, 64)  # far past the cap; keeps the power small
    base = max(base, _LEAST)
    delay = min(base * _GROWTH**steps, base * _CAP)
    return Backoff(round(delay, 3), failures + 1)
