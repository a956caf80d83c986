"""Which schedule a triggered job has, and whether it is followed."""

from __future__ import annotations

from typing import Literal

from gitdeploy.clock import Clock, to_datetime
from gitdeploy.jobs import Schedule, schedule_of
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.appjobs import AppJobs
from gitdeploy.supervise.scheduler import Scheduler

ScheduleState = Literal["active", "asleep", "disabled", "off", "ended"]


def schedule(scheduler: Scheduler, app: str, job: Job, clock: Clock) -> Schedule | None:
    """In force or not; None where the job has none that is valid."""
    in_force = scheduler.schedule(app, job.name)
    if in_force is not None or not job.settings.scheduled:
        return in_force
    return schedule_of(job.settings, to_datetime(clock.now()))


def schedule_state(scheduler: Scheduler, jobs: AppJobs, job: Job) -> ScheduleState:
    """Whether a job's schedule is followed, and why not."""
    if job.key in jobs.disabled:
        return "disabled"
    if scheduler.schedule(jobs.app, job.name) is None:
        return "off"
    if jobs.asleep:
        return "asleep"
    return "active" if scheduler.next_due(jobs.app, job.name) is not None else "ended"
