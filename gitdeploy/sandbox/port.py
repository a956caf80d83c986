"""The port through which every process that isn't ours is started, watched and ended whole.

Three implementations, `none`, `process` and `sandbox` (docs/security.md says what each promises),
one contract suite. A process outlives this server: its output goes to files, its exit status is
written by its holder, and a `Handle` (JSON in the store) is enough to take it up again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from gitdeploy.config import IsolationLevel


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What to start.

    `directory` is the execution's own directory (private to the server): the holder's status
    file goes there. `Holders` makes it where it is missing. `stdout` and `stderr` are opened for appending; the same path twice
    is one stream; `stdin` is a file to be read, else there is nothing to read. `readonly` and `writable` are what a sandbox shows of the disk beside the
    system; `environment` is complete, nothing of the server's is added but PATH where missing.
    """

    argv: tuple[str, ...]
    cwd: Path
    directory: Path
    stdout: Path
    stderr: Path
    environment: dict[str, str]
    readonly: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    stdin: Path | None = None


class Handle(msgspec.Struct, frozen=True, kw_only=True):
    """A started process tree, found again by pid, start time and boot id.

    `holder` is the process that records the exit status, `pid` the job's own first process (as
    seen from the host). The `*_start` are field 22 of /proc/PID/stat, in clock ticks.
    """

    level: IsolationLevel
    boot_id: str
    holder: int
    holder_start: int
    pid: int
    pid_start: int
    directory: str


class Isolation(Protocol):
    """One way to hold process trees."""

    @property
    def level(self) -> IsolationLevel:
        """Its name."""

    async def probe(self) -> str | None:
        """Try it for real once; None where it works here, else the reason in one clause."""

    async def spawn(self, spec: Spec) -> Handle:
        """Start; returns when the process exists. Raises SpawnError naming program and reason."""

    def alive(self, handle: Handle) -> bool:
        """Whether the job's own process (not a leftover grandchild) still runs.

        A pid that was reused, or a handle of an earlier boot, isn't it.
        """

    async def wait(self, handle: Handle) -> int | None:
        """Wait for the end and return the exit code, 128 + N for a death by signal N.

        Works for a process that another server started. None where the status was lost (the
        machine went down, or the holder was killed from outside).
        """

    def terminate(self, handle: Handle) -> None:
        """SIGTERM to the job's process group; nothing where it has ended."""

    async def kill_tree(self, handle: Handle) -> None:
        """SIGKILL to every process of the tree, daemonised ones too; returns when none is left."""
