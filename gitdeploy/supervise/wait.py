"""Waiting for something with a limit, on the injected clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from gitdeploy.clock import Clock


async def within(
    clock: Clock, seconds: float, awaited: Iterable[asyncio.Future[Any]]
) -> set[asyncio.Future[Any]]:
    """Wait until one of the futures is done or the time is over; those that are done.

    The futures go on whatever happens here.
    """
    futures = set(awaited)
    timer: asyncio.Future[Any] = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
    try:
        done, _ = await asyncio.wait({*futures, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return done & futures
