"""Lines of output as what `streams.stream` sends, encoded by the block.

A record of a line is constant but for the line (and the id): what stands before and behind it is
encoded once a block. A million records one by one cost ten seconds, this way one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping

from gitdeploy.logs import OutputBlock, OutputLine, output_record
from gitdeploy.web.iterators import mapped
from gitdeploy.web.streams import Format, encode

_LINES = 512  # encoded at once: what malloc still takes from its heap, and no pause of the loop


class Lines:
    """A block of lines as an element of a stream; `bound` are its records' other fields."""

    __slots__ = ("_block", "_bound")

    def __init__(self, block: OutputBlock, bound: Mapping[str, object]) -> None:
        self._block = block
        self._bound = bound

    def encoded(self, form: Format) -> Iterator[bytes]:
        """The same bytes as the `output_record` of each line encoded on its own."""
        block = self._block
        if form == "text":
            yield block.lines if block.cut else block.lines + b"\n"
            return
        head, tail = _around_line(block, self._bound)
        # A newline is part of no other character and ends a broken one, so decoding the block
        # gives what decoding each line gives.
        lines = block.lines.decode("utf-8", "backslashreplace").split("\n")
        if form == "ndjson":
            yield from _ndjson(lines, head, tail + b"\n")
        else:
            yield from _sse(lines, block, head, tail + b"\n\n")


def from_output(
    batches: AsyncIterator[list[OutputBlock]], **bound: object
) -> AsyncGenerator[list[Lines], None]:
    """Blocks of output as elements of a stream; `bound` are fields such as app, job, run."""
    return mapped(batches, lambda batch: [Lines(block, bound) for block in batch])


def _around_line(block: OutputBlock, bound: Mapping[str, object]) -> tuple[bytes, bytes]:
    """What stands before and behind the encoded line in each record of the block."""
    empty = OutputLine("", block.stream, block.ts, b"", block.cut, block.execution)
    head, _, tail = encode(output_record(empty, **bound)).rpartition(b'""')
    return head, tail


def _ndjson(lines: list[str], head: bytes, tail: bytes) -> Iterator[bytes]:
    between = tail + head
    for at in range(0, len(lines), _LINES):
        encoded = between.join(map(encode, lines[at : at + _LINES]))
        yield b"".join((head, encoded, tail))


def _sse(lines: list[str], block: OutputBlock, head: bytes, tail: bytes) -> Iterator[bytes]:
    before = b"id: %b" % block.before.encode()
    head = b"%b\ndata: %b" % (block.after.encode(), head)
    ends = block.ends()
    for at in range(0, len(lines), _LINES):
        part = zip(ends[at : at + _LINES], map(encode, lines[at : at + _LINES]), strict=True)
        yield b"".join([b"%b%d%b%b%b" % (before, end, head, line, tail) for end, line in part])
