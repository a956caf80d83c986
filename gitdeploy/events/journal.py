"""An append-only file of records (NDJSON) that many may follow.

A journal is a directory of segments named by the offset of their first byte, so an entry's id
(the offset just behind it) never changes and `Last-Event-ID` resumes exactly. Segments past
`keep` are removed, oldest first. One process writes a journal; appends are single write(2)
calls of whole lines, so a crash leaves at most one cut line, which is dropped on opening.

A disk that takes nothing (full, broken) must not stop what is being told about: entries wait in
memory, can be read there, and are written with the next one that finds room.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

Record = dict[str, Any]

_encode = msgspec.json.Encoder(enc_hook=str).encode
_READ = 1 << 18
_RECENT = 64
"""Entries kept in memory, so that those who follow live need neither the disk nor a thread."""
_MOST_UNWRITTEN = 1 << 20
"""Bytes that wait for a disk with room; what comes behind them is dropped and counted."""


class Entry(NamedTuple):
    """A record and its id: the journal's offset just behind it; reading resumes after that."""

    id: int
    record: Record


class Journal:
    """One append-only log; `append` is synchronous and cheap (≈ 10 µs), reading is async."""

    def __init__(self, directory: Path, *, segment_bytes: int = 8 << 20, keep: int = 8) -> None:
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._keep = keep
        self._fd = -1
        self._base = 0
        self._end = 0
        self._recent: deque[tuple[int, int, bytes]] = deque(maxlen=_RECENT)  # start, end, line
        self._unwritten: deque[tuple[int, int, bytes]] = deque()
        self._written = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self.readers = 0
        self.dropped = 0
        if directory.is_dir():
            self._find_end()

    @property
    def end(self) -> int:
        """The id of the newest entry; 0 where there is none."""
        return self._end

    @property
    def whole(self) -> bool:
        """Whether all that was appended is in the file."""
        return not self._unwritten

    def append(self, record: Record) -> int:
        """Write one record and wake the readers; returns its id."""
        line = _encode(record) + b"\n"
        if self._end - self._written + len(line) > _MOST_UNWRITTEN:
            self.dropped += 1
            self._write()
            return self._end
        entry = (self._end, self._end + len(line), line)
        self._recent.append(entry)
        self._unwritten.append(entry)
        self._end += len(line)
        self._write()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        return self._end

    async def read(
        self,
        after: int = 0,
        *,
        follow: bool = False,
        until: Callable[[Record], bool] | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """Entries behind `after` in order; with `follow` also those still to come.

        `after` that isn't an entry's end (a forged or pruned id) goes on at the next entry there
        is. `until` ends the stream behind the first record for which it is true.
        """
        self.readers += 1
        try:
            position = min(max(after, 0), self._end)
            while True:
                while position < self._end:
                    found = self._from_memory(position)
                    if found is None:
                        found = await asyncio.to_thread(self._lines, position)
                    position, lines = found
                    for entry_id, line in lines:
                        record = msgspec.json.decode(line)
                        yield Entry(entry_id, record)
                        if until is not None and until(record):
                            return
                if not follow:
                    return
                await self._more(position)
        finally:
            self.readers -= 1

    def tail(self, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first, from the last MiB."""
        position = max(0, self._end - (1 << 20))
        entries: list[Entry] = []
        while position < self._end:
            position, lines = self._lines(position)
            entries.extend(Entry(i, msgspec.json.decode(line)) for i, line in lines)
        return entries[-count:] if count else []

    def back(self, before: int, size: int) -> tuple[list[Entry], int]:
        """Entries of about `size` bytes in front of the place `before`, oldest first, and the
        place in front of them; 0 where there is nothing more. To be called on a thread."""
        segments = self._segments()
        first = segments[0] if segments else self._end - sum(len(e[2]) for e in self._unwritten)
        before = min(before, self._end)
        while before > first:
            position = start = max(first, before - size)
            entries: list[Entry] = []
            while position < before:
                at, lines = self._lines(position)
                if not lines and at <= position:
                    break  # pruned meanwhile
                position = at
                for entry_id, line in lines:
                    if entry_id > before:
                        break
                    if not entries:
                        start = entry_id - len(line.rstrip(b"\n")) - 1
                    entries.append(Entry(entry_id, msgspec.json.decode(line)))
            if entries or start == first:
                return entries, start if entries and start > first else 0
            size *= 2  # a single record is longer
        return [], 0

    def close(self) -> None:
        """Let go of the file; appending opens it again."""
        if self._unwritten:
            self._write()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self) -> None:
        """Bring what waits into the file; what the disk doesn't take goes on waiting."""
        try:
            if self._fd < 0:
                self._open()
            elif self._written - self._base >= self._segment_bytes and self._between_lines():
                self._roll()
            while self._unwritten:
                start, end, line = self._unwritten[0]
                self._written += os.write(self._fd, line[self._written - start :])
                if self._written == end:
                    self._unwritten.popleft()
        except OSError:
            if not self._unwritten:  # nothing waits: it was the file's own trouble
                raise

    def _between_lines(self) -> bool:
        return not self._unwritten or self._unwritten[0][0] == self._written

    async def _more(self, position: int) -> None:
        if position < self._end:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _from_memory(self, position: int) -> tuple[int, list[tuple[int, bytes]]] | None:
        """What `_lines` answers, where the entry behind `position` is a recent one."""
        lines = [(end, line) for start, end, line in self._recent if start >= position]
        if not lines or self._recent[-len(lines)][0] != position:
            return None
        return self._end, lines

    def _segments(self) -> list[int]:
        return sorted(int(p.stem) for p in self.directory.glob("*.ndjson"))

    def _path(self, base: int) -> Path:
        return self.directory / f"{base:020d}.ndjson"

    def _find_end(self) -> None:
        segments = self._segments()
        if not segments:
            return
        self._base = segments[-1]
        path = self._path(self._base)
        size = path.stat().st_size
        whole = _whole_lines(path, size)
        if whole < size:
            os.truncate(path, whole)
        self._end = self._written = self._base + whole

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path(self._base), flags, 0o600)

    def _roll(self) -> None:
        os.close(self._fd)
        self._fd = -1
        self._base = self._written
        self._open()
        for old in self._segments()[: -self._keep]:
            self._path(old).unlink(missing_ok=True)

    def _lines(self, position: int) -> tuple[int, list[tuple[int, bytes]]]:
        """Whole lines from `position` on, at most about `_READ` bytes, and where to go on."""
        segments = self._segments()
        base = max((s for s in segments if s <= position), default=None)
        if base is None:
            if not segments:
                return self._waiting(position)
            base = position = segments[0]
        try:
            with self._path(base).open("rb") as file:
                start = position - base
                if start:  # a forged id may point into a line
                    file.seek(start - 1)
                    if file.read(1) != b"\n":
                        start += len(file.readline())
                file.seek(start)
                data = file.read(_READ)
                if data and not data.endswith(b"\n"):
                    data += file.readline()
        except FileNotFoundError:  # pruned between listing and opening
            return position, []
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            following = [s for s in segments if s > base]
            return (following[0], []) if following else self._waiting(position)
        at = base + start
        lines: list[tuple[int, bytes]] = []
        for line in data.splitlines():
            at += len(line) + 1
            lines.append((at, line))
        return at, lines

    def _waiting(self, position: int) -> tuple[int, list[tuple[int, bytes]]]:
        """What the disk hasn't taken yet, from `position` on."""
        waiting = list(self._unwritten)
        return self._end, [(end, line) for start, end, line in waiting if start >= position]


def _whole_lines(path: Path, size: int) -> int:
    """How many of the file's bytes are whole lines (a crash may have cut the last one)."""
    with path.open("rb") as file:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            cut = file.read(end - start).rfind(b"\n")
            if cut >= 0:
                return start + cut + 1
            end = start
    return 0
