"""Level none: an own session and process group, and a holder. Ends what stays in the session."""

from __future__ import annotations

import signal
from pathlib import Path

from gitdeploy.sandbox import held, procfs
from gitdeploy.sandbox.base import Base, kill_all, let_go, of_this_boot
from gitdeploy.sandbox.census import Everybody
from gitdeploy.sandbox.launch import Launcher, complete_environment
from gitdeploy.sandbox.port import Handle, Spec
from gitdeploy.sandbox.shell import first_child, hold


class NoIsolation(Base):
    """Works everywhere. A grandchild that daemonised out of the session isn't found."""

    level = "none"

    def __init__(self, launcher: Launcher) -> None:
        super().__init__(launcher)

    async def probe(self) -> str | None:
        """A POSIX shell is all it takes."""
        return None if Path("/bin/sh").exists() else "there is no /bin/sh"

    async def spawn(self, spec: Spec, *, wait: int | None = None) -> Handle:
        """Start; returns when the job's process exists, or with `wait` stands by (standby.py)."""
        holder = hold(self._launcher, spec, complete_environment(spec), wait=wait)
        held.write(
            spec.directory,
            held.Held(
                level="none",
                mechanism="session",
                boot_id=procfs.boot_id(),
                outer=holder.pid,
                outer_start=holder.start,
            ),
        )
        job = await first_child(holder, spec.directory, begun=True)
        return self._handle(holder, job, spec.directory)

    def found(self, directory: Path, outer: procfs.Stat) -> Handle:
        """The handle of a tree that is there, made anew from its first process."""
        job = next(iter(procfs.children(outer.pid)), 0)
        return self._handle(outer, procfs.stat(job), directory)

    async def kill_tree(self, handle: Handle) -> None:
        """SIGKILL to the session and to the descendants; the holder writes 137 and goes."""
        if not of_this_boot(handle):
            return
        procfs.send(handle.pid, handle.pid_start, signal.SIGKILL)
        await kill_all(lambda: self._members(handle))
        await let_go(handle.holder, handle.holder_start)
        await kill_all(lambda: self._members(handle))

    async def _members(self, handle: Handle) -> list[procfs.Stat]:
        return session_members(await self._launcher.census.look(), handle)


def session_members(everybody: Everybody, handle: Handle) -> list[procfs.Stat]:
    """Processes of the holder's session or below it, without the holder.

    A session's id can't become another process's pid while a member lives; where another process
    has the holder's pid now, the session is over.
    """
    now = procfs.stat(handle.holder)
    if now is not None and now.start != handle.holder_start:
        return []
    first = [handle.holder]
    found = {each.pid: each for each in everybody.sessions.get(handle.holder, ())}
    if (job := procfs.find(handle.pid, handle.pid_start)) is not None:
        first.append(job.pid)
        found[job.pid] = job
    found |= {each.pid: each for each in everybody.below(*first)}
    found.pop(handle.holder, None)
    return [each for each in found.values() if each.start >= handle.holder_start]
