"""What the API and the pages say of a job."""

from __future__ import annotations

import msgspec

from gitdeploy.jobs import host_error
from gitdeploy.jobs.job import Job
from gitdeploy.supervise.appjobs import AppJobs
from gitdeploy.supervise.context import Source
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.scheduler import Scheduler


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A desired job and its state now.

    `status` is Kudu's for a continuous job (Initializing, Starting, Running, PendingRestart,
    Stopping, Stopped, Disabling); for a triggered one Running or Ready. `since` (when the process
    was started) and `next_due` are microseconds since the epoch; `port` is its WEBJOBS_PORT; `enabled` is False for a job
    that was stopped by hand; `error` says why it doesn't start; `uploaded` that it isn't the release's.
    """

    job: Job
    status: str
    pid: int | None = None
    since: int | None = None
    restarts: int = 0
    next_due: int | None = None
    port: int | None = None
    enabled: bool = True
    error: str | None = None
    uploaded: bool = False


def view(job: Job, jobs: AppJobs, runs: Runs, scheduler: Scheduler) -> JobView:
    """The state of one job of an app."""
    enabled = job.key not in jobs.disabled
    source = jobs.source(*job.key)
    uploaded = source is not None and source.uploaded is not None
    if job.kind == "triggered":
        live = runs.current(jobs.app, job.name)
        return JobView(
            job=job,
            status="Ready" if live is None else "Running",
            pid=None if live is None else live.handle.pid or None,
            since=None if live is None else live.execution.started_at,
            next_due=scheduler.next_due(jobs.app, job.name),
            enabled=enabled,
            error=job.error or _host_error(source),
            uploaded=uploaded,
        )
    kept = jobs.continuous.get(job.name)
    if kept is None:
        error = job.error or _host_error(source)
        return JobView(job=job, status="Stopped", enabled=enabled, error=error, uploaded=uploaded)
    live = kept.live
    return JobView(
        job=job,
        status=kept.status,
        pid=None if live is None else live.handle.pid or None,
        since=None if live is None else live.execution.started_at,
        restarts=kept.restarts,
        port=None if live is None else live.port,
        enabled=enabled,
        error=job.error or kept.error,
        uploaded=uploaded,
    )


def _host_error(source: Source | None) -> str | None:
    """Looked at anew each time: it may have been installed meanwhile."""
    return None if source is None else host_error(source.job, source.root)
