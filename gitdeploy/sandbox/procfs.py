"""What Linux says about processes: who a pid is, whose child, and when it ends.

A pid alone names nobody for long; a pid with its start time (field 22 of /proc/PID/stat, clock
ticks since boot, proc(5)) and the boot id does. Nothing here needs to be the process's parent.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_POLL = 0.05


class Stat(NamedTuple):
    """A line of /proc/PID/stat: `state` is one letter, `start` in ticks since boot, `name` the
    program's, cut at 15 bytes.
    """

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int
    name: str

    @property
    def runs(self) -> bool:
        """False for a zombie: it has ended and waits for its parent."""
        return self.state not in "ZX"


@lru_cache(maxsize=1)
def boot_id() -> str:
    """The kernel's random name of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def stat(pid: int) -> Stat | None:
    """None where there is no such process."""
    if pid <= 0:
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - polled, thrice as fast
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # the name in brackets may hold spaces and brackets of its own
    end = text.rindex(b")")
    fields = text[end + 2 :].split()
    return Stat(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start=int(fields[19]),
        name=os.fsdecode(text[text.index(b"(") + 1 : end]),
    )


def find(pid: int, start: int) -> Stat | None:
    """The process that had this pid and start time, zombies included, or None."""
    found = stat(pid)
    return found if found is not None and found.start == start else None


def alive(pid: int, start: int) -> bool:
    """Whether that very process runs (a zombie doesn't)."""
    found = find(pid, start)
    return found is not None and found.runs


def processes() -> Iterator[Stat]:
    """Every process there is; those that end meanwhile are left out."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - names only
        if name.isdigit() and (found := stat(int(name))) is not None:
            yield found


def children(pid: int) -> list[int]:
    """Pids of a process's children, oldest first."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        if stat(pid) is None:
            return []
        # a kernel without CONFIG_PROC_CHILDREN
        return [each.pid for each in sorted(processes(), key=_age) if each.parent == pid]


def descendants(pid: int) -> list[Stat]:
    """Children, their children and so on, as of one look at all processes."""
    by_parent: dict[int, list[Stat]] = {}
    for each in processes():
        by_parent.setdefault(each.parent, []).append(each)
    found: list[Stat] = []
    todo = [pid]
    while todo:
        below = by_parent.pop(todo.pop(), [])
        found.extend(below)
        todo.extend(each.pid for each in below)
    return found


def environment_has(pid: int, entry: bytes) -> bool:
    """Whether `NAME=value` is in the environment that the process was started with."""
    try:
        return entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def is_namespace_init(pid: int) -> bool:
    """Whether the process is pid 1 of a PID namespace below ours."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8", errors="replace")
    except OSError:
        return False
    for line in text.splitlines():
        if line.startswith("NSpid:"):
            pids = line.split()[1:]
            return len(pids) > 1 and pids[-1] == "1"
    return False


def pidfd(pid: int, start: int) -> int | None:
    """A descriptor of that very process, None where it is gone.

    Raises OSError where the kernel has no pidfd_open (before 5.3, or forbidden).
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # looked at behind the opening: from now on the pid can't become somebody else's unseen
    if find(pid, start) is None:
        os.close(descriptor)
        return None
    return descriptor


def send(pid: int, start: int, number: int) -> bool:
    """Send a signal to that very process; False where it is gone or not ours to signal."""
    try:
        descriptor = pidfd(pid, start)
    except OSError:
        if find(pid, start) is None:
            return False
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


async def ended(pid: int, start: int) -> None:
    """Return once that process has ended; it needn't be a child of ours."""
    try:
        descriptor = pidfd(pid, start)
    except OSError:
        while alive(pid, start):  # noqa: ASYNC110 - no pidfd on this kernel, nothing wakes us
            await asyncio.sleep(_POLL)
        return
    if descriptor is None:
        return
    try:
        await readable(descriptor)
    finally:
        os.close(descriptor)


async def readable(descriptor: int) -> None:
    """Return once the descriptor can be read (a pidfd: once its process has ended)."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _age(each: Stat) -> tuple[int, int]:
    return each.start, each.pid
