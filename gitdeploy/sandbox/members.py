"""Who belongs to a process tree at this moment, and ending one of them with all below it."""

from __future__ import annotations

import asyncio
import signal

from gitdeploy.sandbox import procfs
from gitdeploy.sandbox.census import Everybody, everybody
from gitdeploy.sandbox.none import session_members
from gitdeploy.sandbox.port import Handle

_ROUNDS = 10
_PATIENCE = 5.0


def members(everybody: Everybody, handle: Handle, entry: bytes) -> list[procfs.Stat]:
    """The tree's running processes without its holders, the job's own first.

    `entry` is `NAME=value` in the environment of each that was started in the tree, by which
    those are found that have left it.
    """
    found = {each.pid: each for each in session_members(everybody, handle)}
    for session in everybody.sessions.values():
        for each in session:
            if each.pid not in found and procfs.environment_has(each.pid, entry):
                found[each.pid] = each
    ours = _holders(handle)
    running = [
        each
        for each in found.values()
        if each.runs and each.pid not in ours and not _is_init(each, handle)
    ]
    return sorted(running, key=lambda each: (each.pid != handle.pid, each.start, each.pid))


async def end_below(pid: int, start: int) -> bool:
    """SIGKILL to that very process and all below it; False where it is gone already.

    They are stopped first, so that none begets another meanwhile. Returns when all have ended, or
    after a few seconds.
    """
    stopped = await asyncio.to_thread(_stop_below, pid, start)
    for each in stopped:
        procfs.send(each.pid, each.start, signal.SIGKILL)
    ends = [asyncio.create_task(procfs.ended(each.pid, each.start)) for each in stopped]
    if ends:
        _, late = await asyncio.wait(ends, timeout=_PATIENCE)
        for task in late:
            task.cancel()
    return bool(stopped)


def _stop_below(pid: int, start: int) -> list[procfs.Stat]:
    stopped: dict[int, procfs.Stat] = {}
    first = procfs.find(pid, start)
    fresh = [] if first is None or not first.runs else [first]
    for _ in range(_ROUNDS):
        fresh = [each for each in fresh if each.pid not in stopped]
        if not fresh:
            break
        for each in fresh:
            if procfs.send(each.pid, each.start, signal.SIGSTOP):
                stopped[each.pid] = each
        fresh = everybody().below(*stopped)
    return list(stopped.values())


def _holders(handle: Handle) -> set[int]:
    """The holder and what it was started by; they have the job's environment too."""
    found: set[int] = set()
    each = procfs.find(handle.holder, handle.holder_start)
    while each is not None and each.pid > 1 and each.pid not in found:
        found.add(each.pid)
        each = procfs.stat(each.parent)
    return found


def _is_init(each: procfs.Stat, handle: Handle) -> bool:
    """Whether it is the init of the tree's namespace: it is ours, and all would end with it."""
    return (
        each.pid != handle.pid
        and each.parent in (1, handle.holder)
        and procfs.is_namespace_init(each.pid)
    )
