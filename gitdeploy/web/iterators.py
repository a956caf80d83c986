"""Small things to do with async iterators: go on, change, cancel, close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

S = TypeVar("S")
T = TypeVar("T")


async def following(iterator: AsyncIterator[T]) -> T:
    """The next element, as what a task can be made of."""
    return await anext(iterator)


async def mapped(
    source: AsyncIterator[T], change: Callable[[T], list[S]]
) -> AsyncGenerator[list[S], None]:
    """Batches made of each element; closes the source."""
    try:
        async for element in source:
            yield change(element)
    finally:
        await close(source)


async def close(iterator: AsyncIterator[Any]) -> None:
    """Close an async iterator that may be a generator."""
    close: Callable[[], Awaitable[None]] | None = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it was about to fail: nobody is left to hear of it
