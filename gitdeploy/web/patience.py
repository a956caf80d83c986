"""Try a fetch again while the other side is down: later each time, and not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from gitdeploy.clock import Clock
from gitdeploy.events import Log
from gitdeploy.repos import FetchError

T = TypeVar("T")
_FIRST = 5.0  # seconds; six times again are five minutes in all
_LONGEST = 300.0


class Interrupted(Exception):
    """Somebody had no time to wait for the next try; carries the failure of the last one."""

    def __init__(self, failure: FetchError) -> None:
        super().__init__(failure.what)
        self.failure = failure


def delay(tried: int, after: float | None = None) -> float:
    """Seconds until the next try: 5, 10, 20, … up to 300, or what the other side asks for."""
    backed_off = _FIRST * 2.0 ** min(tried - 1, 10)
    return min(max(backed_off, after or 0.0), _LONGEST)


async def with_patience(
    work: Callable[[], Awaitable[T]],
    *,
    retries: int,
    clock: Clock,
    hurry: asyncio.Event,
    log: Log,
    waiting: Callable[[str], None] = lambda text: None,
) -> T:
    """The outcome of `work`, tried again up to `retries` times after a temporary FetchError.

    `waiting` is told what is waited for. `hurry` ends the waiting with Interrupted. Raises
    FetchError, and what else `work` raises.
    """
    begun = clock.monotonic()
    tried = 0
    while True:
        tried += 1
        try:
            return await work()
        except FetchError as error:
            if not error.temporary:
                raise
            if tried > retries:
                span = round(clock.monotonic() - begun)
                tries = f" It was tried {tried} times in {span} s." if tried > 1 else ""
                raise FetchError(f"{error.what}{tries}", error.fix) from error
            seconds = delay(tried, error.after)
            log.warning(
                "fetch.retrying", what=error.what, tried=tried, of=retries + 1, delay=seconds
            )
            waiting(f"{error.what} Tried {tried} of {retries + 1} times.")
            if await _slept(seconds, clock, hurry):
                raise Interrupted(error) from error


async def _slept(seconds: float, clock: Clock, hurry: asyncio.Event) -> bool:
    """Whether somebody was in a hurry before the time had passed."""
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    hurrying = asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait({sleeping, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        return hurry.is_set()
    finally:
        for task in (sleeping, hurrying):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
