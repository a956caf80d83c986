"""Phase one and two of a swap: the new processes prove themselves, then the old ones stop.

`prepare` starts every changed or new continuous job beside the old one (a singleton's old process
stops first) and waits one grace for all. `commit` makes the new ones those that are kept and
stops the old; `abort` ends the new ones and brings back the singletons that were stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.home import Kind
from gitdeploy.jobs import HostMissing
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.appjobs import AppJobs
from gitdeploy.supervise.context import Context, Desired, Source
from gitdeploy.supervise.continuous import Continuous
from gitdeploy.supervise.early import early_end, early_fix
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.errors import SwapFailed
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.reconcile import Action, Change, changes
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.spawn import spawn
from gitdeploy.supervise.steering import process_identity
from gitdeploy.supervise.stop import stop
from gitdeploy.supervise.tail import last_lines

_UNDO_WAIT = 5.0
_TAIL = 20
_PROVEN_GRACE = 0.3
"""Seconds that the processes of a release that ran before have to live: a roll back is in a hurry."""
_GONE = "not desired any more"


class JobChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a deployment does to one job; pids where a process is swapped, else None.

    `seconds` is how long the new process took to start (0 where none was).
    """

    kind: Kind
    name: str
    change: Change
    old_pid: int | None = None
    new_pid: int | None = None
    seconds: float = 0.0


class Candidate:
    """A job's new process (None where it couldn't be started for want of its host)."""

    def __init__(self, source: Source, action: Action, old: Continuous | None) -> None:
        self.source = source
        self.action = action
        self.old = old
        self.old_pid = None if old is None or old.live is None else old.live.handle.pid
        self.live: Live | None = None
        self.began = 0.0
        self.seconds = 0.0
        self.error: str | None = None


