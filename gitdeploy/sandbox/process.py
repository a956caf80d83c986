"""Level process: the tree ends whole, no new privileges, umask 077, no core dumps.

Whole by the first of these that works: a PID namespace made by util-linux' unshare (its init is
the holder, all die with it), a cgroup of its own (version 2), or the search for descendants, the
session and a marker in the environment, which a process that empties its environment escapes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.base import Base, kill_all, let_go, of_this_boot
from gitdeploy.sandbox.census import Everybody
from gitdeploy.sandbox.cgroup import Cgroups
from gitdeploy.sandbox.errors import SpawnError
from gitdeploy.sandbox.launch import Launcher, complete_environment
from gitdeploy.sandbox.none import session_members
from gitdeploy.sandbox.port import Handle, Spec
from gitdeploy.sandbox.probe import try_out
from gitdeploy.sandbox.shell import first_child, hold, quote

MARKER = "GITDEPLOY_TREE"
_LIMITS = "ulimit -c 0\nulimit -n 65536"
_UMASK = 0o077


class ProcessIsolation(Base):
    """`mechanism` is decided by `probe`; a test may ask for a certain one."""

    level = "process"

    def __init__(
        self,
        launcher: Launcher,
        *,
        mechanism: held.Mechanism | None = None,
        cgroups: Cgroups | None = None,
    ) -> None:
        super().__init__(launcher)
        self.mechanism = mechanism
        self._cgroups = cgroups or Cgroups.of_this_process()
        self._before = tuple(_no_new_privileges())

    async def probe(self) -> str | None:
        """Settle on a mechanism; there is always one that works where level none does."""
        if not Path("/bin/sh").exists():
            return "there is no /bin/sh"
        candidates: tuple[held.Mechanism, ...] = (
            (self.mechanism,) if self.mechanism else ("namespace", "cgroup", "marker")
        )
        reasons = []
        for mechanism in candidates:
            self.mechanism = mechanism
            reason = self._missing(mechanism) or await try_out(self)
            if reason is None:
                return None
            reasons.append(f"{mechanism}: {reason}")
        return "; ".join(reasons)

    async def spawn(self, spec: Spec) -> Handle:
        """Start; returns when the job's process exists."""
        if self.mechanism is None and (reason := await self.probe()):
            raise SpawnError(f"Level process doesn't work here: {reason}.")
        environment = complete_environment(spec)
        before, enter, group = self._before, "", None
        if self.mechanism == "namespace":
            before = (*before, *_unshare())
        elif self.mechanism == "cgroup":
            group = self._cgroups.create()
            # the job's process moves itself: the holder stays out and can write the status
            enter = f"echo 0 >{quote(str(group / 'cgroup.procs'))} || exit 126"
        else:
            environment[MARKER] = str(spec.directory)
        try:
            outer = hold(
                self._launcher,
                spec,
                environment,
                before=before,
                limits=_LIMITS,
                enter=enter,
                umask=_UMASK,
            )
        except SpawnError:
            if group is not None:
                group.rmdir()
            raise
        assert self.mechanism is not None
        held.write(
            spec.directory,
            held.Held(
                level="process",
                mechanism=self.mechanism,
                boot_id=procfs.boot_id(),
                outer=outer.pid,
                outer_start=outer.start,
                cgroup=str(group) if group else None,
            ),
        )
        holder: procfs.Stat | None = outer
        if self.mechanism == "namespace":
            holder = await first_child(outer, spec.directory, begun=False)
        job = await first_child(holder, spec.directory, begun=True) if holder else None
        if holder is None and held.read_status(spec.directory) is None:
            raise SpawnError(f"{spec.argv[0]} can't be started: unshare failed.")
        return self._handle(holder or outer, job, spec.directory)

    def found(self, directory: Path, outer: procfs.Stat) -> Handle:
        """The handle of a tree that is there, made anew from its first process."""
        record = held.read(directory)
        holder: procfs.Stat | None = outer
        if record is not None and record.mechanism == "namespace":
            holder = procfs.stat(next(iter(procfs.children(outer.pid)), 0))
        job = procfs.stat(next(iter(procfs.children(holder.pid)), 0)) if holder else None
        return self._handle(holder or outer, job, directory)

    async def wait(self, handle: Handle) -> int | None:
        """Wait for the end; an empty cgroup goes with it."""
        code = await super().wait(handle)
        record = held.read(Path(handle.directory))
        if record is not None and record.cgroup is not None:
            with contextlib.suppress(OSError):  # gone, or something still lives in it
                Path(record.cgroup).rmdir()
        return code

    async def kill_tree(self, handle: Handle) -> None:
        """SIGKILL to all of the tree; the holder writes 137 first where the job still ran."""
        if not of_this_boot(handle):
            return
        record = held.read(Path(handle.directory))
        mechanism = record.mechanism if record else "marker"
        procfs.send(handle.pid, handle.pid_start, signal.SIGKILL)
        if record and record.cgroup:
            await self._cgroups.kill(Path(record.cgroup))
        elif mechanism == "marker":
            await kill_all(lambda: self._members(handle))
        # In a namespace the holder is init: when it has ended, none is left.
        await let_go(handle.holder, handle.holder_start)
        if record and mechanism == "namespace":
            await let_go(record.outer, record.outer_start)

    async def _members(self, handle: Handle) -> list[procfs.Stat]:
        everybody = await self._launcher.census.look()
        return await asyncio.to_thread(_marked, everybody, handle)

    def _missing(self, mechanism: held.Mechanism) -> str | None:
        if mechanism == "namespace" and shutil.which("unshare") is None:
            return "unshare isn't installed (apt-get install util-linux)"
        if mechanism == "cgroup":
            return self._cgroups.missing()
        return None


def _no_new_privileges() -> Iterator[str]:
    path = shutil.which("setpriv")
    if path is not None:
        yield from (path, "--no-new-privs")


def _unshare() -> Iterator[str]:
    """unshare(1), never with --kill-child: the tree outlives the server.

    Its own /proc, so that the numbers there are those of the namespace.
    """
    yield shutil.which("unshare") or "unshare"
    if os.geteuid() != 0:
        yield from ("--user", "--map-current-user")
    yield from ("--pid", "--fork", "--mount-proc")


def _marked(everybody: Everybody, handle: Handle) -> list[procfs.Stat]:
    """The session, the descendants, and whoever has the marker in its environment."""
    entry = f"{MARKER}={handle.directory}".encode()
    marked = [
        each
        for session in everybody.sessions.values()
        for each in session
        if each.pid != handle.holder and procfs.environment_has(each.pid, entry)
    ]
    return [*session_members(everybody, handle), *marked]
