"""Start a job's process: recorded before it starts, so that no crash loses one."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

from msgspec.structs import replace

from gitdeploy.errors import Conflict
from gitdeploy.events import Log
from gitdeploy.jobs import command, execution_id, job_environment, next_execution_id
from gitdeploy.sandbox import Handle, Spec
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.ending import Verdict, record_end
from gitdeploy.supervise.live import Live, id_of, with_process
from gitdeploy.supervise.steering import stopping_wait
from gitdeploy.supervise.stop import control_directory, shutdown_file


async def spawn(
    context: Context,
    source: Source,
    *,
    arguments: str | None = None,
    trigger: str = "",
    log: Log | None = None,
) -> Live:
    """Record an execution, start its process, have that recorded too.

    Returns when the process exists; the second record is on its way then (`Live.recorded`). `log`
    gets the start's event instead of the app's log. Raises HostMissing, Invalid (arguments),
    Conflict (a run of that triggered job is open), SpawnError; what was recorded is ended then.
    """
    site = source.desired
    # Refused before anything is recorded: no host, arguments that don't parse.
    argv = command(source.job, root=site.root, environment=site.environment, arguments=arguments)
    execution = await _record(context, source, arguments, trigger)
    try:
        spec = await _spec(context, source, execution, argv)
        handle = await context.holders.spawn(spec)
    except BaseException as failure:
        await _refused(context, execution, failure)
        raise
    return _started(context, source, execution, handle, log)


async def _record(
    context: Context, source: Source, arguments: str | None, trigger: str
) -> Execution:
    """The execution as it is in the store before its process is started."""
    store = context.store.executions
    now = context.clock.now()
    last = await store.newest(source.app, source.job.kind, source.job.name, limit=1)
    execution = Execution(
        app=source.app,
        kind=source.job.kind,
        job=source.job.name,
        # Ascending even when the clock was set back: history and retention go by it.
        id=next_execution_id(last[0].id, now) if last else execution_id(now),
        status="initializing",
        instance=context.instance,
        created_at=now,
        trigger=trigger,
        arguments=arguments,
        deployment=source.desired.release.deployment,
        release=source.desired.release.number,
        identity=source.identity,
    )
    while not await store.add(execution):
        # Refused because the id is taken (two within one tick), or because a run is open.
        if await store.get(*id_of(execution)) is None:
            raise Conflict(
                f"A run of {execution.job} is under way.",
                "Wait for its end, or stop it, and trigger it again.",
            )
        following = next_execution_id(execution.id, context.clock.now())
        execution = replace(execution, id=following)
    return execution


async def _spec(
    context: Context, source: Source, execution: Execution, argv: tuple[str, ...]
) -> Spec:
    """Make the directories and say what to start."""
    job, site = source.job, source.desired
    home = context.home.app(source.app)
    directory = home.execution(job.kind, job.name, execution.id)
    data = home.job_data(job.kind, job.name)
    control = control_directory(context, execution)
    control.mkdir(parents=True, mode=0o700)
    data.mkdir(parents=True, exist_ok=True)
    root = site.root
    own: tuple[Path, ...] = ()
    if job.settings.is_in_place is False:
        root = directory / "copy"
        own = (root,)
        await asyncio.to_thread(_copy, site.root / job.directory, root / job.directory)
        argv = command(job, root=root, environment=site.environment, arguments=execution.arguments)
    variables = job_environment(
        job,
        app=source.app,
        execution=execution.id,
        root=site.root,
        data=data,
        home=home.data,
        settings=site.settings,
        environment=site.environment,
        arguments=execution.arguments,
        shutdown_file=shutdown_file(context, execution) if job.kind == "continuous" else None,
    )
    variables["WEBJOBS_PATH"] = str(root / job.directory)
    return Spec(
        argv=argv,
        cwd=root / job.directory,
        directory=directory,
        stdout=directory / "stdout",
        stderr=directory / "stderr",
        environment=variables,
        readonly=(site.root, control, *([site.environment] if site.environment else [])),
        writable=(home.data, *own),
    )


def _copy(source: Path, target: Path) -> None:
    """A private, writable copy of the job's directory (`is_in_place: false`)."""
    shutil.copytree(source, target, symlinks=True)
    for directory, _, files in os.walk(target):
        for name in (".", *files):
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IWUSR)


async def _refused(context: Context, execution: Execution, failure: BaseException) -> None:
    verdict = Verdict("failed", f"It couldn't be started: {failure}")
    now = context.clock.now()
    await record_end(context, execution, None, verdict=verdict, ended_at=now)


def _started(
    context: Context, source: Source, execution: Execution, handle: Handle, log: Log | None
) -> Live:
    context.watcher.watch(Path(handle.directory))  # behind the start: it finds what was written
    running = with_process(execution, handle, context.clock.now())
    live = Live(context, running, handle, stopping_wait=stopping_wait(source.job))
    live.recorded = context.own(_record_start(context, execution, running), name="record a start")
    fields = {"kind": running.kind, "job": running.job}
    if running.kind == "triggered":
        to = live.log if log is None else log.bind(run=running.id, **fields)
        to.info("run.started", pid=handle.pid, trigger=running.trigger)
    else:
        to = live.log if log is None else log.bind(execution=running.id, **fields)
        to.info("job.started", pid=handle.pid)
    return live


async def _record_start(context: Context, execution: Execution, running: Execution) -> None:
    await context.store.executions.advance(
        execution, "initializing", "running", process=running.process, started_at=running.started_at
    )
