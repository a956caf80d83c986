"""Where reading a job's executions begins: the newest lines, or those of a time.

Both answer with offsets by execution, as a job's cursor lists them: executions that are older than
the newest of these and aren't among them are done with.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gitdeploy.clock import from_datetime
from gitdeploy.logs.cursor import Offsets
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.since import since_start
from gitdeploy.logs.source import read_end
from gitdeploy.logs.tail import count_lines, tail_start

Places = dict[str, Offsets]


def execution_names(executions: Path) -> list[str]:
    """The executions of a job in the order of their starts. Raises FileNotFoundError."""
    return sorted(path.name for path in executions.iterdir() if path.is_dir())


def tail_places(executions: Path, names: list[str], count: int) -> Places:
    """Where at least the last `count` lines of all executions are still ahead."""
    places: Places = {}
    found = 0
    oldest: int | None = None
    for name in reversed(names):
        directory = executions / name
        end = read_end(directory)
        over = end is not None and (oldest is None or end.ended_at < oldest)
        if found >= count and over:
            break
        files = directory / STREAMS[0], directory / STREAMS[1]
        starts = tail_start(files[0], count), tail_start(files[1], count)
        found += sum(count_lines(f, s, count) for f, s in zip(files, starts, strict=True))
        places[name] = starts
        oldest = started(name)
    return places


def since_places(executions: Path, names: list[str], moment: int) -> Places:
    """Where the lines of `moment` (µs) and later begin."""
    places: Places = {}
    for name in names:
        end = read_end(executions / name)
        if name == names[-1] or end is None or end.ended_at >= moment:
            places[name] = since_start(executions / name, moment)
    return places


def later(one: Places, other: Places) -> Places:
    """What is ahead of both."""
    return {
        name: (max(one[name][0], other[name][0]), max(one[name][1], other[name][1]))
        for name in one
        if name in other
    }


def started(name: str) -> int | None:
    """When an execution started (µs), from its id `yyyyMMddHHmmssffff`; None for other names."""
    if len(name) < 18 or not name[:18].isdigit():
        return None
    try:
        second = datetime.strptime(name[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return from_datetime(second) + int(name[14:18]) * 100
