"""Work that outlives the request that began it: owned here, ended with the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
_LONG = 1 << 16


class Background:
    """A set of tasks. A client that goes away cancels its handler, never what runs here."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run this to its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def complete(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for work that must not stop half-way; cancelling the caller lets it go on."""
        return await asyncio.shield(self.start(work))

    async def idle(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, *, grace: float) -> None:
        """Give what runs `grace` seconds to end, then cancel it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def apart(size: int, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """What a function makes of so many bytes: in a thread where others would wait for it."""
    if size < _LONG:
        return work(*arguments, **keywords)
    return await asyncio.to_thread(work, *arguments, **keywords)
