"""The processes that an app's jobs have at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from gitdeploy.jobs.environment import MARKER, marker
from gitdeploy.sandbox import Details, Handle, details, everybody, members
from gitdeploy.store import Execution


class JobProcess(NamedTuple):
    """A process of an execution; `first` is the one that the job was started as."""

    execution: Execution
    details: Details
    first: bool


async def processes_of(trees: Sequence[tuple[Execution, Handle]]) -> list[JobProcess]:
    """Every running process of these executions, each execution's own first."""
    return await asyncio.to_thread(_look, trees) if trees else []


def _look(trees: Sequence[tuple[Execution, Handle]]) -> list[JobProcess]:
    all_there_are = everybody()
    found: dict[int, JobProcess] = {}
    for execution, handle in trees:
        key = (execution.app, execution.kind, execution.job, execution.id)
        entry = f"{MARKER}={marker(*key)}".encode()
        for each in members(all_there_are, handle, entry):
            told = details(each.pid, each.start)
            if told is not None:
                found.setdefault(each.pid, JobProcess(execution, told, each.pid == handle.pid))
    return list(found.values())
