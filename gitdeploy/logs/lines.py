"""Chunks of bytes to blocks of whole lines, the same lines whatever the chunks were. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

LINE_LIMIT = 1 << 20

Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


class OutputLine(NamedTuple):
    """A line of an execution's output.

    `line` is what the process wrote, without the newline; a carriage return stays. `ts` (µs) is
    when its first byte was seen to be there. `cut` marks a piece of a line longer than 1 MiB: more
    of it follows. Reading goes on behind this line with `after=cursor`.
    """

    cursor: str
    stream: Stream
    ts: int
    line: bytes
    cut: bool
    execution: str


class Piece(NamedTuple):
    """Lines of one stream with the newlines between them, or, `cut`, a piece of a longer line.

    `end` is the stream's offset behind it (and behind its last line's newline, if it has one).
    """

    end: int
    lines: bytes
    cut: bool


class Splitter:
    """Splits one stream that is fed in order; `start` is the offset of its first byte.

    All the lines that are there at once are one piece: who only copies them or encodes them by the
    thousand needn't hold each. A line is cut behind every `limit` bytes that are followed by
    another byte of the same line, so where it is cut depends on the line alone, and reading may
    start behind any piece or line.
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
        """The lines that `data` completes, and what is too long to wait for its end."""
        pieces: list[Piece] = []
        newline = data.rfind(b"\n")
        if newline >= 0:
            lines = data[:newline]
            if self._rest:
                lines = bytes(self._rest + lines)
                self._rest.clear()
            self._give(lines, pieces)
        self._rest += data[newline + 1 :]
        while len(self._rest) > self._limit:
            self._end += self._limit
            pieces.append(Piece(self._end, bytes(self._rest[: self._limit]), True))
            del self._rest[: self._limit]
        return pieces

    def finish(self) -> list[Piece]:
        """The last line, where the stream ended without a newline."""
        if not self._rest:
            return []
        self._end += len(self._rest)
        piece = Piece(self._end, bytes(self._rest), False)
        self._rest.clear()
        return [piece]

    def _give(self, lines: bytes, pieces: list[Piece]) -> None:
        """Give out complete lines, the ones that are longer than the limit in pieces."""
        start, limit = self._end, self._limit
        begin = at = 0  # what isn't given out yet; the line that is looked at
        while len(lines) - at > limit:  # else none can be too long
            stop = lines.find(b"\n", at)
            stop = len(lines) if stop < 0 else stop
            if stop - at > limit:
                if begin < at:
                    pieces.append(Piece(start + at, lines[begin : at - 1], False))
                while stop - at > limit:
                    pieces.append(Piece(start + at + limit, lines[at : at + limit], True))
                    at += limit
                begin = at
            at = stop + 1
        self._end = start + len(lines) + 1
        pieces.append(Piece(self._end, lines[begin:], False))
