"""Start a job's process: recorded before it starts, so that no crash loses one."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from gitdeploy.events import Log
from gitdeploy.jobs import command, job_environment, uses_wine
from gitdeploy.sandbox import Handle, Spec
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.ending import Verdict, record_end
from gitdeploy.supervise.live import Live, with_process
from gitdeploy.supervise.ports import PORT, choose_port, write_port
from gitdeploy.supervise.recording import record_execution
from gitdeploy.supervise.request import RunRequest
from gitdeploy.supervise.steering import stopping_wait
from gitdeploy.supervise.stop import control_directory, shutdown_file
from gitdeploy.supervise.wine import PREFIX, make_prefix

_KEPT_RUNNING = RunRequest(trigger="")


async def spawn(
    context: Context,
    source: Source,
    *,
    request: RunRequest | None = None,
    log: Log | None = None,
) -> Live:
    """Record an execution, start its process, have that recorded too.

    `request` is how a triggered job's run was asked for. Returns when the process exists; the
    second record is on its way then (`Live.recorded`). `log` gets the start's event instead of
    the app's log. Raises HostMissing, Invalid (arguments), Conflict (a run of that triggered job
    is open), SpawnError; what was recorded is ended then.
    """
    request = request or _KEPT_RUNNING
    arguments = request.arguments
    # Refused before anything is recorded: no host, arguments that don't parse.
    environment = _environment(context, source)
    argv = command(source.job, root=source.root, environment=environment, arguments=arguments)
    execution = await record_execution(context, source, request)
    try:
        wine = await context.wine.common(context.home) if _has_prefix(source) else None
        spec = _spec(context, source, argv, execution.id, arguments, wine=wine)
        if wine is not None:
            app = context.home.app(source.app)
            await asyncio.to_thread(make_prefix, wine, app, spec.directory / PREFIX)
        await _make_directories(context, source, spec)
        if request.body is not None:
            spec = replace(spec, stdin=await asyncio.to_thread(_keep_body, spec, request.body))
        async with context.gate.passing():
            begun = context.clock.now()  # before the start: no output is older than its run
            handle = await context.holders.spawn(spec)
    except BaseException as failure:
        await _refused(context, execution, failure)
        raise
    return _started(context, source, execution, handle, begun, log)


async def stand_by(context: Context, source: Source) -> None:
    """Have the next run of a triggered job start sooner (sandbox/standby.py), where it can.

    Raises HostMissing, SpawnError, OSError; the next run says then what is wrong.
    """
    job = source.job
    if _has_prefix(source):  # of its own each run; the common one is what takes long
        await context.wine.common(context.home)
        return
    if job.settings.is_in_place is False:  # each run has another directory
        return
    directory = context.home.app(source.app).standby / uuid4().hex
    argv = command(job, root=source.root, environment=_environment(context, source))
    spec = _spec(context, source, argv, "", None, directory=directory)
    stands = False
    try:
        stands = await context.holders.prepare(spec)
    finally:
        if not stands:
            shutil.rmtree(directory, ignore_errors=True)


def _spec(
    context: Context,
    source: Source,
    argv: tuple[str, ...],
    execution: str,
    arguments: str | None,
    *,
    directory: Path | None = None,
    wine: Path | None = None,
) -> Spec:
    """What to start; `directory` where it isn't the execution's, `wine` the common prefix of a job
    that has one of its own.
    """
    job, site = source.job, source.desired
    home = context.home.app(source.app)
    directory = directory or home.execution(job.kind, job.name, execution)
    root = source.root
    readonly, writable = [site.root], [home.data]
    if root != site.root:
        readonly.append(root)
    environment = _environment(context, source)
    if environment is not None:
        readonly.append(environment)
    if job.kind == "continuous":
        readonly.append(control_directory(directory))
    prefix = None
    if wine is not None:
        prefix = directory / PREFIX
        readonly.append(wine)
        writable += [prefix, home.drive]
    if job.settings.is_in_place is False:
        root = directory / "copy"
        writable.append(root)
        argv = command(job, root=root, environment=environment, arguments=arguments)
    variables = job_environment(
        job,
        app=source.app,
        execution=execution,
        root=site.root,
        data=home.job_data(job.kind, job.name),
        home=home.data,
        settings=site.settings,
        directory=root / job.directory,
        environment=environment,
        arguments=arguments,
        shutdown_file=shutdown_file(directory) if job.kind == "continuous" else None,
        port=_port(context) if job.kind == "continuous" else None,
        prefix=prefix,
    )
    return Spec(
        argv=argv,
        cwd=root / job.directory,
        directory=directory,
        stdout=directory / "stdout",
        stderr=directory / "stderr",
        environment=variables,
        readonly=tuple(readonly),
        writable=tuple(writable),
    )


def _environment(context: Context, source: Source) -> Path | None:
    """The Python environment that the job runs in: its own, else the site's."""
    if source.job.environment is None:
        return source.desired.environment
    return context.home.app(source.app).environments / source.job.environment


def _has_prefix(source: Source) -> bool:
    """Whether wine runs the job in a prefix that is ours."""
    own = "WINEPREFIX" in source.desired.settings
    return not own and uses_wine(source.job, source.root)


def _keep_body(spec: Spec, body: bytes) -> Path:
    """The body of a request as the file that the script reads."""
    spec.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    file = spec.directory / "stdin"
    file.write_bytes(body)
    return file


def _port(context: Context) -> int | None:
    return choose_port(live.port for live in context.lives if live.port is not None)


async def _make_directories(context: Context, source: Source, spec: Spec) -> None:
    """All but the execution's own, which `spawn` makes, where it holds nothing yet."""
    job = source.job
    data = context.home.app(source.app).job_data(job.kind, job.name)
    if not data.is_dir():
        data.mkdir(parents=True, exist_ok=True)
    if job.kind == "continuous":
        control_directory(spec.directory).mkdir(parents=True, mode=0o700)
        if (port := spec.environment.get(PORT)) is not None:
            write_port(spec.directory, int(port))
    if job.settings.is_in_place is False:
        place = source.root / job.directory
        await asyncio.to_thread(_copy, place, spec.cwd)


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
    context: Context,
    source: Source,
    execution: Execution,
    handle: Handle,
    begun: int,
    log: Log | None,
) -> Live:
    context.watcher.watch(Path(handle.directory))  # behind the start: it finds what was written
    running = with_process(execution, handle, begun)
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
