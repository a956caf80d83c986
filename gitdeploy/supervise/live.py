"""One execution whose process runs: what may be asked of it, and its end, recorded once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from gitdeploy.events import Log
from gitdeploy.home import Kind
from gitdeploy.sandbox import Handle
from gitdeploy.store import Execution
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict, log_end, record_end
from gitdeploy.supervise.meter import Meter
from gitdeploy.supervise.ports import read_port


class Live:
    """An execution from its start (or adoption) to its recorded end.

    `exited` is done once the job's own process has ended (its exit code, None where that was
    lost); `ended` once the whole tree is gone and the end is in the store. Whoever stops it says
    before, in `verdict`, as what the end is to be recorded. `stopping_wait` is seconds.
    """

    def __init__(
        self,
        context: Context,
        execution: Execution,
        handle: Handle,
        *,
        stopping_wait: float,
        ran: float = 0.0,
        work: Coroutine[Any, Any, int | None] | None = None,
    ) -> None:
        """`work` is what a run without a process does; what it returns is the exit code."""
        self.execution = execution
        self.handle = handle
        self.stopping_wait = stopping_wait
        self.port = read_port(Path(handle.directory)) if execution.kind == "continuous" else None
        self.verdict: Verdict | None = None
        self.recorded: asyncio.Task[None] | None = None
        """The update of the store that says it runs; its end is recorded behind that."""
        self._context = context
        self._began = context.clock.monotonic() - ran
        self.log: Log = context.job_log(execution.app, execution.kind, execution.job).bind(
            **{"run" if execution.kind == "triggered" else "execution": execution.id}
        )
        name = f"{execution.app}/{execution.kind}/{execution.job}/{execution.id}"
        self.exited: asyncio.Task[int | None] = asyncio.create_task(
            context.holders.wait(handle) if work is None else work, name=f"wait {name}"
        )
        self.ended: asyncio.Task[Execution] = asyncio.create_task(self._end(), name=f"end {name}")
        self.is_process = work is None
        metered = work is None and execution.kind == "triggered"
        self._meter = Meter(handle) if metered else None
        context.lives.add(self)
        self.ended.add_done_callback(lambda _: context.lives.discard(self))

    def ran(self) -> float:
        """Seconds since the process was started."""
        return self._context.clock.monotonic() - self._began

    def terminate(self) -> None:
        """Ask it to end: SIGTERM to its process group."""
        if self.is_process:
            self._context.holders.terminate(self.handle)
        else:
            self.exited.cancel()

    async def kill(self) -> None:
        """End it and all below it; returns when nothing is left."""
        if self.is_process:
            await self._context.holders.kill_tree(self.handle)
        else:
            self.exited.cancel()
            await asyncio.wait({self.exited})

    async def wait(self) -> Execution:
        """The execution as it was recorded at its end; cancelling the caller changes nothing."""
        return await asyncio.shield(self.ended)

    async def let_go(self) -> None:
        """Stop watching and leave the process running; the next server adopts it."""
        for task in (self.exited, self.ended):
            task.cancel()
        if self._meter is not None:
            await self._meter.close()
        await asyncio.gather(self.exited, self.ended, return_exceptions=True)

    async def _end(self) -> Execution:
        lost = None
        try:
            code = await asyncio.shield(self.exited)
        except Exception as error:
            self.log.exception("supervisor.failed", what="waiting for a process")
            code, lost = None, Verdict("aborted", f"Watching the process failed: {error}")
        ran = self.ran()
        usage = None if self._meter is None else await self._meter.close()
        try:
            await self.kill()
        except Exception:
            self.log.exception("supervisor.failed", what="ending leftover processes")
        self._context.watcher.unwatch(Path(self.handle.directory))
        if self.recorded is not None:
            await asyncio.wait({self.recorded})
        execution = await record_end(
            self._context,
            self.execution,
            code,
            verdict=self.verdict or lost,
            ended_at=self._context.clock.now(),
            usage=usage,
        )
        log_end(self.log, execution, ran)
        return execution


def id_of(execution: Execution) -> tuple[str, Kind, str, str]:
    """What names an execution: app, kind, job and id."""
    return execution.app, execution.kind, execution.job, execution.id


def with_process(execution: Execution, handle: Handle, started_at: int) -> Execution:
    """The execution as it is once its process runs."""
    return msgspec.structs.replace(
        execution,
        status="running",
        process=msgspec.json.encode(handle).decode(),
        started_at=started_at,
    )
