"""How long an execution's output is with a prefix in front of each line, and marks to begin at.

The prefix is always as long, so the size is the bytes, the newlines and the prefixes. They are
counted by walking through the blocks in the order in which they are read, once: what was counted
is kept, and a log that has grown is counted on from the last mark.
"""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.cursor import Offsets
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.source import Extent, Source, has_ended, merge
from gitdeploy.logs.trim import Trimmed, read_trimmed

_EVERY = 4 << 20  # bytes between two marks
_SETTLED = 2_000_000  # µs after which a line's time, and so its place, won't change any more
_KEPT = 1000


class Snapshot(NamedTuple):
    """An execution's files at one moment. Two that are equal have the same output."""

    extent: Extent
    inodes: Offsets
    dropped: tuple[Trimmed, Trimmed]
    indexed: tuple[int, int]
    modified: int  # µs; of the newest file

    def continues(self, earlier: Snapshot) -> bool:
        """Whether only more was written since then."""
        return (
            self.inodes == earlier.inodes
            and self.dropped == earlier.dropped
            and all(s >= e for s, e in zip(self.extent.sizes, earlier.extent.sizes, strict=True))
        )


class Mark(NamedTuple):
    """The place in the streams where a position of the rendered output is."""

    position: int
    place: Offsets


@dataclass(frozen=True, slots=True)
class Measured:
    """The rendered size of a snapshot of `directory`, with `width` bytes in front of each line."""

    directory: Path
    width: int
    snapshot: Snapshot
    size: int
    marks: tuple[Mark, ...]

    def blocks(self, position: int) -> Generator[tuple[int, OutputBlock], None, None]:
        """The blocks from one at or before `position` on, each with where it begins."""
        at = bisect_right(self.marks, position, key=lambda mark: mark.position) - 1
        position, place = self.marks[at]
        with closing(_walk(self.directory, place, self.snapshot)) as walk:
            for run, _ in walk:
                for block in run:
                    yield position, block
                    position += rendered(block, self.width)


class Measures:
    """What was measured, by directory; one is measured at a time, in a thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Path, int], Measured] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, directory: Path, width: int, now: int) -> Measured:
        """Measure what is there now (µs)."""
        snapshot = take(directory)
        known = self._known.get((directory, width))
        if known is None or known.snapshot != snapshot:
            async with self._lock:
                snapshot = take(directory)
                known = self._known.get((directory, width))
                if known is None or known.snapshot != snapshot:
                    known = await asyncio.to_thread(measure, directory, width, snapshot, known, now)
        self._known[directory, width] = known
        self._known.move_to_end((directory, width))
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known


def take(directory: Path) -> Snapshot:
    """An execution's files as they are; one that isn't there is empty and has ended."""
    ended = has_ended(directory)  # asked for first: sizes seen behind it are final
    sizes, inodes, modified = [0, 0], [0, 0], 0
    dropped = tuple(read_trimmed(directory / stream) for stream in STREAMS)
    for number, stream in enumerate(STREAMS):
        status = _status(directory / stream)
        if status is not None:
            sizes[number], inodes[number] = status.st_size, status.st_ino
            modified = max(modified, status.st_mtime_ns // 1000)
    index = _status(directory / "times")
    return Snapshot(
        Extent((sizes[0], sizes[1]), ended),
        (inodes[0], inodes[1]),
        (dropped[0], dropped[1]),
        (0, 0) if index is None else (index.st_ino, index.st_size),
        modified,
    )


def measure(
    directory: Path, width: int, snapshot: Snapshot, earlier: Measured | None, now: int
) -> Measured:
    """Count, from the last mark of an earlier count on where that still holds."""
    marks = [Mark(0, (0, 0))]
    if earlier is not None and snapshot.continues(earlier.snapshot):
        marks = list(earlier.marks)
    position, place = marks[-1]
    for run, behind in _walk(directory, place, snapshot):
        position += sum(rendered(block, width) for block in run)
        settled = snapshot.extent.ended or run[-1].ts < now - _SETTLED
        if settled and position - marks[-1].position >= _EVERY:
            marks.append(Mark(position, behind))
    return Measured(directory, width, snapshot, position, tuple(marks))


def rendered(block: OutputBlock, width: int) -> int:
    """The bytes of a block with a prefix in front of each line and a newline behind it."""
    return len(block.lines) + 1 + width * block.line_count


def _walk(
    directory: Path, place: Offsets, snapshot: Snapshot
) -> Generator[tuple[list[OutputBlock], Offsets], None, None]:
    """Runs of blocks in the order of reading, each with the place behind it."""
    source = Source(directory, place, snapshot.extent)
    try:
        source.look()
        while run := merge([source]):
            yield run, source.offsets
    finally:
        source.close()


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
