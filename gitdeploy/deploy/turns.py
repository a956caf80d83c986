"""`Turns`: the attempts that haven't ended, one after the other for an app, each with a task."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitdeploy.deploy.attempt import STOPPED, Attempt, Failure, give_up, kept_release, perform
from gitdeploy.deploy.context import Tools
from gitdeploy.deploy.releases import empty_trash
from gitdeploy.errors import Conflict


class Turns:
    """One per server; first come, first served for each app.

    `url` gives the address of an app's page for the last line of a deployment.
    """

    def __init__(self, tools: Tools, url: Callable[[str], str]) -> None:
        self._tools = tools
        self._url = url
        self._attempts: dict[tuple[str, str], Attempt] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._entering: defaultdict[str, int] = defaultdict(int)
        self._sweeps: set[asyncio.Task[None]] = set()
        self._closed = False

    async def idle(self) -> None:
        """Wait until nothing is under way or waits for its turn."""
        while self._attempts:
            await asyncio.wait({attempt.ended for attempt in self._attempts.values()})

    async def close(self) -> None:
        """Cut off what is under way (it is recorded as failed) and wait until it has ended."""
        self._closed = True
        await self.cancel(list(self._attempts.values()), STOPPED)
        await asyncio.gather(*self._sweeps)

    async def forget(self, app: str) -> None:
        """The app is being deleted: cut off its deployments."""
        await self.cancel(self.of(app), STOPPED)
        self._locks.pop(app, None)
        await asyncio.gather(*self._sweeps)

    def of(self, app: str) -> list[Attempt]:
        """The app's attempts that haven't ended, in the order of their turns."""
        return [attempt for attempt in self._attempts.values() if attempt.row.app == app]

    def get(self, app: str, deployment: str) -> Attempt | None:
        """The attempt of that deployment that hasn't ended."""
        return self._attempts.get((app, deployment))

    def busy(self, app: str) -> bool:
        """Whether something is under way, waits for its turn, or is being recorded."""
        return self._entering[app] > 0 or any(key[0] == app for key in self._attempts)

    @contextmanager
    def entering(self, app: str, *, wait_turn: bool) -> Iterator[None]:
        """While an attempt is put together; raises Conflict where it can't have a turn."""
        if self._closed:
            raise Conflict("The server is stopping.", "Deploy again when it is back.")
        if not wait_turn and self.busy(app):
            raise Conflict(f"{app} is being deployed.", "Ask again when that has ended.")
        self._entering[app] += 1
        try:
            yield
        finally:
            self._entering[app] -= 1

    async def begin(self, attempt: Attempt) -> None:
        """Record the attempt and give it a task; nothing else may take its id in between."""
        row, store = attempt.row, self._tools.store
        key = (row.app, row.id)
        self._attempts[key] = attempt
        free = not self._locks[row.app].locked()
        try:
            if free and (attempt.clean or await kept_release(attempt, store) is None):
                tree = None if attempt.commit is None else attempt.commit.tree
                attempt.row, attempt.release = await store.deployments.begin_with_release(
                    row, tree_id=tree
                )
            else:  # a release is numbered when it is its turn
                attempt.row = await store.deployments.begin(row)
        except BaseException:
            del self._attempts[key]
            attempt.source.close()
            attempt.ended.set_result(None)
            raise
        attempt.log = self._tools.events.deployment_log(row.app, row.id, attempt.row.attempt)
        if self._closed:
            attempt.cut_off = attempt.cut_off or STOPPED
        if attempt.cut_off is not None:  # cancelled while it was being recorded
            await give_up(attempt, self._tools)
            self._end(attempt)
            return
        attempt.task = asyncio.create_task(self._run(attempt), name=f"deploy {row.app}")

    async def cancel(self, attempts: list[Attempt], why: Failure) -> None:
        """End attempts wherever they are; one whose turn hasn't come is recorded here.

        Nothing else cancels an attempt's task.
        """
        tasks = [attempt.task for attempt in attempts if attempt.task is not None]
        for attempt in attempts:
            attempt.cut_off = attempt.cut_off or why
            if attempt.task is not None:
                attempt.task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for attempt in attempts:
            if attempt.task is None:  # it is being recorded, and ends itself behind that
                await asyncio.shield(attempt.ended)
                continue
            if not attempt.recorded:
                await give_up(attempt, self._tools)
            self._end(attempt)

    async def _run(self, attempt: Attempt) -> None:
        try:
            async with self._locks[attempt.row.app]:  # fair: first come, first served
                await perform(attempt, self._tools, self._url)
        except Exception:  # its end couldn't be recorded; the next start does that
            self._tools.events.log.error("deploy.lost", what=attempt.row.app, exc_info=True)
            self._end(attempt)
        else:
            self._end(attempt)
        finally:
            self._sweep(attempt)

    def _end(self, attempt: Attempt) -> None:
        """Let go all who wait for this attempt."""
        key = (attempt.row.app, attempt.row.id)
        if self._attempts.get(key) is attempt:
            del self._attempts[key]
            attempt.source.close()
            self._tools.events.release_deployment_journal(*key)
            attempt.ended.set_result(None)

    def _sweep(self, attempt: Attempt) -> None:
        """Remove what the attempt discarded, behind everybody's back."""
        work = asyncio.to_thread(empty_trash, attempt.paths)
        task = asyncio.create_task(work, name=f"sweep {attempt.row.app}")
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)
