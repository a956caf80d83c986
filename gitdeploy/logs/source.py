"""The output of one execution, and the merge of several into one order of lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitdeploy.logs.block import OutputBlock
from gitdeploy.logs.cursor import Offsets, around
from gitdeploy.logs.lane import Lane
from gitdeploy.logs.times import TimeIndex


class End(msgspec.Struct, frozen=True):
    """`end.json`: how an execution ended. `exit_code` is None where it was lost."""

    exit_code: int | None
    ended_at: int


def read_end(directory: Path) -> End | None:
    """How the execution of this directory ended; None while it runs."""
    try:
        return msgspec.json.decode((directory / "end.json").read_bytes(), type=End)
    except FileNotFoundError:
        return None


def has_ended(directory: Path) -> bool:
    """Whether nothing will be written any more: `end.json` is there, or the directory isn't."""
    end = f"{directory}/end.json"
    return os.path.exists(end) or not os.path.exists(directory)  # noqa: PTH110  hot


class Extent(NamedTuple):
    """How far an execution's streams reach at one moment, and whether they were complete."""

    sizes: Offsets
    ended: bool


class Source:
    """Both streams of an execution, read forward from `start`, with `extent` no further than that."""

    def __init__(
        self, directory: Path, start: Offsets = (0, 0), extent: Extent | None = None
    ) -> None:
        self.directory = directory
        self.name = directory.name
        self.ended = False
        self._index = TimeIndex(directory / "times", start)
        self._extent = extent
        self.lanes = tuple(
            Lane(directory, n, start[n], self._index, None if extent is None else extent.sizes[n])
            for n in (0, 1)
        )

    @property
    def offsets(self) -> Offsets:
        """The offsets behind the lines that were taken."""
        return self.lanes[0].consumed, self.lanes[1].consumed

    def look(self) -> None:
        """Begin a round of reading. The end is asked for first: sizes seen behind it are final.

        An execution whose directory was removed has ended too.
        """
        if self._extent is not None:
            self.ended = self._extent.ended
        elif not self.ended:
            self.ended = has_ended(self.directory)
        self._index.refresh()
        for lane in self.lanes:
            lane.look(ended=self.ended)

    def fill(self) -> bool:
        """Whether this round has a line left."""
        return any(lane.fill() for lane in self.lanes)

    def close(self) -> None:
        self._index.close()
        for lane in self.lanes:
            lane.close()


def merge(
    sources: Iterable[Source],
    *,
    prefix: Callable[[Source], str] = lambda source: "",
    until: int | None = None,
) -> list[OutputBlock]:
    """The next lines in order of time (older execution first, stdout first, where it is the same).

    Only one lane's run: lines that no other lane has a line between, and, with `until`, from
    before that time. Empty where the round has no more. `prefix` gives what stands before a
    source's own offsets in the cursor.
    """
    ready = [
        (lane.ts, number, lane.number, lane, source)
        for number, source in enumerate(sources)
        for lane in source.lanes
        if lane.fill()
    ]
    if not ready:
        return []
    ready.sort(key=lambda r: r[:3])
    _, number, _, lane, source = ready[0]
    bound, inclusive = until, False
    if len(ready) > 1 and (until is None or ready[1][0] < until):
        bound = ready[1][0]
        inclusive = (number, lane.number) < ready[1][1:3]
    before, after = around(lane.number, source.offsets)
    before = prefix(source) + before
    taken = lane.take(bound, inclusive)
    return [
        OutputBlock(before, piece.end, after, lane.stream, ts, piece.lines, piece.cut, source.name)
        for ts, piece in taken
    ]
