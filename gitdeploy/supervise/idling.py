"""Apps without `always_on` sleep when nobody has asked anything of them for a while.

As in the free mode of Azure's WebJobs: after `idle_timeout` seconds without a request the app's
continuous jobs stop and its schedules wait; the next request brings them back. Runs that are under
way go on to their end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from gitdeploy.clock import Clock
from gitdeploy.store import App

IDLE_TIMEOUT = 20 * 60.0
"""Seconds, where the app says nothing else (Azure's own)."""

_ROUNDING = 0.001

Change = Callable[[str, bool], Awaitable[None]]


class Idling:
    """Who sleeps, and since when nobody has asked. `change` is told (app, asleep)."""

    def __init__(self, clock: Clock, change: Change) -> None:
        self._clock = clock
        self._change = change
        self._limits: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._uses: Counter[str] = Counter()
        self._asleep: set[str] = set()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Put apps to sleep from now on."""
        self._loop = asyncio.create_task(self._watch(), name="idling")

    async def close(self) -> None:
        """Leave all as they are."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)

    def follow(self, app: App) -> None:
        """An app as it is now: whether it may sleep, and after how long."""
        if app.always_on:
            self._limits.pop(app.name, None)
        else:
            limit = IDLE_TIMEOUT if app.idle_timeout is None else app.idle_timeout
            self._limits[app.name] = limit
        self._asked.setdefault(app.name, self._clock.monotonic())
        self._changed.set()

    def forget(self, app: str) -> None:
        """The app is gone."""
        self._limits.pop(app, None)
        self._asked.pop(app, None)
        self._asleep.discard(app)

    def asleep(self, app: str) -> bool:
        """Whether the app sleeps."""
        return app in self._asleep

    def asked(self, app: str) -> bool:
        """Somebody asks something of the app; True where it has to be woken."""
        self._asked[app] = self._clock.monotonic()
        return app in self._asleep

    @contextmanager
    def in_use(self, app: str) -> Iterator[None]:
        """While this is open the app doesn't fall asleep."""
        self._uses[app] += 1
        try:
            yield
        finally:
            self._uses[app] -= 1
            self._asked[app] = self._clock.monotonic()
            self._changed.set()

    async def wake(self, app: str) -> None:
        """Bring the app's jobs back; returns when they are."""
        async with self._turn:
            if app in self._asleep:
                self._asleep.discard(app)
                await self._change(app, False)
                self._asked[app] = self._clock.monotonic()
                self._changed.set()  # its time runs again, from now on

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            await self._look()
            dues = [
                self._asked[app] + limit
                for app, limit in self._limits.items()
                if app not in self._asleep and not self._uses[app]
            ]
            waiting = asyncio.ensure_future(self._changed.wait())
            waits: set[asyncio.Future[object]] = {waiting}  # type: ignore[arg-type]
            if dues:
                seconds = max(0.0, min(dues) - self._clock.monotonic())
                waits.add(asyncio.ensure_future(self._clock.sleep(seconds)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    async def _look(self) -> None:
        """Wake who may not sleep any more, put to sleep whose time is over."""
        for app in [app for app in self._asleep if app not in self._limits]:
            await self.wake(app)
        for app, limit in list(self._limits.items()):
            async with self._turn:
                if self._uses[app]:
                    continue
                idle = self._clock.monotonic() - self._asked.get(app, 0.0)
                if idle >= limit - _ROUNDING and app in self._limits and app not in self._asleep:
                    self._asleep.add(app)
                    await self._change(app, True)
