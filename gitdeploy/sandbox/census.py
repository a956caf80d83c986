"""`Census`: looks at all of /proc that many may share.

A look takes milliseconds, and when a thousand jobs end in one second each wants two. Who asks
while a look is under way waits for the next one, together with all others who do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import NamedTuple

from gitdeploy.sandbox import procfs

_SHARE = 3.0
_LONGEST = 0.25


class Everybody(NamedTuple):
    """All processes at one moment, by session and by parent."""

    sessions: dict[int, list[procfs.Stat]]
    children: dict[int, list[procfs.Stat]]

    def below(self, *pids: int) -> list[procfs.Stat]:
        """Children of these, their children and so on."""
        found: list[procfs.Stat] = []
        seen = set(pids)
        todo = list(pids)
        while todo:
            for each in self.children.get(todo.pop(), ()):
                if each.pid not in seen:
                    seen.add(each.pid)
                    found.append(each)
                    todo.append(each.pid)
        return found


class Census:
    """Makes the looks, one at a time, in a thread."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[Everybody] | None = None
        self._tasks: set[asyncio.Task[Everybody]] = set()
        self._not_before = 0.0

    async def look(self) -> Everybody:
        """What there is at a moment after this was called."""
        if self._next is None:
            self._next = asyncio.create_task(self._look(), name="look at all processes")
            self._tasks.add(self._next)
            self._next.add_done_callback(self._tasks.discard)
        return await asyncio.shield(self._next)

    async def close(self) -> None:
        """Whoever waits for a look is cancelled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> Everybody:
        try:
            async with self._one_at_a_time:
                # no more than a quarter of the time goes into looking
                await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
                self._next = None  # who comes from now on may have seen something newer
                began = time.monotonic()
                found = await asyncio.to_thread(everybody)
                now = time.monotonic()
                self._not_before = now + min((now - began) * _SHARE, _LONGEST)
                return found
        except BaseException:
            self._next = None
            raise


def everybody() -> Everybody:
    """One look; those that end meanwhile are left out."""
    found = Everybody({}, {})
    for each in procfs.processes():
        found.sessions.setdefault(each.session, []).append(each)
        found.children.setdefault(each.parent, []).append(each)
    return found
