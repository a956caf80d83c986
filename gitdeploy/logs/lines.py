"""Chunks of bytes to lines, the same lines whatever the chunks were. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

LINE_LIMIT = 1 << 20

Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


class OutputLine(NamedTuple):
    """A line of an execution's output.

    `line` is what the process wrote, without the newline; a carriage return stays. `ts` (µs) is
    when its first byte was seen to be there. `cut` marks a piece of a line longer than 1 MiB: more
    of it follows. Reading goes on behind this line with `after=cursor`. Who asks for blocks gets
    many lines in one `line`, with the newlines between them.
    """

    cursor: str
    stream: Stream
    ts: int
    line: bytes
    cut: bool
    execution: str


class Piece(NamedTuple):
    """A line within its stream: `end` is the stream's offset behind it (and its newline)."""

    end: int
    line: bytes
    cut: bool


class Splitter:
    """Splits one stream that is fed in order; `start` is the offset of its first byte.

    A line is cut behind every `limit` bytes that are followed by another byte of the same line,
    so the pieces depend on the line alone, and reading may start behind any of them.
    """

    def __init__(self, start: int = 0, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._end = start  # offset behind the last piece given out
        self._rest = bytearray()

    @property
    def position(self) -> int:
        """The offset of the next byte to feed."""
        return self._end + len(self._rest)

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that `data` completes."""
        pieces: list[Piece] = []
        lines = data.split(b"\n")
        last = lines.pop()
        if lines:
            self._rest += lines[0]
            lines[0] = bytes(self._rest)
            self._rest.clear()
            end = self._end
            for line in lines:
                if len(line) > self._limit:
                    end, line = self._cut(end, line, pieces)
                end += len(line) + 1
                pieces.append(Piece(end, line, False))
            self._end = end
        self._rest += last
        if len(self._rest) > self._limit:
            self._end, rest = self._cut(self._end, bytes(self._rest), pieces)
            self._rest = bytearray(rest)
        return pieces

    def finish(self) -> list[Piece]:
        """The last line, where the stream ended without a newline."""
        if not self._rest:
            return []
        self._end += len(self._rest)
        piece = Piece(self._end, bytes(self._rest), False)
        self._rest.clear()
        return [piece]

    def _cut(self, end: int, line: bytes, pieces: list[Piece]) -> tuple[int, bytes]:
        """Give out full pieces of a long line; the new end and what is left (1..limit bytes)."""
        at = 0
        while len(line) - at > self._limit:
            end += self._limit
            pieces.append(Piece(end, line[at : at + self._limit], True))
            at += self._limit
        return end, line[at:]


class BlockSplitter:
    """As `Splitter`, but all the lines that are there at once are one piece, copied as it is."""

    def __init__(self, start: int = 0, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._end = start
        self._rest = b""

    @property
    def position(self) -> int:
        """The offset of the next byte to feed."""
        return self._end + len(self._rest)

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that `data` completes as one piece; before it, pieces of one too long."""
        pieces: list[Piece] = []
        newline = data.rfind(b"\n")
        if newline >= 0:
            block = data[:newline] if not self._rest else self._rest + data[:newline]
            self._end += len(block) + 1
            pieces.append(Piece(self._end, block, False))
            self._rest = data[newline + 1 :]
        else:
            self._rest += data
        while len(self._rest) > self._limit:
            self._end += self._limit
            pieces.append(Piece(self._end, self._rest[: self._limit], True))
            self._rest = self._rest[self._limit :]
        return pieces

    def finish(self) -> list[Piece]:
        """The last line, where the stream ended without a newline."""
        if not self._rest:
            return []
        self._end += len(self._rest)
        piece = Piece(self._end, self._rest, False)
        self._rest = b""
        return [piece]