class Prepared:
    """A swap between its phases; the app's jobs are locked until `commit` or `abort`."""

    def __init__(
        self,
        context: Context,
        jobs: AppJobs,
        runs: Runs,
        desired: Desired,
        log: Log,
        *,
        on_commit: Callable[[], None],
    ) -> None:
        """`on_commit` is called once the new state is in force (schedules follow it)."""
        self.changes: list[JobChange] = []
        self._context = context
        self._jobs = jobs
        self._runs = runs
        self._desired = desired
        self._log = log
        self._on_commit = on_commit
        self._candidates: dict[str, Candidate] = {}
        self._stopped_first: list[Continuous] = []
        self._done = False

    async def prepare(self) -> None:
        """Start what is new and see it live through the grace. Raises SwapFailed, all undone."""
        try:
            await self._start_all()
            await self._live_through_grace()
        except BaseException:
            await self.abort()
            raise
        self.changes = self._describe()

    async def commit(self) -> None:
        """The new processes are the job's from now on; returns when the old ones have ended."""
        if self._done:
            return
        self._done = True
        # Done by a task of its own: a caller that is cancelled leaves no half of a swap.
        await asyncio.shield(self._context.own(self._commit(), name=f"commit {self._jobs.app}"))

    async def abort(self) -> None:
        """Everything as it was before `prepare`; returns when the new processes have ended."""
        if self._done:
            return
        await asyncio.shield(self._context.own(self._undo(), name=f"abort {self._jobs.app}"))

    async def _start_all(self) -> None:
        actions = self._jobs.plan(self._desired)
        for action in actions:
            if action.verb in ("start", "swap", "replace"):
                source = self._jobs.source("continuous", action.name, self._desired)
                assert source is not None
                old = self._jobs.continuous.get(action.name)
                self._candidates[action.name] = Candidate(source, action, old)
        starts = [
            asyncio.create_task(self._start(candidate)) for candidate in self._candidates.values()
        ]
        try:
            await asyncio.gather(*starts)
        finally:  # one that failed: the others mustn't be lost while they are being started
            await asyncio.gather(*starts, return_exceptions=True)

    async def _start(self, candidate: Candidate) -> None:
        job = candidate.source.job
        clock = self._context.clock
        if candidate.action.verb == "replace" and candidate.old is not None:
            self._stopped_first.append(candidate.old)
            await candidate.old.stop(reason="a new version takes its place (singleton)")
        candidate.began = clock.monotonic()
        # Told with the start, so that a reader can leave the telling to the `job.swapped` to come.
        log = self._log if candidate.old_pid is None else self._log.bind(replaces=candidate.old_pid)
        starting = asyncio.create_task(spawn(self._context, candidate.source, log=log))
        try:
            candidate.live = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})
            if not starting.cancelled() and starting.exception() is None:
                candidate.live = starting.result()
            raise
        except HostMissing as failure:
            if self._context.options.strict:
                raise _failed(candidate, failure.what, failure.fix) from failure
            candidate.error = str(failure)
            self._log.warning("job.refused", job=job.name, what=failure.what, fix=failure.fix)
        except GitdeployError as failure:
            raise _failed(candidate, failure.what, failure.fix) from failure
        candidate.seconds = clock.monotonic() - candidate.began

    async def _live_through_grace(self) -> None:
        """Wait one grace for all; the first process that ends with a failure ends the wait."""
        grace = self._context.options.swap_grace
        if self._desired.proven:
            grace = min(grace, _PROVEN_GRACE)
        watched = {c.live.exited: c for c in self._candidates.values() if c.live is not None}
        if not watched:
            return
        timer = asyncio.ensure_future(self._context.clock.sleep(grace))
        waits: set[asyncio.Future[int | None] | asyncio.Future[None]] = {*watched, timer}
        try:
            while timer in waits and len(waits) > 1:
                done, waits = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for exited in done & watched.keys():
                    candidate = watched[exited]  # type: ignore[index]
                    if exited.exception() is not None or exited.result() != 0:
                        raise await self._died(candidate, grace)
        finally:
            timer.cancel()

    async def _died(self, candidate: Candidate, grace: float) -> SwapFailed:
        live = candidate.live
        assert live is not None
        lasted = live.ran()
        execution = await live.wait()
        tail = await last_lines(self._context, execution, _TAIL)
        job, old = candidate.source.job, None
        if candidate.old_pid is not None:
            replaced = candidate.action.verb == "replace"
            old = "is started again" if replaced else "runs on"
        what = early_end(f"continuous/{job.name}", lasted, execution.exit_code, old=old)
        fix = early_fix(f"{job.directory}/{job.script}", grace, wrote=bool(tail))
        return _failed(candidate, what, fix, tail)

    async def _commit(self) -> None:
        jobs, context = self._jobs, self._context
        try:
            actions = jobs.plan(self._desired)
            jobs.desired = self._desired
            stops: list[Coroutine[Any, Any, None]] = []
            for action in actions:
                old = jobs.continuous.get(action.name)
                candidate = self._candidates.get(action.name)
                if candidate is not None:
                    stops.append(self._take(candidate))
                elif action.verb == "keep" and old is not None:
                    source = jobs.source("continuous", action.name, self._desired)
                    if source is not None:
                        old.adopt_source(source)
                elif action.verb == "stop" and old is not None:
                    stops.append(self._remove(action.name, old))
            for change in self.changes:
                if change.kind == "triggered" and change.change == "-":
                    stop_run = self._runs.stop_job(jobs.app, change.name, reason=_GONE)
                    stops.append(stop_run)
            self._on_commit()
            await asyncio.gather(*stops)
        finally:
            jobs.lock.release()
        context.own(jobs.forget_old(), name=f"forget old executions of {jobs.app}")

    async def _take(self, candidate: Candidate) -> None:
        """The candidate becomes the process that is kept, its predecessor ends."""
        name = candidate.source.job.name
        predecessor = None if candidate.old is None else await candidate.old.release()
        kept = self._jobs.keep(candidate.source, candidate.live)
        kept.error = candidate.error
        if predecessor is not None:
            reason = "a new version takes its place"
            await stop(self._context, predecessor, Verdict("stopped"), reason=reason)
        if candidate.old_pid is not None and candidate.live is not None:
            seconds = self._context.clock.monotonic() - candidate.began
            self._log.info(
                "job.swapped",
                job=name,
                kind="continuous",
                old_pid=candidate.old_pid,
                new_pid=candidate.live.handle.pid,
                duration_ms=round(seconds * 1000),
            )

    async def _remove(self, name: str, old: Continuous) -> None:
        pid = None if old.live is None else old.live.handle.pid
        await old.stop(reason=_GONE)
        self._jobs.continuous.pop(name, None)
        self._log.info("job.stopped", job=name, kind="continuous", pid=pid)

    async def _undo(self) -> None:
        if self._done:
            return
        self._done = True
        try:
            lives = [c.live for c in self._candidates.values() if c.live is not None]
            reason = "the deployment didn't take effect"
            verdict = Verdict("stopped", "The deployment that started it didn't take effect.")
            ends = [
                stop(
                    self._context,
                    live,
                    verdict,
                    wait=min(_UNDO_WAIT, live.stopping_wait),
                    reason=reason,
                )
                for live in lives
            ]
            await asyncio.gather(*ends, return_exceptions=True)
            for old in self._stopped_first:
                self._jobs.keep(old.source, None)
        finally:
            self._jobs.lock.release()

    def _describe(self) -> list[JobChange]:
        before = self._jobs.desired
        compared = changes(_identities(before), _identities(self._desired))
        return [self._change(kind, name, change) for kind, name, change in compared]

    def _change(self, kind: Kind, name: str, change: Change) -> JobChange:
        candidate = self._candidates.get(name) if kind == "continuous" else None
        kept = self._jobs.continuous.get(name) if kind == "continuous" else None
        old_pid = None if kept is None or kept.live is None else kept.live.handle.pid
        if candidate is None:
            return JobChange(kind=kind, name=name, change=change, old_pid=old_pid)
        return JobChange(
            kind=kind,
            name=name,
            change=change,
            old_pid=candidate.old_pid,
            new_pid=None if candidate.live is None else candidate.live.handle.pid,
            seconds=candidate.seconds,
        )


def _identities(desired: Desired | None) -> list[tuple[Job, str]]:
    if desired is None:
        return []
    return [(job, process_identity(job, desired.settings)) for job in desired.jobs]


def _failed(candidate: Candidate, what: str, fix: str, tail: list[str] | None = None) -> SwapFailed:
    job = f"continuous/{candidate.source.job.name}"
    return SwapFailed(what, fix, job=job, tail=tail or ())
