"""`Supervisor`: makes what runs equal what is desired, on one instance, for all apps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.errors import Conflict, Unavailable
from gitdeploy.events import Events, Log
from gitdeploy.home import Home, Kind
from gitdeploy.jobs import Schedule
from gitdeploy.logs import Watcher
from gitdeploy.sandbox import Holders
from gitdeploy.store import App, Execution, Store
from gitdeploy.supervise import following, running
from gitdeploy.supervise.apps import Apps
from gitdeploy.supervise.begin import begin
from gitdeploy.supervise.context import Context, Desired, Source
from gitdeploy.supervise.finish import finish
from gitdeploy.supervise.following import ScheduleState
from gitdeploy.supervise.idling import Idling
from gitdeploy.supervise.processes import JobProcess, processes_of
from gitdeploy.supervise.removal import remove_app, remove_job
from gitdeploy.supervise.request import RunRequest
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.scheduler import Scheduler
from gitdeploy.supervise.steering import STOPPED, Steering, steering
from gitdeploy.supervise.swap import Prepared
from gitdeploy.supervise.view import JobView, view


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
        self._scheduler = Scheduler(self._context, self.run, daily=self._forget_old)
        self._apps = Apps(self._context, self._scheduler)
        self._runs = Runs(self._context, self._goes_on, self._run_ended, self._apps.settings_of)
        self._idling = Idling(clock, self._fall_asleep_or_wake)
        self._closing = False

    async def start(self) -> None:
        """Adopt what an earlier server left, make it what is desired, follow the schedules."""
        await self._scheduler.load()
        await begin(self._context, self._apps, self._runs)
        await self._scheduler.start()
        for each in await self._context.store.apps.all():
            self._idling.follow(each)
        self._idling.start()

    async def close(self, *, stop_jobs: bool) -> None:
        """Stop supervising. With `stop_jobs` every process is ended within its stopping time;
        without, all go on and the next server adopts them."""
        self._closing = True
        await self._idling.close()
        await self._scheduler.close()
        await finish(self._context, self._apps, self._runs, stop_jobs=stop_jobs)

    async def prepare(
        self, app: str, desired: Callable[[], Awaitable[Desired]], log: Log
    ) -> Prepared:
        """Phase 1 of a swap: start new and changed continuous jobs, see them live.

        `desired` is asked once nobody else changes the app, so that it knows of what others have
        just changed. `log` gets the records of the swap. What comes back holds the app until its
        `commit` or `abort`. Raises SwapFailed with everything as it was before.
        """
        jobs = await self._apps.open(app)
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
            on_commit=lambda: self._apps.schedule(jobs),
        )
        await prepared.prepare()
        return prepared

    async def refresh(self, app: str, *, reason: str = "settings changed") -> None:
        """The app's settings or uploaded jobs have changed: make what runs follow."""
        jobs = await self._apps.open(app)
        async with jobs.lock:
            await jobs.reconcile(await self._apps.load(app), reason=reason)
            self._apps.schedule(jobs)
            self._apps.end_runs_if_stopped(jobs)

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
        await remove_job(self._context, self._apps, self._runs, (app, kind, job), forget)

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
        jobs, found = self._apps.find(app, "triggered", job)
        if jobs.stopped:
            raise Conflict(f"The jobs of {app} are stopped.", f"Remove the app setting {STOPPED}.")
        if self._closing:
            raise Unavailable("The server is stopping.", "Try again in a moment.")
        source = jobs.source("triggered", found.name)
        assert source is not None
        return await self._runs.run(source, request)

    async def stop_run(self, app: str, job: str, run: str) -> None:
        """End a run in an orderly way. Raises NotFound, Conflict where it has ended."""
        _, found = self._apps.find(app, "triggered", job)
        await self._runs.stop(app, found.name, run)

    async def forget(self, app: str) -> None:
        """The app is being deleted: stop everything of it; returns when nothing is left."""
        await remove_app(self._context, self._apps, self._runs, app)
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
        _, found = self._apps.find(app, "triggered", job)
        return following.schedule(self._scheduler, app, found, self._context.clock)

    def schedule_state(self, app: str, job: str) -> ScheduleState:
        """Whether a job's schedule is followed, and why not."""
        jobs, found = self._apps.find(app, "triggered", job)
        return following.schedule_state(self._scheduler, jobs, found)

    def steering(self, app: str) -> Steering:
        """What the app's settings ask of the supervisor, as they are in force now."""
        jobs = self._apps.get(app)
        return steering({} if jobs is None or jobs.desired is None else jobs.desired.settings)

    async def wait_ended(self, execution: Execution) -> Execution:
        """Wait for the end of an execution of this instance; as it was recorded then.

        Raises NotFound where the store doesn't know it (any more).
        """
        return await running.wait_ended(self._context, execution)

    async def processes(self, app: str) -> list[JobProcess]:
        """Every process that runs for the app's jobs at this moment."""
        lives = (live for live in self._context.lives if live.execution.app == app)
        return await processes_of([(e.execution, e.handle) for e in lives if e.is_process])

    def releases_in_use(self, app: str) -> set[int]:
        """Numbers of the releases that running processes live in."""
        return running.releases_in_use(self._context, app)

    def uploads_in_use(self, app: str) -> set[tuple[Kind, str, int]]:
        """(kind, job, generation) of the uploads that running processes live in."""
        return running.uploads_in_use(self._context, app)

    async def wait_left(self, app: str, kind: Kind, job: str, generation: int) -> None:
        """Wait until no process lives in that upload."""
        await running.wait_left(self._context, app, kind, job, generation)

    async def _fall_asleep_or_wake(self, app: str, asleep: bool) -> None:
        jobs = await self._apps.open(app)
        async with jobs.lock:
            jobs.asleep = asleep
            log = self._context.events.app_log(app)
            if asleep:
                log.info("app.asleep")
            await jobs.reconcile(jobs.desired, reason="nobody has asked for a while")
            self._apps.schedule(jobs)
            if not asleep:
                log.info("app.awake")

    async def _set_disabled(self, app: str, kind: Kind, name: str, *, disabled: bool) -> None:
        jobs, job = self._apps.find(app, kind, name)
        async with jobs.lock:
            await self._context.store.jobs.set_disabled(app, kind, job.name, disabled)
            change = {job.key}
            jobs.disabled = jobs.disabled | change if disabled else jobs.disabled - change
            kept = jobs.continuous.get(job.name) if kind == "continuous" else None
            if kept is not None and disabled:
                await kept.stop(reason="disabled", status="Disabling")
                jobs.continuous.pop(job.name, None)
            await jobs.reconcile(jobs.desired, reason="disabled" if disabled else "enabled")
            self._apps.schedule(jobs)

    def _run_ended(self, app: str, job: str) -> None:
        if not self._closing:
            self._scheduler.ended(app, job)

    async def _forget_old(self) -> None:
        """Once a day: executions that have grown too old."""
        for jobs in self._apps.all():
            await jobs.forget_old()

    def _goes_on(self, source: Source) -> bool:
        """Whether a job is likely to be run like that again."""
        return self._apps.in_force(source) and not self._closing
