"""Many lines of output as one block, and blocks as batches, or as lines one by one. Pure."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from itertools import accumulate
from typing import NamedTuple, TypeVar

from gitdeploy.logs.lines import OutputLine, Stream

BATCH_LINES = 2000
BATCH_BYTES = 1 << 20
T = TypeVar("T")


class OutputBlock(NamedTuple):
    """Lines that follow each other in one stream of one execution and have the same time.

    `lines` has the newlines between them, none behind the last; all else is as in `OutputLine`. A
    block that is `cut` is one piece of a longer line. A line's cursor is `before`, the stream's
    offset behind the line, `after`; `end` is the last line's offset.
    """

    before: str
    end: int
    after: str
    stream: Stream
    ts: int
    lines: bytes
    cut: bool
    execution: str

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return self.lines.count(b"\n") + 1

    def ends(self) -> list[int]:
        """The offset behind each line."""
        sizes = (len(line) + 1 for line in self.lines.split(b"\n"))
        return list(accumulate(sizes, initial=self.end - len(self.lines) - 1))[1:]

    def each(self) -> Iterator[OutputLine]:
        """The lines one by one."""
        before, _, after, stream, ts, lines, cut, execution = self
        for end, line in zip(self.ends(), lines.split(b"\n"), strict=True):
            yield OutputLine(f"{before}{end}{after}", stream, ts, line, cut, execution)

    def without(self, count: int) -> OutputBlock:
        """Itself without its first `count` lines (fewer than it has)."""
        return self._replace(lines=self.lines.split(b"\n", count)[count])


def last(blocks: Iterable[OutputBlock], count: int) -> Iterator[OutputBlock]:
    """The last `count` lines of all."""
    kept: deque[tuple[int, OutputBlock]] = deque()
    total = 0
    for block in blocks:
        kept.append((block.line_count, block))
        total += block.line_count
        while kept and total - kept[0][0] >= count:
            total -= kept.popleft()[0]
    for number, (_, block) in enumerate(kept):
        yield block.without(total - count) if number == 0 and total > count else block


def line_batches(blocks: Iterable[OutputBlock]) -> Iterator[list[OutputLine]]:
    """Batches of at most 2000 lines or 1 MiB; one longer line stands alone."""
    batch: list[OutputLine] = []
    size = 0
    for block in blocks:
        for line in block.each():
            if batch and (len(batch) >= BATCH_LINES or size + len(line.line) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += len(line.line)
    if batch:
        yield batch


def block_batches(blocks: Iterable[OutputBlock]) -> Iterator[list[OutputBlock]]:
    """Batches of at most 2000 blocks or 1 MiB; one longer block stands alone."""
    batch: list[OutputBlock] = []
    size = 0
    for block in blocks:
        if batch and (len(batch) >= BATCH_LINES or size + len(block.lines) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(block)
        size += len(block.lines)
    if batch:
        yield batch


async def in_batches(
    rounds: AsyncGenerator[Iterator[OutputBlock], None],
    cut: Callable[[Iterator[OutputBlock]], Iterator[list[T]]],
) -> AsyncGenerator[list[T], None]:
    """What a reader finds round by round, cut to batches; closes the reader."""
    async with aclosing(rounds):
        async for blocks in rounds:
            for batch in cut(blocks):
                yield batch
                await asyncio.sleep(0)
