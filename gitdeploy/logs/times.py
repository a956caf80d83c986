"""The sparse index of an execution's output: by when had which stream grown to which offset.

The file `times` holds records of 17 bytes, little-endian: stream (u8: 0 stdout, 1 stderr), offset
(u64: the stream's size), time (u64, µs: when it was seen to be there, or its file's mtime where
that is well before). Within a stream offsets and times never go back.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Sequence
from pathlib import Path

RECORD = struct.Struct("<BQQ")
_CHUNK = RECORD.size * 4096
LIMIT = RECORD.size * 1_000_000


def entry(stream: int, offset: int, time: int) -> bytes:
    """One record."""
    return RECORD.pack(stream, offset, time)


def newest_of(data: bytes, stream: int) -> tuple[int, int] | None:
    """Offset and time of the last record of a stream within whole records."""
    number = data[:: RECORD.size].rfind(stream)
    if number < 0:
        return None
    _, offset, time = RECORD.unpack_from(data, number * RECORD.size)
    return offset, time


def mend(path: Path) -> list[tuple[int, int]]:
    """Cut off a record that a crash left half written; the newest (offset, time) of each stream."""
    newest: dict[int, tuple[int, int]] = {}
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return [(0, 0), (0, 0)]
    if size % RECORD.size:
        size -= size % RECORD.size
        os.truncate(path, size)
    with path.open("rb") as file:
        while size and len(newest) < 2:
            start = max(0, size - _CHUNK)
            file.seek(start)
            data = file.read(size - start)
            for stream in (0, 1):
                found = newest_of(data, stream)
                if found is not None:
                    newest.setdefault(stream, found)
            size = start
    return [newest.get(0, (0, 0)), newest.get(1, (0, 0))]


def compact(path: Path, kept: Sequence[int | None], *, limit: int = LIMIT) -> None:
    """Write the index anew without what nobody can ask for any more.

    `kept[stream]` is the first offset that the stream still has, None drops the stream's records
    (it was truncated). While more than `limit` bytes are left, every second record goes.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    records = [
        (stream, offset, time)
        for stream, offset, time in RECORD.iter_unpack(
            data[: len(data) // RECORD.size * RECORD.size]
        )
        if (first := kept[stream]) is not None and offset > first
    ]
    while len(records) * RECORD.size > limit:
        records = _thin(records)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(b"".join(RECORD.pack(*record) for record in records))
    temporary.replace(path)


def _thin(records: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Every second record of each stream, the newest of each among them."""
    seen = [0, 0]
    kept = []
    for record in reversed(records):
        if seen[record[0]] % 2 == 0:
            kept.append(record)
        seen[record[0]] += 1
    return kept[::-1]


class TimeIndex:
    """The index as a reader sees it who moves forward only.

    `positions` are the offsets behind which the reader starts, by stream. Call `refresh` before
    each round of reading; `at` reads the file on only as far as it must.
    """

    def __init__(self, path: Path, positions: Sequence[int]) -> None:
        self._path = path
        self._positions = list(positions)
        self._ahead: tuple[deque[tuple[int, int]], ...] = (deque(), deque())
        self._fd = -1
        self._inode = -1
        self._offset = 0
        self._dry = True

    def refresh(self) -> None:
        """Look whether there is more; a rewritten index is read from its start."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return
        if status.st_ino != self._inode:
            self.close()
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            self._inode = os.fstat(self._fd).st_ino
            self._offset = 0
            for ahead in self._ahead:
                ahead.clear()
        self._dry = False

    def at(self, stream: int, offset: int) -> tuple[int, int] | None:
        """The first record (offset, time) of the stream that covers the byte at `offset`.

        None where no record covers it yet. Offsets asked for must not go back.
        """
        self._positions[stream] = offset
        ahead = self._ahead[stream]
        while True:
            while ahead and ahead[0][0] <= offset:
                ahead.popleft()
            if ahead:
                return ahead[0]
            if self._dry or not self._load():
                return None

    def restart(self, stream: int) -> None:
        """The stream begins anew (it was truncated): forget what was read ahead of it."""
        self._positions[stream] = 0
        self._ahead[stream].clear()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._inode = -1

    def _load(self) -> bool:
        """Read the next chunk that has anything ahead of the positions; False at the end."""
        while True:
            data = os.pread(self._fd, _CHUNK, self._offset)
            data = data[: len(data) // RECORD.size * RECORD.size]
            if not data:
                self._dry = True
                return False
            self._offset += len(data)
            wanted = [
                (found := newest_of(data, stream)) is not None
                and found[0] > self._positions[stream]
                for stream in (0, 1)
            ]
            if not any(wanted):
                continue  # a resumed reader skips what lies behind it without parsing
            for stream, offset, time in RECORD.iter_unpack(data):
                if offset > self._positions[stream]:
                    self._ahead[stream].append((offset, time))
            return True
