"""Runs of triggered jobs: one at a time each unless they overlap, ended when they take too long or do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from gitdeploy.errors import Conflict, GitdeployError, Invalid, NotFound
from gitdeploy.jobs import HostMissing
from gitdeploy.sandbox import MOST_STANDING
from gitdeploy.store import Execution
from gitdeploy.supervise.acting import start_action
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.idle import until_idle
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.recording import record_execution
from gitdeploy.supervise.request import RunRequest
from gitdeploy.supervise.retention import forget_old
from gitdeploy.supervise.spawn import spawn, stand_by
from gitdeploy.supervise.steering import STOPPED, steering
from gitdeploy.supervise.stop import stop

_KEYS_KEPT = 86_400_000_000
"""How long the same Idempotency-Key means the same run, microseconds."""


class Runs:
    """The runs that are under way, of all apps."""

    def __init__(
        self,
        context: Context,
        is_desired: Callable[[Source], bool],
        on_end: Callable[[str, str], None],
        settings_of: Callable[[str], Mapping[str, str] | None],
    ) -> None:
        """`on_end` is told (app, job) when a run has ended; `settings_of` are an app's now."""
        self._context = context
        self._on_end = on_end
        self._is_desired = is_desired
        self._settings_of = settings_of
        self._current: dict[tuple[str, str], dict[str, Live]] = {}
        self._starting: dict[asyncio.Task[Execution], str] = {}
        self._tending: set[asyncio.Task[None]] = set()
        self._preparing: dict[tuple[str, str], asyncio.Task[None]] = {}

    def current(self, app: str, job: str) -> Live | None:
        """The run of a job that is under way; the newest where several are."""
        return next(reversed(self.all_current(app, job)), None)

    def all_current(self, app: str, job: str) -> list[Live]:
        """The runs of a job that are under way, oldest first."""
        lives = self._current.get((app, job), {})
        return [live for live in lives.values() if not live.ended.done()]

    async def run(self, source: Source, request: RunRequest) -> Execution:
        """Start a run; returns when its process was started.

        One that was started with the request's key within a day is returned as it is now. Raises
        Conflict while one runs, Invalid where the job can't be started (no script, its
        host is missing, arguments that don't parse).
        """
        job = source.job
        if not job.runnable:
            raise Invalid(
                f"{job.name} can't be started: {job.error or 'it has no runnable script.'}",
                "Mend the job's files and push again.",
            )
        # Shielded: a client that goes away must not leave a process that nobody watches.
        starting = asyncio.create_task(self._known_or_started(source, request))
        self._starting[starting] = source.app
        starting.add_done_callback(self._starting.pop)
        return await asyncio.shield(starting)

    async def all_started(self, app: str | None = None) -> None:
        """Wait until no run of the app (of any) is between being asked for and being started."""
        while under_way := [task for task, of in self._starting.items() if app in (None, of)]:
            await asyncio.wait(under_way)

    def adopt(self, live: Live, source: Source | None) -> None:
        """Take up a run that an earlier server started."""
        self._tend(live, source)

    async def stop(self, app: str, job: str, run: str) -> None:
        """End a run; returns when it is recorded as stopped.

        Raises NotFound where the job has no such run, Conflict where it has ended.
        """
        live = self._current.get((app, job), {}).get(run)
        if live is not None and not live.ended.done():
            await stop(self._context, live, Verdict("stopped"), reason="asked")
            return
        if await self._context.store.executions.get(app, "triggered", job, run) is None:
            raise NotFound(f"{job} has no run {run}.")
        raise Conflict(f"Run {run} of {job} has ended already.")

    async def stop_job(self, app: str, job: str, *, reason: str) -> None:
        """End the job's runs that are under way."""
        lives = self.all_current(app, job)
        verdict = Verdict("stopped")
        await asyncio.gather(*(stop(self._context, e, verdict, reason=reason) for e in lives))

    async def dismiss(self, app: str) -> None:
        """Let go of what stands by for an app's next runs."""
        preparing = [task for key, task in self._preparing.items() if key[0] == app]
        if preparing:
            await asyncio.wait(preparing)
        self._context.holders.dismiss(self._context.home.app(app).standby)

    async def close(self) -> None:
        """Stop tending; the processes are left as they are, those that stand by go."""
        for task in self._tending:
            task.cancel()
        await asyncio.gather(*self._tending, return_exceptions=True)
        preparing = list(self._preparing.values())
        for each in preparing:
            each.cancel()
        await asyncio.gather(*preparing, return_exceptions=True)
        self._context.holders.dismiss()

    async def _known(self, source: Source, request: RunRequest) -> Execution | None:
        if request.key is None:
            return None
        since = self._context.clock.now() - _KEYS_KEPT
        find = self._context.store.executions.by_key
        return await find(source.app, source.job.name, request.key, since=since)

    async def _known_or_started(self, source: Source, request: RunRequest) -> Execution:
        if (known := await self._known(source, request)) is not None:
            return known
        try:
            return await self._start(source, request)
        except Conflict:  # it may have been the same request, twice at once
            if (known := await self._known(source, request)) is not None:
                return known
            raise

    async def _start(self, source: Source, request: RunRequest) -> Execution:
        if source.job.action is not None:
            execution = await record_execution(self._context, source, request)
            live = await start_action(self._context, source, execution)
        else:
            try:
                live = await spawn(self._context, source, request=request)
            except HostMissing as failure:
                raise Invalid(failure.what, failure.fix) from failure
        self._tend(live, source)
        if steering(self._settings_of(source.app) or {}).stopped:  # set while it was being started
            work = stop(self._context, live, Verdict("stopped"), reason=STOPPED)
            self._context.own(work, name=f"end {live.exited.get_name()}")
        return live.execution

    def _tend(self, live: Live, source: Source | None) -> None:
        key = live.execution.app, live.execution.job
        self._current.setdefault(key, {})[live.execution.id] = live
        task = asyncio.create_task(self._watch(live, source), name=f"tend {live.exited.get_name()}")
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def _watch(self, live: Live, source: Source | None) -> None:
        execution = live.execution
        try:
            await self._bound(live, source)
            ended_itself = source is not None and live.is_process and live.verdict is None
            if source is not None and ended_itself and self._is_desired(source):
                self._stand_by(source)
            await live.wait()
        except Exception:
            live.log.exception("supervisor.failed", what="watching a run")
        finally:
            key = execution.app, execution.job
            mine = self._current.get(key, {})
            mine.pop(execution.id, None)
            if not mine:
                self._current.pop(key, None)
            self._on_end(*key)
        settings = self._settings_of(execution.app)  # as they are now: a run may last for days
        if settings is None:
            return
        try:
            await forget_old(self._context, execution.app, "triggered", execution.job, settings)
        except Exception:
            live.log.exception("supervisor.failed", what="forgetting old runs")

    def _stand_by(self, source: Source) -> None:
        """A job that ran by itself to its end is likely to run again.

        Not while others wait for their start, nor more at a time than may stand by.
        """
        key = source.app, source.job.name
        if self._context.gate.crowded or len(self._preparing) >= MOST_STANDING:
            return
        if key not in self._preparing:
            work = self._prepare(source)
            task = self._preparing[key] = asyncio.create_task(work, name=f"prepare {key}")
            task.add_done_callback(lambda _: self._preparing.pop(key, None))

    async def _prepare(self, source: Source) -> None:
        try:
            await stand_by(self._context, source)
        except (GitdeployError, OSError) as failure:
            log = self._context.job_log(source.app, "triggered", source.job.name)
            log.debug("run.not_prepared", error=str(failure))

    async def _bound(self, live: Live, source: Source | None) -> None:
        """Wait for the end, or end it when its time or its idle time is over."""
        settings = {} if source is None else source.desired.settings
        timeout = None if source is None else source.job.settings.timeout
        idle_limit = steering(settings).idle_timeout
        clock = self._context.clock
        execution = live.execution
        directory = self._context.home.app(execution.app).execution(
            execution.kind, execution.job, execution.id
        )
        waits: set[asyncio.Future[object]] = {live.exited}  # type: ignore[arg-type]
        idle = over = None
        if idle_limit > 0 and live.is_process:
            idle = asyncio.ensure_future(until_idle(clock, live.handle, directory, idle_limit))
        if timeout is not None:
            over = asyncio.ensure_future(clock.sleep(max(0.0, timeout - live.ran())))
        limits = {limit for limit in (idle, over) if limit is not None}
        try:
            await asyncio.wait(waits | limits, return_when=asyncio.FIRST_COMPLETED)
            if live.exited.done():
                return
            if over is not None and over.done():
                error = f"Ended after {timeout:g} s, its timeout in settings.job."
            else:
                error = f"Ended after {idle_limit:g} s without output or CPU time (WEBJOBS_IDLE_TIMEOUT)."
            await stop(self._context, live, Verdict("failed", error), reason=error)
        finally:
            for limit in limits:
                limit.cancel()
            await asyncio.gather(*limits, return_exceptions=True)
