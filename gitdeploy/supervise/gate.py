"""`Gate`: a few starts of processes at a time.

A start waits some milliseconds for a holder to be there. A thousand that wait at once keep the
loop busy with looking and make each other late; so they go through one behind the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PLACES = 32
_PATIENCE = 0.5


class Gate:
    """`places` may be inside at once, in the order of their coming.

    One that takes longer than `patience` seconds gives its place to the next: a start that hangs
    (a dead file system) must not make others late.
    """

    def __init__(self, places: int = _PLACES, patience: float = _PATIENCE) -> None:
        self._free = places
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Wait for a place and have it for the block, or until patience is over."""
        await self._enter()
        timer = asyncio.get_running_loop().call_later(self._patience, self._leave)
        try:
            yield
        finally:
            if not timer.cancelled() and timer.when() > asyncio.get_running_loop().time():
                timer.cancel()
                self._leave()

    async def _enter(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # the place had just been given
            raise

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
