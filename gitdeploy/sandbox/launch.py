"""Starting a holder and reaping it; what all three levels share on the way from Spec to pid.

subprocess.Popen is called in the loop itself: it uses vfork and returns within 0.2 ms here, less
than a hop to a thread and back. Ends are seen by a pidfd, not by asyncio's child watcher.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitdeploy.sandbox import procfs
from gitdeploy.sandbox.census import Census
from gitdeploy.sandbox.errors import SpawnError
from gitdeploy.sandbox.port import Spec


class Launcher:
    """The holders that this server started. They live on when the launcher is closed."""

    def __init__(self) -> None:
        self.census = Census()
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._codes: dict[tuple[int, int], int] = {}
        self._reapers: dict[int, asyncio.Task[None]] = {}

    def start(
        self,
        argv: Sequence[str],
        spec: Spec,
        *,
        environment: Mapping[str, str],
        cwd: Path | None,
        umask: int = -1,
        pass_fds: Sequence[int] = (),
        stdin: int | None = None,
    ) -> procfs.Stat:
        """Start a holder in its own session, output appended to the spec's files.

        Raises SpawnError.
        """
        try:
            stdout = os.open(spec.stdout, _APPEND, 0o600)
        except OSError as error:
            raise SpawnError(f"{spec.stdout} can't be opened: {error.strerror}.") from error
        reading = None
        try:
            if stdin is None and spec.stdin is not None:
                stdin = reading = os.open(spec.stdin, os.O_RDONLY | os.O_CLOEXEC)
            same = spec.stderr == spec.stdout
            stderr = stdout if same else os.open(spec.stderr, _APPEND, 0o600)
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL if stdin is None else stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=cwd,
                    env=dict(environment),
                    umask=umask,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )
            finally:
                if not same:
                    os.close(stderr)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            name = getattr(error, "filename", None) or spec.argv[0]
            raise SpawnError(f"{spec.argv[0]} can't be started: {name}: {reason}.") from error
        finally:
            os.close(stdout)
            if reading is not None:
                os.close(reading)
        found = procfs.stat(process.pid)
        assert found is not None, "a child that wasn't reaped has an entry in /proc"
        self._started[process.pid] = process
        self._reapers[process.pid] = asyncio.get_running_loop().create_task(self._reap(found))
        return found

    async def code(self, pid: int, start: int) -> int | None:
        """Wait for the end of a holder; its exit code (-N for signal N) if it was started here."""
        reaper = self._reapers.get(pid)
        if reaper is not None:
            await asyncio.wait([reaper])
        else:
            await procfs.ended(pid, start)
        return self._codes.get((pid, start))

    async def close(self) -> None:
        """Stop watching; what runs goes on running."""
        await self.census.close()
        reapers = list(self._reapers.values())
        for reaper in reapers:
            reaper.cancel()
        if reapers:
            await asyncio.wait(reapers)
        for process in self._started.values():
            process.returncode = 0  # it isn't ours to wait for any more, and Popen needn't warn
        self._started.clear()

    async def _reap(self, holder: procfs.Stat) -> None:
        try:
            await procfs.ended(holder.pid, holder.start)
            self._codes[holder.pid, holder.start] = self._started.pop(holder.pid).wait()
            while len(self._codes) > _REMEMBERED:
                del self._codes[next(iter(self._codes))]
        finally:
            self._reapers.pop(holder.pid, None)


_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_REMEMBERED = 10_000


def complete_environment(spec: Spec) -> dict[str, str]:
    """The spec's environment; PATH is the one thing that the server's own may add."""
    environment = dict(spec.environment)
    environment.setdefault("PATH", os.environ.get("PATH", os.defpath))
    environment["PWD"] = str(spec.cwd)
    return environment


def program(spec: Spec, environment: Mapping[str, str]) -> str:
    """The absolute path of the program to start. Raises SpawnError."""
    if not spec.argv:
        raise SpawnError("The command is empty.")
    if any("\0" in word for word in (*spec.argv, *environment, *environment.values())):
        raise SpawnError(f"{spec.argv[0]!r}: arguments and environment can't hold a NUL byte.")
    if any(not name or "=" in name for name in environment):
        raise SpawnError(f"{spec.argv[0]}: an environment variable's name is empty or has a '='.")
    if not spec.cwd.is_dir():
        raise SpawnError(f"{spec.argv[0]} can't be started: {spec.cwd} isn't a directory.")
    name = spec.argv[0]
    if "/" in name:
        name = str(spec.cwd / name)
    found = shutil.which(name, path=environment["PATH"])
    if found is None:
        if "/" not in name:
            raise SpawnError(f"{name} isn't on PATH ({environment['PATH']}).", f"Install {name}.")
        reason = "isn't executable" if Path(name).is_file() else "doesn't exist"
        raise SpawnError(f"{name} {reason}.")
    return str(spec.cwd / found)
