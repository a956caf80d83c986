"""`Supervisor`: makes what runs equal what is desired, on one instance, for all apps."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Literal, NoReturn

import msgspec

from gitdeploy.clock import Clock, to_datetime
from gitdeploy.config import Options
from gitdeploy.errors import Conflict, NotFound, Unavailable
from gitdeploy.events import Events, Log
from gitdeploy.home import Home, Kind
from gitdeploy.jobs import Schedule, schedule_of
from gitdeploy.jobs.job import Job
from gitdeploy.logs import Watcher
from gitdeploy.sandbox import Holders
from gitdeploy.store import App, Execution, Store
from gitdeploy.supervise.adopt import adopt_all
from gitdeploy.supervise.appjobs import AppJobs
from gitdeploy.supervise.context import Context, Desired, Source
from gitdeploy.supervise.desired import load
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.idling import Idling
from gitdeploy.supervise.live import Live, id_of
from gitdeploy.supervise.processes import JobProcess, processes_of
from gitdeploy.supervise.request import RunRequest
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.scheduler import Scheduler, Wish
from gitdeploy.supervise.steering import STOPPED, steering, stopping_wait
from gitdeploy.supervise.stop import stop
from gitdeploy.supervise.swap import Prepared
from gitdeploy.supervise.view import JobView, view

_DEFAULT_WAIT = 5.0
ScheduleState = Literal["active", "asleep", "disabled", "off", "ended"]


class Supervisor:
    """One per server: `start`, then everything else, then `close`."""

    def __init__(
        self,
        *,
        home: Home,
        store: Store,
        events: Events,
        clock: Clock,
        options: Options,
        holders: Holders,
        watcher: Watcher,
        instance: str,
    ) -> None:
        self._context = Context(home, store, events, clock, options, holders, watcher, instance)
        self._apps: dict[str, AppJobs] = {}
        self._runs = Runs(self._context, self._is_desired, self._run_ended, self._settings_of)
        self._scheduler = Scheduler(self._context, self.run, daily=self._forget_old)
        self._idling = Idling(clock, self._fall_asleep_or_wake)
        self._closing = False

    async def start(self) -> None:
        """Adopt what an earlier server left, make it what is desired, follow the schedules."""
        store, home = self._context.store, self._context.home
        await self._scheduler.load()
        desired = {app.name: await self._load(app.name) for app in await store.apps.all()}
        lives = await adopt_all(self._context, lambda e: _wait_of(desired.get(e.app), e))
        for app in desired:
            await self._app(app)
            # what stood by went with the server that a crash ended
            shutil.rmtree(home.app(app).standby, ignore_errors=True)
        for live in lives:
            if live.execution.kind == "triggered":
                self._adopt_run(live, desired.get(live.execution.app))
            elif live.execution.app not in desired:
                self._end_later(live)
        await asyncio.gather(*(self._begin(a, d, lives) for a, d in desired.items()))
        await self._scheduler.start()
        for each in await store.apps.all():
            self._idling.follow(each)
        self._idling.start()

    async def close(self, *, stop_jobs: bool) -> None:
        """Stop supervising. With `stop_jobs` every process is ended within its stopping time;
        without, all go on and the next server adopts them."""
        self._closing = True
        await self._idling.close()
        await self._scheduler.close()
        await self._runs.all_started()
        if stop_jobs:
            await asyncio.gather(
                *(jobs.stop_all(reason="the server stops") for jobs in self._apps.values())
            )
            verdict = Verdict("aborted", "The server was stopped.")
            await asyncio.gather(
                *(stop(self._context, live, verdict) for live in set(self._context.lives))
            )
        for jobs in self._apps.values():
            for kept in jobs.continuous.values():
                await kept.release()
        await self._runs.close()
        starts = {live.recorded for live in self._context.lives if live.recorded is not None}
        if starts:  # what was started is on record before the store closes
            await asyncio.wait(starts)
        tasks = set(self._context.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(live.let_go() for live in set(self._context.lives)))

    async def prepare(
        self, app: str, desired: Callable[[], Awaitable[Desired]], log: Log
    ) -> Prepared:
        """Phase 1 of a swap: start new and changed continuous jobs, see them live.

        `desired` is asked once nobody else changes the app, so that it knows of what others have
        just changed. `log` gets the records of the swap. What comes back holds the app until its
        `commit` or `abort`. Raises SwapFailed with everything as it was before.
        """
        jobs = await self._app(app)
        await jobs.lock.acquire()
        try:
            wanted = await desired()
        except BaseException:
            jobs.lock.release()
            raise
        prepared = Prepared(
            self._context,
            jobs,
            self._runs,
            wanted,
            log,
            on_commit=lambda: self._schedule(jobs),
        )
        await prepared.prepare()
        return prepared

    async def refresh(self, app: str, *, reason: str = "settings changed") -> None:
        """The app's settings or uploaded jobs have changed: make what runs follow."""
        jobs = await self._app(app)
        async with jobs.lock:
            await jobs.reconcile(await self._load(app), reason=reason)
            self._schedule(jobs)
            self._end_runs_if_stopped(jobs)

    def follow(self, app: App) -> None:
        """The app's attributes have changed: whether it may sleep, and when."""
        self._idling.follow(app)

    def asleep(self, app: str) -> bool:
        """Whether the app's continuous jobs have stopped for want of requests."""
        return self._idling.asleep(app)

    def asked(self, app: str) -> None:
        """Somebody asks something of the app: it goes on, or begins to wake."""
        if self._idling.asked(app) and not self._closing:
            self._context.own(self._idling.wake(app), name=f"wake {app}")

    @asynccontextmanager
    async def awake(self, app: str) -> AsyncIterator[None]:
        """Wake the app, its continuous jobs are started then, and keep it awake meanwhile."""
        with self._idling.in_use(app):
            await self._idling.wake(app)
            yield

    async def forget_job(
        self, app: str, kind: Kind, job: str, forget: Callable[[], Awaitable[None]]
    ) -> None:
        """A job was deleted from the store: stop it, `forget` what it did, follow the store.

        Another of its name, which the deleted one stood before, begins with nothing.
        """
        jobs = await self._app(app)
        async with jobs.lock:
            jobs.disabled -= {(kind, job)}
            desired = await self._load(app)
            without = desired
            if desired is not None:
                others = tuple(each for each in desired.jobs if each.key != (kind, job))
                without = msgspec.structs.replace(desired, jobs=others)
            await jobs.reconcile(without, reason="deleted")
            self._schedule(jobs)
            await self._runs.all_started(app)
            lives = [e for e in self._context.lives if id_of(e.execution)[:3] == (app, kind, job)]
            verdict = Verdict("stopped")
            ends = (stop(self._context, live, verdict, reason="deleted") for live in lives)
            await asyncio.gather(*ends)
            if kind == "triggered":  # what stands by has its data directory open
                await self._runs.dismiss(app)
            try:
                await forget()
            finally:
                await jobs.reconcile(desired, reason="deleted")
                self._schedule(jobs)

    async def enable(self, app: str, kind: Kind, job: str) -> None:
        """Start a job (a triggered one: its schedule) again. Raises NotFound."""
        await self._set_disabled(app, kind, job, disabled=False)

    async def disable(self, app: str, kind: Kind, job: str) -> None:
        """Stop a job (a triggered one: its schedule) until `enable`, across restarts.

        Returns when its process has ended. Raises NotFound.
        """
        await self._set_disabled(app, kind, job, disabled=True)

    async def run(self, app: str, job: str, request: RunRequest) -> Execution:
        """Start a run of a triggered job; returns when its process was started.

        Raises NotFound, Conflict (one runs, or WEBJOBS_STOPPED), Invalid (can't be started),
        Unavailable (the server is stopping).
        """
        jobs, found = self._find(app, "triggered", job)
        if jobs.stopped:
            raise Conflict(f"The jobs of {app} are stopped.", f"Remove the app setting {STOPPED}.")
        if self._closing:
            raise Unavailable("The server is stopping.", "Try again in a moment.")
        source = jobs.source("triggered", found.name)
        assert source is not None
        return await self._runs.run(source, request)

    async def stop_run(self, app: str, job: str, run: str) -> None:
        """End a run in an orderly way. Raises NotFound, Conflict where it has ended."""
        _, found = self._find(app, "triggered", job)
        await self._runs.stop(app, found.name, run)

    async def forget(self, app: str) -> None:
        """The app is being deleted: stop everything of it; returns when nothing is left."""
        jobs = await self._app(app)
        async with jobs.lock:
            self._scheduler.set(app, [])
            jobs.desired = None
            await jobs.stop_all(reason="the app is deleted")
            await self._runs.all_started(app)
            # Not yet adopted ones: a deletion that a crash cut off is finished before `start`.
            await adopt_all(self._context, lambda _: _DEFAULT_WAIT, app=app)
            lives = [live for live in self._context.lives if live.execution.app == app]
            ends = (stop(self._context, live, Verdict("stopped")) for live in lives)
            await asyncio.gather(*ends)
            await self._runs.dismiss(app)
            self._apps.pop(app, None)
            self._idling.forget(app)

    def jobs(self, app: str) -> list[JobView]:
        """Every desired job of an app with its state, by kind and name."""
        jobs = self._apps.get(app)
        if jobs is None or jobs.desired is None:
            return []
        found = sorted(jobs.desired.jobs, key=lambda job: job.key)
        return [view(job, jobs, self._runs, self._scheduler) for job in found]

    def schedule(self, app: str, job: str) -> Schedule | None:
        """A triggered job's schedule, in force or not; None where it has none that is valid."""
        _, found = self._find(app, "triggered", job)
        in_force = self._scheduler.schedule(app, found.name)
        if in_force is not None or not found.settings.scheduled:
            return in_force
        return schedule_of(found.settings, to_datetime(self._context.clock.now()))

    def schedule_state(self, app: str, job: str) -> ScheduleState:
        """Whether a job's schedule is followed, and why not."""
        jobs, found = self._find(app, "triggered", job)
        if found.key in jobs.disabled:
            return "disabled"
        if self._scheduler.schedule(app, found.name) is None:
            return "off"
        if jobs.asleep:
            return "asleep"
        return "active" if self._scheduler.next_due(app, found.name) is not None else "ended"

    async def wait_ended(self, execution: Execution) -> Execution:
        """Wait for the end of an execution of this instance; as it was recorded then.

        Raises NotFound where the store doesn't know it (any more).
        """
        key = id_of(execution)
        for live in self._context.lives:
            if id_of(live.execution) == key:
                return await live.wait()
        found = await self._context.store.executions.get(*key)
        if found is None:
            raise NotFound(f"{execution.job} has no execution {execution.id}.")
        return found

    async def processes(self, app: str) -> list[JobProcess]:
        """Every process that runs for the app's jobs at this moment."""
        lives = (live for live in self._context.lives if live.execution.app == app)
        return await processes_of([(e.execution, e.handle) for e in lives if e.is_process])

    def releases_in_use(self, app: str) -> set[int]:
        """Numbers of the releases that running processes live in."""
        return {
            live.execution.release
            for live in self._context.lives
            if live.execution.app == app and live.execution.release is not None
        }

    def uploads_in_use(self, app: str) -> set[tuple[Kind, str, int]]:
        """(kind, job, generation) of the uploads that running processes live in."""
        return {
            (live.execution.kind, live.execution.job, live.execution.upload)
            for live in self._context.lives
            if live.execution.app == app and live.execution.upload is not None
        }

    async def wait_left(self, app: str, kind: Kind, job: str, generation: int) -> None:
        """Wait until no process lives in that upload."""
        for live in [*self._context.lives]:
            execution = live.execution
            if id_of(execution)[:3] == (app, kind, job) and execution.upload == generation:
                await live.wait()

    async def _begin(self, app: str, desired: Desired | None, lives: list[Live]) -> None:
        jobs = self._apps[app]
        async with jobs.lock:
            jobs.desired = desired
            mine = [e for e in lives if e.execution.app == app and e.execution.kind == "continuous"]
            await jobs.adopt(mine)
            await jobs.reconcile(desired, reason="the server started")
            self._schedule(jobs)
            self._end_runs_if_stopped(jobs)
        self._context.own(jobs.forget_old(), name=f"forget old executions of {app}")

    async def _app(self, app: str) -> AppJobs:
        jobs = self._apps.get(app)
        if jobs is None:
            jobs = AppJobs(self._context, app)
            disabled = await self._context.store.jobs.disabled(app)
            jobs.disabled = frozenset((kind, name) for _, kind, name in disabled)
            jobs = self._apps.setdefault(app, jobs)
        return jobs

    async def _load(self, app: str) -> Desired | None:
        """What the store says that the app should have; None where that is nothing."""
        return await load(self._context.store, self._context.home, app)

    async def _fall_asleep_or_wake(self, app: str, asleep: bool) -> None:
        jobs = await self._app(app)
        async with jobs.lock:
            jobs.asleep = asleep
            log = self._context.events.app_log(app)
            if asleep:
                log.info("app.asleep")
            await jobs.reconcile(jobs.desired, reason="nobody has asked for a while")
            self._schedule(jobs)
            if not asleep:
                log.info("app.awake")

    async def _set_disabled(self, app: str, kind: Kind, name: str, *, disabled: bool) -> None:
        jobs, job = self._find(app, kind, name)
        async with jobs.lock:
            await self._context.store.jobs.set_disabled(app, kind, job.name, disabled)
            change = {job.key}
            jobs.disabled = jobs.disabled | change if disabled else jobs.disabled - change
            kept = jobs.continuous.get(job.name) if kind == "continuous" else None
            if kept is not None and disabled:
                await kept.stop(reason="disabled", status="Disabling")
                jobs.continuous.pop(job.name, None)
            await jobs.reconcile(jobs.desired, reason="disabled" if disabled else "enabled")
            self._schedule(jobs)

    def _schedule(self, jobs: AppJobs) -> None:
        desired = jobs.desired
        wishes: list[Wish] = []
        if desired is not None:
            steer = steering(desired.settings)
            if not steer.stopped and not steer.schedules_off:
                wishes = [
                    Wish(job.name, job.settings, jobs.asleep)
                    for job in desired.jobs
                    if job.kind == "triggered"
                    and job.runnable
                    and job.settings.scheduled
                    and job.key not in jobs.disabled
                ]
        self._scheduler.set(jobs.app, wishes)

    def _run_ended(self, app: str, job: str) -> None:
        if not self._closing:
            self._scheduler.ended(app, job)

    async def _forget_old(self) -> None:
        """Once a day: executions that have grown too old."""
        for jobs in list(self._apps.values()):
            await jobs.forget_old()

    def _end_runs_if_stopped(self, jobs: AppJobs) -> None:
        """By WEBJOBS_STOPPED; one that is being started sees to that itself."""
        if jobs.stopped:
            for live in [*self._context.lives]:
                if (live.execution.app, live.execution.kind) == (jobs.app, "triggered"):
                    jobs.end_later(live, reason=STOPPED)

    def _adopt_run(self, live: Live, desired: Desired | None) -> None:
        jobs = self._apps.get(live.execution.app)
        source = None
        if jobs is not None and desired is not None:
            source = jobs.source("triggered", live.execution.job, desired)
        self._runs.adopt(live, source)
        if jobs is None:
            self._end_later(live)

    def _end_later(self, live: Live) -> None:
        work = stop(self._context, live, Verdict("stopped"), reason="its app is gone")
        self._context.own(work, name=f"end {live.exited.get_name()}")

    def _settings_of(self, app: str) -> Mapping[str, str] | None:
        jobs = self._apps.get(app)
        return None if jobs is None or jobs.desired is None else jobs.desired.settings

    def _is_desired(self, source: Source) -> bool:
        jobs = self._apps.get(source.app)
        return jobs is not None and jobs.desired is source.desired and not self._closing

    def _find(self, app: str, kind: Kind, name: str) -> tuple[AppJobs, Job]:
        jobs = self._apps.get(app)
        job = None if jobs is None else jobs.job(kind, name)
        if jobs is None or job is None:
            _no_job(app, kind, name)
        return jobs, job


def _no_job(app: str, kind: Kind, name: str) -> NoReturn:
    raise NotFound(f"{app} has no {kind} job {name}.", f"Push one in App_Data/jobs/{kind}/{name}.")


def _wait_of(desired: Desired | None, execution: Execution) -> float:
    key = (execution.kind, execution.job)
    job = None if desired is None else next((j for j in desired.jobs if j.key == key), None)
    return _DEFAULT_WAIT if job is None else stopping_wait(job)
