"""Jobs and runs as Kudu shows them. Pure functions of rows and views."""

from __future__ import annotations

import signal

from gitdeploy.clock import rfc3339
from gitdeploy.errors import NotFound
from gitdeploy.home import Kind
from gitdeploy.jobs import HttpAction, kudu_status
from gitdeploy.net import shown
from gitdeploy.store import Execution
from gitdeploy.supervise import JobView, Supervisor
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.paths import DATA, JOB_LOG, OUTPUT_LOG, SCHEDULER_LOG

_SIGNALLED = 128
FAMILY: dict[Kind, str] = {"continuous": "continuouswebjobs", "triggered": "triggeredwebjobs"}


def find(supervisor: Supervisor, app: str, kind: Kind, name: str) -> JobView:
    """A job by its name, whose case doesn't matter. Raises NotFound."""
    wanted = name.casefold()
    for view in supervisor.jobs(app):
        if view.job.kind == kind and view.job.name.casefold() == wanted:
            return view
    raise NotFound(
        f"{app} has no {kind} job {name[:100]!r}.", f"Push one in App_Data/jobs/{kind}/."
    )


def continuous(
    view: JobView, app: str, way: Way, instance: str, *, sdk: bool
) -> shapes.ContinuousJob:
    """A continuous job; `sdk` says whether it uses the WebJobs SDK."""
    job = view.job
    url = way.api(app, FAMILY["continuous"], job.name)
    return shapes.ContinuousJob(
        name=job.name,
        run_command=job.script or "",
        type="continuous",
        url=url,
        extra_info_url=way.page(app, "jobs", job.name),
        error=view.error,
        using_sdk=sdk,
        settings=job.settings.raw,
        status=view.status,
        detailed_status=f"{instance} - {view.status}",
        log_url=way.vfs(app, *DATA, "continuous", job.name, JOB_LOG),
        pid=view.pid,
        since=_time(view.since),
        restarts=view.restarts,
        enabled=view.enabled,
        origin=_origin(view),
    )


def triggered(
    view: JobView, app: str, latest: Execution | None, way: Way, now: int, *, sdk: bool
) -> shapes.TriggeredJob:
    """A triggered job with its newest run; `sdk` as for a continuous one."""
    job = view.job
    url = way.api(app, FAMILY["triggered"], job.name)
    scheduled = job.settings.scheduled
    logs = way.vfs(app, *DATA, "triggered", job.name, SCHEDULER_LOG)
    return shapes.TriggeredJob(
        name=job.name,
        run_command=_request_of(job.action) if job.action else job.script or "",
        type="triggered",
        url=url,
        extra_info_url=way.page(app, "jobs", job.name),
        error=view.error,
        using_sdk=sdk,
        settings=job.settings.raw,
        history_url=f"{url}/history",
        scheduler_logs_url=logs if scheduled else None,
        latest_run=None if latest is None else run(latest, way, now),
        next_run=_time(view.next_due),
        enabled=view.enabled,
        origin=_origin(view),
    )


def _origin(view: JobView) -> shapes.Origin:
    return "upload" if view.uploaded else "release"


def run(execution: Execution, way: Way, now: int) -> shapes.Run:
    """A run; `now` ends the duration of one that still runs."""
    url = way.api(execution.app, FAMILY["triggered"], execution.job, "history", execution.id)
    began = execution.started_at or execution.created_at
    return shapes.Run(
        id=execution.id,
        name=execution.id,
        status=kudu_status(execution.status),
        start_time=rfc3339(began),
        end_time=_time(execution.ended_at),
        duration=shapes.duration((execution.ended_at or now) - began),
        output_url=way.vfs(
            execution.app, *DATA, "triggered", execution.job, execution.id, OUTPUT_LOG
        ),
        error_url=None,
        url=url,
        job_name=execution.job,
        trigger=execution.trigger,
        exit_code=execution.exit_code,
        instance=execution.instance,
        deployment=execution.deployment,
        error=execution.error,
        signal=signal_name(execution.exit_code),
        who=execution.who or None,
        scheduled_for=_time(execution.scheduled_for),
        cpu_seconds=execution.cpu_seconds,
        peak_memory=execution.peak_memory,
        output_bytes=execution.output_bytes,
    )


def _request_of(action: HttpAction) -> str:
    """What an action asks, without what may be secret in its address."""
    return f"{action.request.method} {shown(action.request.uri)}"


def signal_name(exit_code: int | None) -> str | None:
    """`SIGTERM` for 143, as a shell tells it; None where no signal ended it."""
    if exit_code is None or exit_code <= _SIGNALLED:
        return None
    try:
        return signal.Signals(exit_code - _SIGNALLED).name
    except ValueError:
        return None


def _time(moment: int | None) -> str | None:
    return None if moment is None else rfc3339(moment)
