"""What a running process tree has used so far, read from /proc.

A sandbox's monitor ends without having waited for what is in it, so that getrusage(2) of it says
nothing of the job: only looking while the job runs does.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gitdeploy.sandbox import procfs
from gitdeploy.sandbox.port import Handle

_TICKS = os.sysconf("SC_CLK_TCK")
_MOST = 1000


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds of a tree, children that it waited for included; `peak_memory` is the largest
    resident set that one of its processes had, in bytes."""

    cpu_seconds: float
    peak_memory: int


def measure(handle: Handle) -> Usage | None:
    """None where the job's own process has ended."""
    if not procfs.alive(handle.pid, handle.pid_start):
        return None
    ticks = peak = 0
    tree = [handle.pid]
    for pid in tree:  # grows while it is walked
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
            status = Path(f"/proc/{pid}/status").read_bytes()
        except OSError:  # ended meanwhile: its time is its parent's soon
            continue
        fields = stat[stat.rindex(b")") + 2 :].split()  # the name may hold blanks and brackets
        ticks += sum(int(field) for field in fields[11:15])
        peak = max(peak, _peak(status))
        if len(tree) < _MOST:
            tree += procfs.children(pid)
    return Usage(cpu_seconds=round(ticks / _TICKS, 2), peak_memory=peak)


def _peak(status: bytes) -> int:
    """VmHWM of proc(5); a kernel thread or a zombie has none."""
    at = status.find(b"\nVmHWM:")
    return int(status[at + 7 :].split(maxsplit=1)[0]) * 1024 if at >= 0 else 0
