"""What the three levels do alike with a Handle: look, wait, ask to end, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from gitdeploy.config import IsolationLevel
from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.errors import SandboxError
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.port import Handle

_HOLDER_LIMIT = 2.0
_KILL_LIMIT = 30.0


class Base:
    """The shared half of an Isolation; `level` and `_exit_code` are the other half's."""

    level: IsolationLevel

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def alive(self, handle: Handle) -> bool:
        """Whether the job's own process runs."""
        return of_this_boot(handle) and procfs.alive(handle.pid, handle.pid_start)

    async def wait(self, handle: Handle) -> int | None:
        """Wait for the end; the exit code, or None where it was lost."""
        directory = Path(handle.directory)
        if not of_this_boot(handle):
            return self._exit_code(directory)
        code = await self._launcher.code(handle.holder, handle.holder_start)
        written = self._exit_code(directory)
        if written is not None:
            return written
        # The holder was killed from outside: the job may have survived it, its code can't.
        await procfs.ended(handle.pid, handle.pid_start)
        # A holder of ours that ended by itself has the code even if the disk was full.
        return code if code is not None and code >= 0 else None

    def terminate(self, handle: Handle) -> None:
        """SIGTERM to the job's process group."""
        if not self.alive(handle):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(os.getpgid(handle.pid), signal.SIGTERM)

    def _exit_code(self, directory: Path) -> int | None:
        return held.read_status(directory)

    def _handle(self, holder: procfs.Stat, job: procfs.Stat | None, directory: Path) -> Handle:
        """A job that ended before it was seen has pid 0; its exit code is there to be read."""
        return Handle(
            level=self.level,
            boot_id=procfs.boot_id(),
            holder=holder.pid,
            holder_start=holder.start,
            pid=job.pid if job else 0,
            pid_start=job.start if job else 0,
            directory=str(directory),
        )


def of_this_boot(handle: Handle) -> bool:
    """Pids of an earlier boot name nobody."""
    return handle.boot_id == procfs.boot_id()


async def kill_all(members: Callable[[], Awaitable[Iterable[procfs.Stat]]]) -> None:
    """SIGKILL to all that `members` finds, again until it finds none that runs.

    Each round sees what was forked during the one before. Raises SandboxError where one can't be
    killed.
    """
    pause = 0.001
    deadline = time.monotonic() + _KILL_LIMIT
    while True:
        found = [each for each in await members() if each.runs]
        if not found:
            return
        if time.monotonic() > deadline:
            pids = ", ".join(str(each.pid) for each in found)
            raise SandboxError(
                f"Processes {pids} don't end at SIGKILL.",
                "Look for a hung disk or another user's process, and end them by hand.",
            )
        for each in found:
            procfs.send(each.pid, each.start, signal.SIGKILL)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.05)


async def let_go(pid: int, start: int, *, limit: float = _HOLDER_LIMIT) -> None:
    """Give a holder whose job was killed the time to write the status, then kill it too."""
    try:
        async with asyncio.timeout(limit):
            await procfs.ended(pid, start)
    except TimeoutError:
        procfs.send(pid, start, signal.SIGKILL)
        await procfs.ended(pid, start)


async def until(condition: Callable[[], bool], *, limit: float) -> bool:
    """Ask often until it is true; False after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.002)
    return True
