"""What changes of an app's jobs leave behind: generations of uploads that don't count any more, and
data and history of deleted jobs. It goes at once, when the last process has left it, or at the next
start where a crash came in between.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from gitdeploy.deploy import generations
from gitdeploy.events import Events
from gitdeploy.home import Home, Kind
from gitdeploy.store import Store
from gitdeploy.supervise import Supervisor


class Leftovers:
    """One per server, until `close`.

    Its callers hold the app's lock, which `lock_of` gives.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        events: Events,
        supervisor: Supervisor,
        lock_of: Callable[[str], asyncio.Lock],
    ) -> None:
        self._home = home
        self._store = store
        self._events = events
        self._supervisor = supervisor
        self._lock_of = lock_of
        self._waiting: dict[tuple[str, Kind, str, int], asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Leave the generations that are still lived in to the next start."""
        tasks = list(self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def remove_generations(self, app: str) -> None:
        """Those that don't count; those that are lived in once they are left."""
        rows = await self._store.uploads.all(app)
        current: set[tuple[Kind, str, int]] = {(u.kind, u.name, u.generation) for u in rows}
        used = self._supervisor.uploads_in_use(app)
        await asyncio.to_thread(generations.remove_others, self._home.app(app), current | used)
        for each in used - current:
            key = (app, *each)
            if key not in self._waiting:
                self._waiting[key] = asyncio.create_task(self._remove_once_left(*key))

    async def finish_deletions(self, app: str) -> None:
        """Of jobs whose DELETE a crash or a failure cut off."""
        for kind, name in await self._store.uploads.deletions(app):
            await self.finish_deletion(app, kind, name)
            self._events.app_log(app).info("job.deleted", kind=kind, job=name)

    async def finish_deletion(self, app: str, kind: Kind, name: str) -> None:
        """Stop what the store has as deleted; remove its data and history, and that it is so."""
        paths = self._home.app(app)

        async def forget() -> None:
            for gone in (paths.executions(kind, name), paths.job_data(kind, name)):
                await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
            await self._store.executions.forget_job(app, kind, name)

        await self._supervisor.forget_job(app, kind, name, forget)

    async def _remove_once_left(self, app: str, kind: Kind, name: str, generation: int) -> None:
        try:
            await self._supervisor.wait_left(app, kind, name, generation)
        finally:
            self._waiting.pop((app, kind, name, generation), None)
        async with self._lock_of(app):
            if await self._store.apps.get(app) is not None:
                await self.remove_generations(app)
