"""Runs of jobs that are an HTTP action: tasks of the server in place of processes.

Their output, history, time limit and abort are those of every run. A server that ends takes them
with it: the next one records them as aborted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from gitdeploy.errors import GitdeployError
from gitdeploy.jobs.action import HttpAction, Reference
from gitdeploy.sandbox import Handle
from gitdeploy.store import Execution
from gitdeploy.supervise.action import perform
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.steering import stopping_wait

_SIGTERM = 128 + 15


async def start_action(context: Context, source: Source, execution: Execution) -> Live:
    """Begin the action of a recorded run."""
    action = source.job.action
    assert action is not None
    home = context.home.app(execution.app)
    directory = home.execution(execution.kind, execution.job, execution.id)
    directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    context.watcher.watch(directory)
    running = msgspec.structs.replace(execution, status="running", started_at=context.clock.now())
    await context.store.executions.advance(
        execution, "initializing", "running", started_at=running.started_at
    )
    live = Live(
        context,
        running,
        nobody(directory),
        stopping_wait=stopping_wait(source.job),
        work=_act(context, source, action, directory),
    )
    live.log.info("run.started", trigger=running.trigger)
    return live


def nobody(directory: Path) -> Handle:
    """The handle of a run that has no process."""
    return Handle(
        level="none",
        boot_id="",
        holder=0,
        holder_start=0,
        pid=0,
        pid_start=0,
        directory=str(directory),
    )


async def _act(context: Context, source: Source, action: HttpAction, directory: Path) -> int:
    """Do it and write down what happens; the exit code of a process that would."""
    output = os.open(directory / "stdout", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(line: str) -> None:
        os.write(output, line.encode("utf-8", "replace") + b"\n")

    try:
        outcome = await perform(
            action,
            resolve_secret=_resolver(context, source),
            clock=context.clock,
            allow_private=context.options.allow_private_hooks,
            write=write,
        )
    except asyncio.CancelledError:
        write("Stopped.")
        return _SIGTERM
    except GitdeployError as error:
        write(str(error))
        return 1
    finally:
        os.close(output)
    return 0 if outcome.success else 1


def _resolver(context: Context, source: Source) -> Callable[[Reference], Awaitable[str | None]]:
    async def resolve(reference: Reference) -> str | None:
        if reference.setting is not None:
            return source.desired.settings.get(reference.setting)
        return await context.store.secrets.get(source.app, reference.secret or "")

    return resolve
