"""Part of a log: from a time on, only the lines with a text, only the newest of these.

A log may have gigabytes. The time is looked up in the index; the newest lines are counted first,
which keeps their places and not their text, and are read then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gitdeploy.logs import cursor
from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.job_reader import read_job_blocks
from gitdeploy.logs.match import Match
from gitdeploy.logs.places import execution_names, later, since_places, tail_places
from gitdeploy.logs.reader import read_execution_blocks
from gitdeploy.logs.since import since_start
from gitdeploy.logs.tail import tail_start
from gitdeploy.logs.watcher import Watcher

Batches = AsyncGenerator[list[OutputBlock], None]
Read = Callable[[str | None, bool], Batches]  # from a cursor; whether to follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is wanted of a log: the newest `tail` of the lines since `since` (µs) that `match`."""

    tail: int | None = None
    since: int | None = None
    match: Match | None = None


ALL = Selection()


class Newest(NamedTuple):
    """Where the newest lines are: behind `cursor`, but for the first `skip` that match."""

    cursor: str | None
    skip: int
    lines: int


async def select_execution(
    watcher: Watcher,
    directory: Path,
    selection: Selection,
    *,
    after: str | None = None,
    follow: bool = False,
) -> Batches:
    """Blocks of an execution as `read_execution_blocks` gives them, of what was selected.

    Behind a cursor only `match` selects: the others said where to begin. Raises NotFound and
    Invalid as that does.
    """
    read = _execution_reader(watcher, directory)
    begin = execution_start(directory, selection) if after is None else after
    async with aclosing(_selected(read, selection, begin, after is None, follow)) as batches:
        async for batch in batches:
            yield batch


async def select_job(
    watcher: Watcher,
    executions: Path,
    selection: Selection,
    *,
    after: str | None = None,
    follow: bool = False,
) -> Batches:
    """Blocks of all executions of a job as `read_job_blocks` gives them, of what was selected."""

    def read(begin: str | None, follow: bool) -> Batches:
        return read_job_blocks(watcher, executions, after=begin, follow=follow)

    begin = _job_start(executions, selection) if after is None else after
    async with aclosing(_selected(read, selection, begin, after is None, follow)) as batches:
        async for batch in batches:
            yield batch


async def newest_of_execution(watcher: Watcher, directory: Path, selection: Selection) -> Newest:
    """Where the newest `selection.tail` lines of an execution are, as it stands."""
    begin = execution_start(directory, selection)
    return await _newest(_execution_reader(watcher, directory), selection, begin)


async def filtered(batches: Batches, match: Match | None, skip: int = 0) -> Batches:
    """The blocks' lines that match, without the first `skip` of these; closes `batches`."""
    async with aclosing(batches):
        async for batch in batches:
            if match is None and not skip:
                yield batch
                continue
            kept: list[OutputBlock] = []
            for block in batch:
                for part in _parts(block, match):
                    lines = part.line_count if skip else 0
                    if skip and lines <= skip:
                        skip -= lines
                        continue
                    kept.append(part.without(skip) if skip else part)
                    skip = 0
                await asyncio.sleep(0)
            if kept:
                yield kept


async def _selected(
    read: Read, selection: Selection, begin: str | None, counted: bool, follow: bool
) -> Batches:
    skip = 0
    if counted and selection.tail is not None:
        begin, skip, _ = await _newest(read, selection, begin)
    async with aclosing(filtered(read(begin, follow), selection.match, skip)) as batches:
        async for batch in batches:
            yield batch


async def _newest(read: Read, selection: Selection, begin: str | None) -> Newest:
    """Count what is there; of the newest lines' blocks only the places behind which they are."""
    wanted = selection.tail or 0
    kept: deque[tuple[str | None, int]] = deque()
    total, at = 0, begin
    async with aclosing(read(begin, False)) as batches:
        async for batch in batches:
            for block in batch:
                match = selection.match
                lines = block.line_count if match is None else match.count(block)
                if lines and wanted:
                    kept.append((at, lines))
                    total += lines
                    while total - kept[0][1] >= wanted:
                        total -= kept.popleft()[1]
                at = f"{block.before}{block.end}{block.after}"
            await asyncio.sleep(0)
    if not kept:
        return Newest(at, 0, 0)
    return Newest(kept[0][0], max(0, total - wanted), min(total, wanted))


def execution_start(directory: Path, selection: Selection) -> str | None:
    """The cursor behind which all that was selected of an execution is; None for its start."""
    if selection.since is None and selection.tail is None:
        return None
    since = (0, 0) if selection.since is None else since_start(directory, selection.since)
    tail = (0, 0)
    if selection.tail is not None and selection.match is None:
        stdout, stderr = directory / "stdout", directory / "stderr"
        tail = tail_start(stdout, selection.tail), tail_start(stderr, selection.tail)
    return cursor.of_execution((max(since[0], tail[0]), max(since[1], tail[1])))


def _job_start(executions: Path, selection: Selection) -> str | None:
    try:
        names = execution_names(executions)
    except FileNotFoundError:
        return None
    since = selection.since
    places = None if since is None else since_places(executions, names, since)
    if selection.tail is not None and selection.match is None:
        tail = tail_places(executions, names, selection.tail)
        places = tail if places is None else later(tail, places)
    return None if places is None else cursor.of_job(places) or None


def _execution_reader(watcher: Watcher, directory: Path) -> Read:
    def read(begin: str | None, follow: bool) -> Batches:
        return read_execution_blocks(watcher, directory, after=begin, follow=follow)

    return read


def _parts(block: OutputBlock, match: Match | None) -> Iterator[OutputBlock]:
    return iter((block,)) if match is None else match.filter(block)
