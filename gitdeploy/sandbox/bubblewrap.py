"""Level sandbox: bubblewrap. Own PID, mount, IPC and UTS namespace, a read-only system.

bwrap's monitor process is the holder: it writes the exit code to `bwrap.json`. Its child is the
namespace's init; when that dies, all die. Options go in by a descriptor, the environment too:
bwrap itself, outside the sandbox, must not be loaded with an app's LD_PRELOAD, and a command line
is readable for everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.base import Base, let_go, of_this_boot
from gitdeploy.sandbox.errors import SpawnError
from gitdeploy.sandbox.launch import Launcher, complete_environment, program
from gitdeploy.sandbox.port import Handle, Spec
from gitdeploy.sandbox.probe import try_out
from gitdeploy.sandbox.shell import in_memory
from gitdeploy.sandbox.standby import WAITER
from gitdeploy.sandbox.view import View

_START_LIMIT = 20.0
_FIRST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.03
_UMASK = 0o077
_FREE_START = 60 * os.sysconf("SC_CLK_TCK")


class Bubblewrap(Base):
    """`bwrap` as the holder of a tree in namespaces of its own."""

    level = "sandbox"

    def __init__(self, launcher: Launcher) -> None:
        super().__init__(launcher)
        self._program = shutil.which("bwrap")
        self._view = View.of_this_system()

    async def probe(self) -> str | None:
        """Start one for real: user namespaces may be forbidden (sysctl, AppArmor)."""
        if self._program is None:
            return "bubblewrap isn't installed (apt-get install bubblewrap)"
        return await try_out(self)

    async def spawn(self, spec: Spec, *, wait: int | None = None) -> Handle:
        """Start; returns when the job's process exists, or with `wait` stands by (standby.py).

        Raises SpawnError.
        """
        if self._program is None:
            raise SpawnError("bwrap isn't installed.", "apt-get install bubblewrap")
        environment = complete_environment(spec)
        executable = program(spec, environment)
        held.clear(spec.directory)
        said = spec.stderr.stat().st_size if spec.stderr.exists() else 0
        opened: list[int] = []
        try:
            monitor = self._start(spec, executable, environment, opened, wait)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        with contextlib.suppress(OSError):  # a setuid bwrap isn't ours to limit
            resource.prlimit(monitor.pid, resource.RLIMIT_CORE, (0, 0))
        held.write(
            spec.directory,
            held.Held(
                level="sandbox",
                mechanism="bubblewrap",
                boot_id=procfs.boot_id(),
                outer=monitor.pid,
                outer_start=monitor.start,
            ),
        )
        job = await self._job(monitor, spec, said)
        return self._handle(monitor, job, spec.directory)

    def _start(
        self,
        spec: Spec,
        executable: str,
        environment: dict[str, str],
        opened: list[int],
        wait: int | None,
    ) -> procfs.Stat:
        """Start bwrap; it inherits all descriptors that end up in `opened`."""
        words = [*self._view.options(spec, executable, opened), *_environment(environment)]
        opened.append(arguments := in_memory(b"".join(os.fsencode(w) + b"\0" for w in words)))
        file = spec.directory / "bwrap.json"
        opened.append(status := os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        options = ("--args", str(arguments), "--json-status-fd", str(status))
        assert self._program is not None
        command = (executable, *spec.argv[1:]) if wait is None else WAITER
        return self._launcher.start(
            (self._program, *options, "--", *command),
            spec,
            environment={},
            cwd=None,
            umask=_UMASK,
            pass_fds=opened,
            stdin=wait,
        )

    def copies(self) -> tuple[int, ...]:
        """Changes when a file that every sandbox gets a copy of does."""
        return self._view.copies()

    def found(self, directory: Path, outer: procfs.Stat) -> Handle:
        """The handle of a tree that is there, made anew from its monitor."""
        init = held.read_bubblewrap(directory).init
        job = next(iter(procfs.children(init)), 0) if init else 0
        return self._handle(outer, procfs.stat(job), directory)

    async def kill_tree(self, handle: Handle) -> None:
        """SIGKILL to the namespace's init, and so to all; the monitor writes 137."""
        if not of_this_boot(handle):
            return
        directory = Path(handle.directory)
        init = self._init(handle, directory)
        if init is None and procfs.alive(handle.holder, handle.holder_start):
            # bwrap was still at its preparations: what it has as a child is init
            init = procfs.stat(next(iter(procfs.children(handle.holder)), 0))
        if init is not None:
            procfs.send(init.pid, init.start, signal.SIGKILL)
            await procfs.ended(init.pid, init.start)
        else:
            procfs.send(handle.pid, handle.pid_start, signal.SIGKILL)
        await let_go(handle.holder, handle.holder_start)

    def _exit_code(self, directory: Path) -> int | None:
        return held.read_bubblewrap(directory).exit_code

    def _init(self, handle: Handle, directory: Path) -> procfs.Stat | None:
        """The namespace's init, which outlives its monitor while a daemonised process lives."""
        pid = held.read_bubblewrap(directory).init
        found = procfs.stat(pid) if pid else None
        if found is None or not procfs.is_namespace_init(found.pid):
            return None
        # its start isn't on record, but lies between the monitor's and the job's
        latest = handle.pid_start or handle.holder_start + _FREE_START
        return found if handle.holder_start <= found.start <= latest else None

    async def _job(self, monitor: procfs.Stat, spec: Spec, said: int) -> procfs.Stat | None:
        """Wait for the child of init; None where it has ended already. Raises SpawnError."""
        deadline = time.monotonic() + _START_LIMIT
        own = Path(spec.argv[0]).name == "bwrap"
        preparing = "" if own else "bwrap"
        init = 0
        pause = _FIRST_PAUSE
        while True:
            if not init:
                init = next(iter(procfs.children(monitor.pid)), 0)
            for pid in procfs.children(init) if init else ():
                found = procfs.stat(pid)
                # under bwrap's name it still prepares the program's start
                if found is not None and found.parent == init and found.name != preparing:
                    return found
            if self._exit_code(spec.directory) is not None:
                return None
            if not procfs.alive(monitor.pid, monitor.start):
                if self._exit_code(spec.directory) is not None:
                    return None
                reason = held.tail(spec.stderr, said) or "bwrap ended without a word"
                raise SpawnError(f"{spec.argv[0]} can't be started in the sandbox: {reason}")
            if time.monotonic() > deadline:
                procfs.send(init, getattr(procfs.stat(init), "start", -1), signal.SIGKILL)
                raise SpawnError(f"bwrap started nothing in {_START_LIMIT:.0f} s.")
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, _LONGEST_PAUSE)  # the busier the machine, the less is looked


def _environment(environment: dict[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        yield from ("--setenv", name, value)
