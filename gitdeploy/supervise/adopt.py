"""After a crash of the server: take up the executions that it left, learn the ends it missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from gitdeploy.sandbox import Handle
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict, log_end, record_end
from gitdeploy.supervise.live import Live, id_of
from gitdeploy.supervise.wait import within

_NEVER = "The server ended before it was started."
_WITH_SERVER = "The server ended, and the action with it."
_BRIEFLY = 2.0
_LOOK_AGAIN = 0.02


async def adopt_all(
    context: Context, stopping_wait: Callable[[Execution], float], *, app: str | None = None
) -> list[Live]:
    """Bring every open execution of this instance to its true state; those that still run.

    With `app` only those of that app. What is watched already is left alone.

    Alive: taken up without touching it. Ended meanwhile: its end is recorded with the exit code
    that its holder wrote down. Never started: aborted. Lost (the machine went down): aborted.
    """
    lives: list[Live] = []
    watched = {id_of(live.execution) for live in context.lives}
    for execution in await context.store.executions.open(context.instance):
        if id_of(execution) in watched or app not in (None, execution.app):
            continue
        live = await _adopt(context, execution, stopping_wait(execution))
        if live is not None:
            lives.append(live)
    return lives


async def _adopt(context: Context, execution: Execution, stopping_wait: float) -> Live | None:
    directory = context.home.app(execution.app).execution(
        execution.kind, execution.job, execution.id
    )
    log = context.job_log(execution.app, execution.kind, execution.job).bind(
        **{"run" if execution.kind == "triggered" else "execution": execution.id}
    )
    handle: Handle | None
    if execution.process is not None:
        handle = msgspec.json.decode(execution.process, type=Handle)
    else:
        handle = await _find(context, directory)
    if handle is None:
        now = context.clock.now()
        what = _NEVER if execution.started_at is None else _WITH_SERVER
        await record_end(context, execution, None, verdict=Verdict("aborted", what), ended_at=now)
        log.warning("job.aborted", what=what)
        return None
    execution = msgspec.structs.replace(execution, process=msgspec.json.encode(handle).decode())
    execution = await _running(context, execution)
    if context.holders.alive(handle):
        context.watcher.watch(directory)
        started = execution.started_at or execution.created_at
        ran = max(0.0, (context.clock.now() - started) / 1e6)
        live = Live(context, execution, handle, stopping_wait=stopping_wait, ran=ran)
        log.info("job.adopted", pid=handle.pid, since=started)
        return live
    code = await _exit_code(context, handle)
    ended_at = _ended_at(directory, execution, context.clock.now())
    ended = await record_end(context, execution, code, ended_at=ended_at)
    ran = (ended_at - (execution.started_at or execution.created_at)) / 1e6
    log_end(log, ended, ran, while_away=True)
    return None


async def _find(context: Context, directory: Path) -> Handle | None:
    """The process that was started in a directory when the server died before it wrote that down.

    None where there is none. It may have been in the middle of starting: looked at again for a
    moment, until the job's own process is there or has ended.
    """
    handle = context.holders.find(directory)
    if handle is None or context.holders.alive(handle):
        return handle
    ended = asyncio.ensure_future(context.holders.wait(handle))
    try:
        for _ in range(int(_BRIEFLY / _LOOK_AGAIN)):
            handle = context.holders.find(directory)
            if handle is None or context.holders.alive(handle) or ended.done():
                return handle
            await asyncio.wait({ended}, timeout=_LOOK_AGAIN)
        return handle
    finally:
        ended.cancel()


async def _running(context: Context, execution: Execution) -> Execution:
    """Make up for the update of the store that the crash may have cut off."""
    if execution.status != "initializing":
        return execution
    columns = {
        "process": execution.process,
        "started_at": execution.started_at or execution.created_at,
    }
    await context.store.executions.advance(execution, "initializing", "running", **columns)
    return msgspec.structs.replace(execution, status="running", **columns)


async def _exit_code(context: Context, handle: Handle) -> int | None:
    """What the holder of an ended process wrote down; the rest of its tree is ended."""
    ended = asyncio.ensure_future(context.holders.wait(handle))
    # A holder that is still there although its job has ended gets a moment, not for ever.
    await within(context.clock, _BRIEFLY, [ended])
    await context.holders.kill_tree(handle)
    return await ended


def _ended_at(directory: Path, execution: Execution, now: int) -> int:
    """When it ended, microseconds: the last write in its directory (output or exit status)."""
    begun = execution.started_at or execution.created_at
    try:
        times = [entry.stat().st_mtime_ns // 1000 for entry in directory.iterdir()]
    except FileNotFoundError:
        return now
    return min(max([begun, *times]), now)
