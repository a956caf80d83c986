"""Lines of a log by their numbers: which place has the N-th, what number a place has.

A log is read once from its start, in the order in which every reader sees it; what is kept are
places some thousand lines apart. A gigabyte takes seconds and is read on a thread. The first line
has number 0, whatever was trimmed in front of it keeps its numbers.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.cursor import parse_execution, parse_job
from gitdeploy.logs.job_reader import blocks_of_job
from gitdeploy.logs.places import execution_names
from gitdeploy.logs.reader import blocks_of_execution
from gitdeploy.logs.trim import read_trimmed

APART = 4096
_KEPT = 64


class Numbered(NamedTuple):
    """Lines that follow each other; `first` is the number of the first one."""

    first: int
    block: OutputBlock

    @property
    def end(self) -> int:
        """The number behind the last line."""
        return self.first + lines_of(self.block)


def lines_of(block: OutputBlock) -> int:
    """How many lines a block ends; a piece of a longer line has the number of what follows it."""
    return block.line_count - (1 if block.cut else 0)


class LineNumbers:
    """The numbers of one log: an execution's, or with `job` those of all executions together."""

    def __init__(self, directory: Path, *, job: bool = False) -> None:
        self._directory = directory
        self._job = job
        self._lock = threading.Lock()
        self._state: tuple[object, ...] = ()
        self._places: list[tuple[int, str | None]] = []
        self._end: tuple[int, str | None] = (0, None)

    def refresh(self) -> tuple[int, int, str | None]:
        """Read what is new. First number there is, number behind the last line, its cursor."""
        with self._lock:
            state = self._began()
            if state != self._state:  # trimmed or pruned in front: counted anew
                first = self._first()
                self._state, self._places, self._end = state, [(first, None)], (first, None)
            count, cursor = self._end
            with self._read(cursor) as blocks:
                for block in blocks:
                    count += lines_of(block)
                    cursor = f"{block.before}{block.end}{block.after}"
                    if count - self._places[-1][0] >= APART and not block.cut:
                        self._places.append((count, cursor))
            self._end = (count, cursor)
            return self._places[0][0], count, cursor

    def window(self, first: int, count: int, *, most_bytes: int) -> list[Numbered]:
        """Lines from number `first` on, at most so many, and so many bytes (one line at least)."""
        begin, end, _ = self.refresh()
        first = max(begin, first)
        stop = min(end, first + count)
        found: list[Numbered] = []
        size = 0
        if first >= stop:
            return found
        at, cursor = self._before(first)
        with self._read(cursor) as blocks:
            for block in blocks:
                here, at = at, at + lines_of(block)
                if at <= first and not (block.cut and at == first):
                    continue
                for piece in _cut(Numbered(here, block), first, stop, most_bytes - size):
                    found.append(piece)
                    size += len(piece.block.lines)
                if at >= stop or size >= most_bytes:
                    break
        return found

    def number(self, cursor: str | None) -> int:
        """The number of the line that a cursor stands before."""
        begin, end, last = self.refresh()
        if cursor is None or cursor == last:
            return begin if cursor is None else end
        wanted = self._offsets(cursor)
        with self._lock:
            places = list(self._places)
        low = 0
        for number, (_, place) in enumerate(places):
            if place is not None and self._behind(self._offsets(place), wanted):
                break
            low = number
        at, place = places[low]
        with self._read(place) as blocks:
            for block in blocks:
                after = self._offsets(f"{block.before}{block.end}{block.after}")
                if not self._behind(after, wanted):
                    at += lines_of(block)
                    continue
                for line in block.each():
                    if self._behind(self._offsets(line.cursor), wanted):
                        return at
                    at += 0 if line.cut else 1
                return at
        return at

    def scan(self, first: int, stop: int) -> Iterator[Numbered]:
        """All blocks with lines between two numbers, for who looks for something in them."""
        at, cursor = self._before(first)
        with self._read(cursor) as blocks:
            for block in blocks:
                here, at = at, at + lines_of(block)
                if at > first:
                    yield Numbered(here, block)
                if at >= stop:
                    return

    def _before(self, number: int) -> tuple[int, str | None]:
        with self._lock:
            place = bisect_right(self._places, number, key=lambda each: each[0]) - 1
            return self._places[max(0, place)]

    @contextmanager
    def _read(self, cursor: str | None) -> Iterator[Iterator[OutputBlock]]:
        reader = blocks_of_job if self._job else blocks_of_execution
        with reader(self._directory, cursor) as blocks:
            yield blocks

    def _began(self) -> tuple[object, ...]:
        """Changes where the log's beginning does."""
        if not self._job:
            return (True, *self._trimmed(self._directory))
        names = self._names()
        return (True, *((name, *self._trimmed(self._directory / name)) for name in names[:1]))

    def _names(self) -> list[str]:
        try:
            return execution_names(self._directory)
        except FileNotFoundError:
            return []

    def _first(self) -> int:
        if self._job:
            return 0
        return sum(read_trimmed(self._directory / name).lines for name in ("stdout", "stderr"))

    @staticmethod
    def _trimmed(directory: Path) -> tuple[int, int]:
        return read_trimmed(directory / "stdout").offset, read_trimmed(directory / "stderr").offset

    def _offsets(self, cursor: str) -> dict[str, tuple[int, int]]:
        return parse_job(cursor) if self._job else {"": parse_execution(cursor)}

    @staticmethod
    def _behind(one: dict[str, tuple[int, int]], other: dict[str, tuple[int, int]]) -> bool:
        """Whether a place is behind another one of the same order of reading."""
        newest, others = max(one, default=""), max(other, default="")
        if newest != others:
            return newest > others
        return any(
            at[0] > other[name][0] or at[1] > other[name][1]
            for name, at in one.items()
            if name in other
        )


class AllNumbers:
    """The numbers of the logs that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, LineNumbers] = OrderedDict()

    def of(self, directory: Path, *, job: bool = False) -> LineNumbers:
        """Those of a log, from then on kept while others don't push them out."""
        found = self._kept.pop(directory, None) or LineNumbers(directory, job=job)
        self._kept[directory] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found


def _cut(numbered: Numbered, first: int, stop: int, most: int) -> Iterator[Numbered]:
    """The part of a block between two numbers and within so many bytes."""
    at, block = numbered
    if block.cut:
        yield numbered
        return
    if at < first:
        block, at = block.without(first - at), first
    lines = block.lines.split(b"\n")
    if len(lines) > stop - at or len(block.lines) > most:
        ends, kept, size = block.ends(), 0, 0
        for line in lines[: stop - at]:
            size += len(line) + 1
            if kept and size > most:
                break
            kept += 1
        block = block._replace(lines=b"\n".join(lines[:kept]), end=ends[kept - 1])
    yield Numbered(at, block)
