"""Whether a run still does something: output and CPU time, read from the kernel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from gitdeploy.clock import Clock
from gitdeploy.sandbox import Handle


class Activity(NamedTuple):
    """Bytes written and CPU ticks used; a change of either means that it works."""

    written: int
    ticks: int


async def until_idle(clock: Clock, handle: Handle, directory: Path, limit: float) -> None:
    """Return once neither output nor CPU time has changed for `limit` seconds.

    Looks every quarter of the limit, at least every ten seconds, first after that time: a short
    run costs no look. So it returns at most two such steps too late.
    """
    step = max(0.05, min(limit / 4, 10.0))
    last: Activity | None = None
    since = clock.monotonic()
    while True:
        await clock.sleep(step)
        now = await asyncio.to_thread(activity, handle, directory)
        if now != last:
            last, since = now, clock.monotonic()
        elif clock.monotonic() - since >= limit:
            return


def activity(handle: Handle, directory: Path) -> Activity:
    """What a process tree has done so far. CPU time of ended children counts with their parent."""
    written = sum(_size(directory / name) for name in ("stdout", "stderr"))
    parents, ticks = _processes()
    mine = {handle.holder, handle.pid}
    grew = True
    while grew:  # a tree is a few levels deep: a few passes
        found = {pid for pid, parent in parents.items() if parent in mine}
        grew = not found <= mine
        mine |= found
    return Activity(written, sum(ticks.get(pid, 0) for pid in mine))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _processes() -> tuple[dict[int, int], dict[int, int]]:
    """Parent and CPU ticks (own and of children waited for) of every process; proc(5)."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_bytes()
        except OSError:  # ended meanwhile
            continue
        fields = stat[stat.rindex(b")") + 2 :].split()  # the name may hold blanks and brackets
        parents[int(entry.name)] = int(fields[1])
        ticks[int(entry.name)] = sum(int(field) for field in fields[11:15])
    return parents, ticks
