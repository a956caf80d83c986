"""Time, injected: everything that waits takes a `Clock`, so that a year is a test of a second.

Points in time are integers of microseconds since 1970-01-01T00:00:00Z (what the store keeps);
spans are float seconds.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What a waiting piece of code may ask of time."""

    def now(self) -> int:
        """Wall clock, microseconds since the epoch (UTC)."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def to_datetime(microseconds: int) -> datetime:
    """The aware UTC datetime of a point in time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def from_datetime(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def rfc3339(microseconds: int) -> str:
    """A point in time as RFC 3339 in UTC with six decimals: `2026-11-23T21:20:39.123456Z`."""
    return to_datetime(microseconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
