"""Look from time to time at what a run uses, as nobody can when it has ended."""

from __future__ import annotations

import asyncio

from gitdeploy.sandbox import Handle, Usage, measure

_FIRST = 0.03
_LONGEST = 5.0


class Meter:
    """Looks soon, then ever less often: `usage` is what it saw last, with the highest peak.

    A run that is over within 30 ms isn't seen at all.
    """

    def __init__(self, handle: Handle) -> None:
        self.usage: Usage | None = None
        self._handle = handle
        self._task = asyncio.create_task(self._look(), name=f"meter {handle.pid}")

    async def close(self) -> Usage | None:
        """Stop looking; what was seen."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.usage

    async def _look(self) -> None:
        pause = _FIRST
        while True:
            await asyncio.sleep(pause)
            now = measure(self._handle)
            if now is None:
                return
            before = self.usage or now
            self.usage = Usage(
                cpu_seconds=max(now.cpu_seconds, before.cpu_seconds),
                peak_memory=max(now.peak_memory, before.peak_memory),
            )
            pause = min(pause * 1.5, _LONGEST)
