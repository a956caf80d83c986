"""Control groups, version 2, as a way to end a process tree whole (kernel: cgroup-v2.rst)."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

from gitdeploy.sandbox import procfs
from gitdeploy.sandbox.base import until
from gitdeploy.sandbox.errors import SandboxError, SpawnError

_REMOVE_LIMIT = 2.0
_EMPTY_LIMIT = 30.0


class Cgroups:
    """Makes groups below `parent`, a directory of a cgroup2 file system; None: there is none."""

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent

    @classmethod
    def of_this_process(cls) -> Cgroups:
        """Groups below the one that this process is in."""
        mount = next((point for point, kind in _mounts() if kind == "cgroup2"), None)
        if mount is None:
            return cls(None)
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            if line.startswith("0::/"):
                return cls(mount / line.removeprefix("0::/"))
        return cls(None)

    def missing(self) -> str | None:
        """Why no group can be made here; None where one can."""
        if self._parent is None:
            return "no cgroup2 file system is mounted"
        if not os.access(self._parent, os.W_OK):
            return f"{self._parent} isn't writable for this user"
        return None

    def create(self) -> Path:
        """A new empty group. Raises SpawnError."""
        if self._parent is None:
            raise SpawnError("A cgroup can't be made: no cgroup2 file system is mounted.")
        group = self._parent / f"gitdeploy-{uuid.uuid4().hex}"
        try:
            group.mkdir()
        except OSError as error:
            raise SpawnError(f"A cgroup can't be made: {group}: {error.strerror}.") from error
        return group

    async def kill(self, group: Path) -> None:
        """SIGKILL to all in the group and remove it; returns when it is empty."""
        if not await until(lambda: _kill_once(group), limit=_EMPTY_LIMIT):
            raise SandboxError(f"Processes in {group} don't end at SIGKILL.")
        # one that is dying counts for a moment after it has left the list
        await until(lambda: _removed(group), limit=_REMOVE_LIMIT)


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill_once(group: Path) -> bool:
    """Whether the group is empty (or gone); if not, everybody in it gets SIGKILL."""
    try:
        members = (group / "cgroup.procs").read_text("ascii").split()
        if not members:
            return True
        try:
            # since Linux 5.14, and safe against forks; not O_CREAT, which this file system refuses
            (group / "cgroup.kill").open("r+").close()
            (group / "cgroup.kill").write_text("1", "ascii")
        except FileNotFoundError:
            for pid in members:
                found = procfs.stat(int(pid))
                if found is not None:
                    procfs.send(found.pid, found.start, signal.SIGKILL)
    except (FileNotFoundError, OSError):
        return not group.exists()
    return False


def _mounts() -> list[tuple[Path, str]]:
    fields = (line.split(" ") for line in Path("/proc/self/mounts").read_text("utf-8").splitlines())
    return [(Path(field[1].replace("\\040", " ")), field[2]) for field in fields]
