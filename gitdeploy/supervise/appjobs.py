"""The jobs of one app: what is desired, what runs, and one change at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gitdeploy.home import Kind
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.context import Context, Desired, Source
from gitdeploy.supervise.continuous import Continuous
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.reconcile import Action, diff, wanted
from gitdeploy.supervise.retention import forget_old, forget_orphans
from gitdeploy.supervise.steering import steering
from gitdeploy.supervise.stop import stop


class AppJobs:
    """What the supervisor knows of one app.

    While it is `asleep` no continuous job runs (idling.py). `lock` is held by whoever changes what runs (a swap from prepare to commit). `continuous` are
    the jobs that are kept running, by name.
    """

    def __init__(self, context: Context, app: str) -> None:
        self.app = app
        self.lock = asyncio.Lock()
        self.desired: Desired | None = None
        self.disabled: frozenset[tuple[Kind, str]] = frozenset()
        self.continuous: dict[str, Continuous] = {}
        self.asleep = False
        self._context = context

    @property
    def stopped(self) -> bool:
        """WEBJOBS_STOPPED: nothing of the app runs."""
        return self.desired is not None and steering(self.desired.settings).stopped

    def job(self, kind: Kind, name: str) -> Job | None:
        """A desired job; names are matched without regard to case where no exact one is there."""
        if self.desired is None:
            return None
        index = self.desired.index
        return index.exact.get((kind, name)) or index.folded.get((kind, name.casefold()))

    def source(self, kind: Kind, name: str, desired: Desired | None = None) -> Source | None:
        """A job as it would be started from a desired state (default: the one in force)."""
        desired = desired or self.desired
        if desired is None:
            return None
        job = desired.index.exact.get((kind, name))
        return None if job is None else Source(desired=desired, job=job)

    def plan(self, desired: Desired | None) -> list[Action]:
        """What would have to be done about each continuous job for that desired state."""
        wants = (
            []
            if desired is None or self.asleep
            else wanted(desired.jobs, desired.settings, self.disabled)
        )
        running = {name: kept.identity for name, kept in self.continuous.items()}
        return diff(wants, running)

    async def reconcile(self, desired: Desired | None, *, reason: str) -> None:
        """Make what runs equal what is desired; new processes don't have to prove themselves.

        Returns once the new ones run; old ones get their stopping time in the background, those
        of singletons before. The caller holds the lock.
        """
        self.desired = desired
        work = [self._act(action, desired, reason) for action in self.plan(desired)]
        await asyncio.gather(*work)

    async def stop_all(self, *, reason: str) -> None:
        """Stop every continuous job, at the same time; returns when all are gone."""
        kept = list(self.continuous.values())
        await asyncio.gather(*(job.stop(reason=reason) for job in kept))
        self.continuous.clear()

    async def adopt(self, lives: Iterable[Live]) -> None:
        """Take up continuous processes that an earlier server left.

        The newest one of each desired identity goes on; one that isn't desired any more is
        replaced or stopped by the next `reconcile`; doubles (a crash came into a swap) are ended.
        """
        by_job: dict[str, list[Live]] = {}
        for live in lives:
            by_job.setdefault(live.execution.job, []).append(live)
        for name, candidates in by_job.items():
            source = self.source("continuous", name)
            identity = None if source is None else source.identity
            candidates.sort(key=lambda c: (c.execution.identity == identity, c.execution.id))
            chosen = candidates.pop()
            for other in candidates:
                self.end_later(other, reason="another process of the job goes on")
            if source is None:
                self.end_later(chosen, reason="not desired any more")
                continue
            kept = Continuous(self._context, source)
            kept.identity = chosen.execution.identity
            self.continuous[name] = kept
            kept.start(chosen)

    def keep(self, source: Source, live: Live | None) -> Continuous:
        """Make a job one that is kept running, as `source`, beginning with `live`."""
        kept = Continuous(self._context, source)
        self.continuous[source.job.name] = kept
        kept.start(live)
        return kept

    def end_later(self, live: Live, *, reason: str) -> None:
        """End a process without anybody waiting for it."""
        work = stop(self._context, live, Verdict("stopped"), reason=reason)
        self._context.own(work, name=f"end {live.exited.get_name()}")

    async def forget_old(self) -> None:
        """Executions past WEBJOBS_HISTORY_SIZE and directories that nobody knows."""
        if self.desired is None:
            return
        for job in self.desired.jobs:
            await forget_old(self._context, self.app, *job.key, self.desired.settings)
            await forget_orphans(self._context, self.app, *job.key)

    async def _act(self, action: Action, desired: Desired | None, reason: str) -> None:
        old = self.continuous.get(action.name)
        source = self.source("continuous", action.name, desired)
        match action.verb:
            case "keep":
                assert old is not None
                if source is not None:
                    old.adopt_source(source)
            case "start":
                assert source is not None
                await self.keep(source, None).begun()
            case "replace":
                assert old is not None
                assert source is not None
                await old.stop(reason=reason)
                await self.keep(source, None).begun()
            case "swap":
                assert old is not None
                assert source is not None
                live = await old.release()
                kept = self.keep(source, None)
                if live is not None:
                    self.end_later(live, reason=reason)
                await kept.begun()
            case "stop":
                assert old is not None
                await old.stop(reason=reason)
                self.continuous.pop(action.name, None)
