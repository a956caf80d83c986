"""Read a stream no longer than something lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

T = TypeVar("T")


async def until(stream: AsyncIterator[T], ended: asyncio.Future[Any]) -> AsyncIterator[T]:
    """What the stream brings before `ended` is done; it may have more to say by then."""
    while not ended.done():
        following: asyncio.Future[T] = asyncio.ensure_future(anext(stream))
        try:
            await asyncio.wait({following, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
        if following.cancelled():
            return
        try:
            yield following.result()
        except StopAsyncIteration:
            return
