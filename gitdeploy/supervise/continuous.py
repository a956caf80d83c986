"""One continuous job's life: started, watched, started again when it ends."""

from __future__ import annotations

import asyncio
from typing import Literal

from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.supervise.backoff import after_end
from gitdeploy.supervise.context import Context, Source
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.spawn import spawn
from gitdeploy.supervise.steering import restart_time
from gitdeploy.supervise.stop import stop

Status = Literal[
    "Initializing", "Starting", "Running", "PendingRestart", "Stopping", "Stopped", "Disabling"
]
"""Kudu's continuous states (kudu.md)."""


class Continuous:
    """Keeps one continuous job running from `start` until `stop` or `let_go`.

    `source` is what the next start uses, `live` the process that runs now, `error` why the newest
    start failed, `restarts` how often it was started again since this server keeps it.
    """

    def __init__(self, context: Context, source: Source) -> None:
        self.source = source
        self.identity = source.identity
        self.status: Status = "Initializing"
        self.live: Live | None = None
        self.error: str | None = None
        self.restarts = 0
        self._context = context
        self._log = context.job_log(source.app, "continuous", source.job.name)
        self._loop: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    def start(self, live: Live | None = None, *, log: Log | None = None) -> None:
        """Keep it running from now on, with `live` where its process runs already."""
        assert self._loop is None
        self.live = live
        if live is not None:
            self._begun.set()
        self.status = "Running" if live is not None else "Starting"
        name = f"keep {self.source.app}/continuous/{self.source.job.name}"
        self._loop = asyncio.create_task(self._keep(live, log), name=name)

    async def begun(self) -> None:
        """Wait until its process was started for the first time, or couldn't be, or is let go."""
        await self._begun.wait()

    def adopt_source(self, source: Source) -> None:
        """The same job from a newer release: the process stays, the next start is from there."""
        self.source = source

    async def release(self) -> Live | None:
        """Stop keeping it; its process, if one runs, goes on and is the caller's."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        self._begun.set()
        live, self.live = self.live, None
        return None if live is None or live.ended.done() else live

    async def stop(
        self, *, reason: str, status: Status = "Stopping", wait: float | None = None
    ) -> None:
        """Stop keeping it and end its process."""
        self.status = status
        live = await self.release()
        if live is not None:
            await stop(self._context, live, Verdict("stopped"), wait=wait, reason=reason)
        self.status = "Stopped"

    async def _keep(self, live: Live | None, log: Log | None) -> None:
        failures = 0
        while True:
            ran = 0.0
            try:
                if live is None:
                    live = await self._start(log)
                ran = await self._until_end(live)
            except GitdeployError as failure:
                self.error = str(failure)
                self._log.warning("job.refused", what=failure.what, fix=failure.fix)
            except Exception as failure:
                self.error = f"Unexpected: {failure}"
                self._log.exception("supervisor.failed", what="keeping a job running")
            self.live = live = log = None
            self._begun.set()
            base = restart_time(self.source.job, self.source.desired.settings)
            delay, failures = after_end(ran, failures, base)
            self.status = "PendingRestart"
            self._log.info("job.restarting", delay=delay, failures=failures)
            if delay > 0:
                await self._context.clock.sleep(delay)
            self.restarts += 1

    async def _start(self, log: Log | None) -> Live:
        """Start the process; when cancelled meanwhile it is not lost but left in `live`."""
        self.status = "Starting"
        starting = asyncio.create_task(spawn(self._context, self.source, log=log))
        try:
            self.live = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})
            if not starting.cancelled() and starting.exception() is None:
                self.live = starting.result()
            raise
        self.status = "Running"
        self.error = None
        self._begun.set()
        return self.live

    async def _until_end(self, live: Live) -> float:
        await asyncio.wait({live.exited})
        ran = live.ran()
        await live.wait()
        return ran
