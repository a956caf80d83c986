"""The apps whose jobs are supervised: opened once, found by name, their schedules followed."""

from __future__ import annotations

from collections.abc import Mapping

from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.appjobs import AppJobs
from gitdeploy.supervise.context import Context, Desired, Source
from gitdeploy.supervise.desired import load
from gitdeploy.supervise.scheduler import Scheduler, Wish
from gitdeploy.supervise.steering import STOPPED, steering


class Apps:
    """Every app's `AppJobs`, from the first who asks for it until the app is gone."""

    def __init__(self, context: Context, scheduler: Scheduler) -> None:
        self._context = context
        self._scheduler = scheduler
        self._known: dict[str, AppJobs] = {}

    async def open(self, app: str) -> AppJobs:
        """The app's jobs; made where nobody has asked for them before."""
        jobs = self._known.get(app)
        if jobs is None:
            jobs = AppJobs(self._context, app)
            disabled = await self._context.store.jobs.disabled(app)
            jobs.disabled = frozenset((kind, name) for _, kind, name in disabled)
            jobs = self._known.setdefault(app, jobs)
        return jobs

    def get(self, app: str) -> AppJobs | None:
        """The app's jobs, where they are open."""
        return self._known.get(app)

    def all(self) -> list[AppJobs]:
        """All that are open."""
        return list(self._known.values())

    def close(self, app: str) -> None:
        """The app is gone."""
        self._known.pop(app, None)

    async def load(self, app: str) -> Desired | None:
        """What the store says that the app should have; None where that is nothing."""
        return await load(self._context.store, self._context.home, app)

    def find(self, app: str, kind: Kind, name: str) -> tuple[AppJobs, Job]:
        """A desired job and its app. Raises NotFound."""
        jobs = self._known.get(app)
        job = None if jobs is None else jobs.job(kind, name)
        if jobs is None or job is None:
            raise NotFound(
                f"{app} has no {kind} job {name}.", f"Push one in App_Data/jobs/{kind}/{name}."
            )
        return jobs, job

    def settings_of(self, app: str) -> Mapping[str, str] | None:
        """The app's settings that are in force; None where it has nothing deployed."""
        jobs = self._known.get(app)
        return None if jobs is None or jobs.desired is None else jobs.desired.settings

    def in_force(self, source: Source) -> bool:
        """Whether a job would still be started like that."""
        jobs = self._known.get(source.app)
        return jobs is not None and jobs.desired is source.desired

    def schedule(self, jobs: AppJobs) -> None:
        """Have the schedules followed that the app's jobs have now."""
        self._scheduler.set(jobs.app, _wishes(jobs))

    def end_runs_if_stopped(self, jobs: AppJobs) -> None:
        """By WEBJOBS_STOPPED; a run that is being started sees to that itself."""
        if jobs.stopped:
            for live in [*self._context.lives]:
                if (live.execution.app, live.execution.kind) == (jobs.app, "triggered"):
                    jobs.end_later(live, reason=STOPPED)


def _wishes(jobs: AppJobs) -> list[Wish]:
    desired = jobs.desired
    if desired is None:
        return []
    steer = steering(desired.settings)
    if steer.stopped or steer.schedules_off:
        return []
    return [
        Wish(job.name, job.settings, jobs.asleep)
        for job in desired.jobs
        if job.kind == "triggered"
        and job.runnable
        and job.settings.scheduled
        and job.key not in jobs.disabled
    ]
