"""What one process is and has used, as /proc tells it (proc(5))."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import msgspec

from gitdeploy.sandbox import procfs

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 8192


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds of CPU, `started_at` µs since the epoch, sizes bytes.

    `program` is "" where it can't be told, `command_line` has a blank between words.
    """

    pid: int
    start: int
    name: str
    parent: int
    uid: int
    threads: int
    started_at: int
    user: float
    system: float
    resident: int
    peak_resident: int
    private: int
    virtual: int
    peak_virtual: int
    program: str
    command_line: str


def details(pid: int, start: int) -> Details | None:
    """Of that very process; None where it has ended or its zombie is left."""
    found = procfs.find(pid, start)
    if found is None or not found.runs:
        return None
    directory = Path(f"/proc/{pid}")
    try:
        stat = (directory / "stat").read_bytes()
        status = _fields((directory / "status").read_text("utf-8", errors="replace"))
        line = (directory / "cmdline").read_bytes()[:_LONGEST]
    except OSError:
        return None
    if procfs.find(pid, start) is None:  # another has its number since
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Details(
        pid=pid,
        start=start,
        name=found.name,
        parent=found.parent,
        uid=int(status["Uid"].split()[0]),
        threads=int(status["Threads"]),
        started_at=_booted_at() + start * 1_000_000 // _TICKS,
        user=int(fields[11]) / _TICKS,
        system=int(fields[12]) / _TICKS,
        resident=_size(status, "VmRSS"),
        peak_resident=_size(status, "VmHWM"),
        private=_size(status, "RssAnon"),
        virtual=_size(status, "VmSize"),
        peak_virtual=_size(status, "VmPeak"),
        program=_program(directory),
        command_line=line.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace"),
    )


def _program(directory: Path) -> str:
    try:
        return str((directory / "exe").readlink())
    except OSError:
        return ""


def _fields(status: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in status.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _size(fields: dict[str, str], name: str) -> int:
    """A value in kB as bytes; a kernel thread has none."""
    return int(fields.get(name, "0").split()[0]) * 1024


@lru_cache(maxsize=1)
def _booted_at() -> int:
    """`btime` of /proc/stat in µs."""
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) * 1_000_000
    return 0
