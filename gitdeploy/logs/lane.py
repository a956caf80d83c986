"""One stream of one execution as a forward reader sees it: lines with their times, from disk.

Lines stay together in pieces as long as one time covers them; a piece is never taken in part.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from pathlib import Path

from gitdeploy.logs.lines import STREAMS, Piece, Splitter
from gitdeploy.logs.times import TimeIndex
from gitdeploy.logs.trim import read_trimmed

READ = 1 << 18  # bytes read at once on the event loop: ≈ 30 µs from the page cache


class Lane:
    """Reads a stream's file in rounds: `look` fixes how far, then lines are taken up to there."""

    def __init__(
        self, directory: Path, number: int, start: int, index: TimeIndex, limit: int | None = None
    ) -> None:
        self.number = number
        self.stream = STREAMS[number]
        self.consumed = start  # offset behind the last line that was taken
        self._path = directory / self.stream
        self._index = index
        self._limit = limit
        self._splitter = Splitter(start)
        self._fd = -1
        self._size = 0
        self._mtime = 0
        self._ended = False
        self._last = 0
        self._pieces: list[Piece] = []
        self._times: list[int] = []
        self._next = 0

    @property
    def ts(self) -> int:
        """The time of the next piece; only after `fill` was true."""
        return self._times[self._next]

    def look(self, *, ended: bool) -> None:
        """Begin a round: as far as the file reaches now. `ended`: nothing will follow."""
        self._ended = ended
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
        status = os.fstat(self._fd)
        self._size = status.st_size
        self._mtime = status.st_mtime_ns // 1000
        if self._size < self._splitter.position:
            # Something truncated the file (`echo > /dev/stdout` does): what is there is new.
            self._restart(0)
            self._index.restart(self.number)
        if self._limit is not None:
            self._size = min(self._size, self._limit)

    def fill(self) -> bool:
        """Whether there is a piece to take in this round; reads on where it must."""
        while self._next >= len(self._pieces):
            before = self._splitter.position
            if before < self._size:
                data = os.pread(self._fd, min(READ, self._size - before), before)
                kept = read_trimmed(self._path).offset
                if not data:  # truncated; the next round sees it
                    self._size = before
                elif before < kept <= os.fstat(self._fd).st_size:
                    self._restart(kept)  # a hole was punched where we read
                else:
                    self._take_in(self.consumed, self._splitter.feed(data))
            elif self._ended:
                self._ended = False
                self._take_in(self.consumed, self._splitter.finish())
            else:
                return False
        return True

    def take(self, bound: int | None, inclusive: bool) -> list[tuple[int, Piece]]:
        """The next pieces whose time is before `bound` (or the same, if inclusive); at least one."""
        stop = len(self._pieces)
        if bound is not None:
            find = bisect_right if inclusive else bisect_left
            stop = find(self._times, bound, self._next, stop)
        stop = max(stop, self._next + 1)
        taken = list(
            zip(self._times[self._next : stop], self._pieces[self._next : stop], strict=True)
        )
        self._next = stop
        self.consumed = taken[-1][1].end
        return taken

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _restart(self, offset: int) -> None:
        self._splitter = Splitter(offset)
        self.consumed = offset

    def _take_in(self, start: int, pieces: list[Piece]) -> None:
        """Note the times of new lines: each has that of the index entry that covers its start.

        Pieces are parted where the time of their lines changes.
        """
        self._pieces, self._times, self._next = [], [], 0
        for piece in pieces:
            lines, at, newline = piece.lines, 0, 0
            while newline >= 0:
                # Where there is no entry yet the file's mtime is as true.
                offset, time = self._index.at(self.number, start + at) or (piece.end, self._mtime)
                self._last = max(self._last, time)
                self._times.append(self._last)
                newline = -1 if offset >= piece.end else lines.find(b"\n", offset - 1 - start)
                if newline >= 0:
                    self._pieces.append(Piece(start + newline + 1, lines[at:newline], False))
                    at = newline + 1
            self._pieces.append(Piece(piece.end, lines[at:], piece.cut))
            start = piece.end
