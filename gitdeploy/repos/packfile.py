"""One stored pack: find an object by its `.idx` (version 2), read it from its `.pack`.

Formats: gitformat-pack(5). Everything is thread-safe without a lock: the index is a read-only
mapping, the pack is read with pread(2). Files that git removed meanwhile stay readable.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dulwich.pack import apply_delta

from gitdeploy.repos.types import RepositoryError

OFS_DELTA, REF_DELTA = 6, 7
_HEADER = 8
_NAMES = _HEADER + 256 * 4
_LINEAR = 64
"""Bisect down to so many names, then let memmem(3) find the rest: faster than more Python."""
_CHUNK = 1 << 16


class Entry(NamedTuple):
    """What stands before an object's deflated bytes. `size` is of what they inflate to."""

    type: int
    size: int
    data: int
    base: int | bytes | None


class _Descriptor:
    """A file descriptor that is closed with the last user of it."""

    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


class PackFile:
    """A pack and its index; the pack's file is opened when an object is first read."""

    def __init__(self, idx: Path) -> None:
        self.path = idx.with_suffix(".pack")
        with idx.open("rb") as file:
            self._idx = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._idx[:_HEADER] != b"\xfftOc\0\0\0\2":
            raise RepositoryError(
                f"{idx.name} isn't a pack index of version 2.",
                f"Run git index-pack {self.path.name} in its directory.",
            )
        self._fanout = (0, *struct.unpack_from(">256I", self._idx, _HEADER))
        self.count = self._fanout[256]
        self._offsets = _NAMES + self.count * 24
        if len(self._idx) < self._offsets + self.count * 4 + 40:
            raise RepositoryError(
                f"{idx.name} is cut off.", f"Run git index-pack {self.path.name} in its directory."
            )
        self._file: _Descriptor | None = None

    def find(self, oid: bytes) -> int | None:
        """The offset of an object's entry in the pack, or None."""
        low, high = self._fanout[oid[0]], self._fanout[oid[0] + 1]
        idx = self._idx
        while high - low > _LINEAR:
            middle = (low + high) >> 1
            at = _NAMES + middle * 20
            if idx[at : at + 20] <= oid:
                low = middle
            else:
                high = middle
        start, end = _NAMES + low * 20, _NAMES + high * 20
        at = idx.find(oid, start, end)
        while at >= 0 and (at - _NAMES) % 20:  # a match across two names
            at = idx.find(oid, at + 1, end)
        return None if at < 0 else self._offset((at - _NAMES) // 20)

    def names(self) -> Iterator[bytes]:
        """Every object's id, sorted."""
        end = _NAMES + self.count * 20
        for (name,) in struct.iter_unpack("20s", self._idx[_NAMES:end]):
            yield name

    def with_prefix(self, prefix: str) -> Iterator[str]:
        """The ids that begin with these (at least two) hex digits."""
        first = int(prefix[:2], 16)
        for number in range(self._fanout[first], self._fanout[first + 1]):
            at = _NAMES + number * 20
            name = self._idx[at : at + 20].hex()
            if name.startswith(prefix):
                yield name

    def entry(self, offset: int) -> Entry:
        """The entry at an offset. Raises RepositoryError where the pack is broken."""
        head = self._read(offset, 64)
        try:
            byte = head[0]
            kind, size, shift, at = (byte >> 4) & 7, byte & 15, 4, 1
            while byte & 0x80:
                byte = head[at]
                size |= (byte & 0x7F) << shift
                shift += 7
                at += 1
            base: int | bytes | None = None
            if kind == OFS_DELTA:
                byte = head[at]
                at += 1
                distance = byte & 0x7F
                while byte & 0x80:
                    byte = head[at]
                    at += 1
                    distance = ((distance + 1) << 7) | (byte & 0x7F)
                base = offset - distance
                if not 12 <= base < offset:
                    raise self._broken(offset)
            elif kind == REF_DELTA:
                base = head[at : at + 20]
                at += 20
            elif kind not in (1, 2, 3, 4):
                raise self._broken(offset)
        except IndexError:
            raise self._broken(offset) from None
        return Entry(kind, size, offset + at, base)

    def inflate(self, entry: Entry) -> bytes:
        """The whole inflated bytes of an entry (of a delta: its instructions)."""
        data = b"".join(self.inflate_pieces(entry))
        if len(data) != entry.size:
            raise self._broken(entry.data)
        return data

    def inflate_pieces(self, entry: Entry, limit: int | None = None) -> Iterator[bytes]:
        """The same in pieces of at most 1 MiB; with `limit` it stops behind so many bytes."""
        inflater = zlib.decompressobj()
        at, got = entry.data, 0
        # deflated bytes are rarely more than the inflated ones: mostly one read
        want = min(entry.size + 64, _CHUNK)
        while not inflater.eof and (limit is None or got < limit):
            data = inflater.unconsumed_tail
            if not data:
                data = self._read(at, want)
                if not data:
                    raise self._broken(entry.data)
                at += len(data)
                want = _CHUNK
            try:
                piece = inflater.decompress(data, 1 << 20)
            except zlib.error:
                raise self._broken(entry.data) from None
            got += len(piece)
            if piece:
                yield piece

    def read_delta(self, base: bytes, delta: bytes, offset: int) -> bytes:
        """What a delta makes of its base."""
        try:
            return b"".join(apply_delta(base, delta))
        except Exception as error:  # dulwich raises its own class and, from Rust, others
            raise self._broken(offset) from error

    def _offset(self, number: int) -> int:
        (offset,) = struct.unpack_from(">I", self._idx, self._offsets + number * 4)
        if offset & 0x80000000:
            at = self._offsets + self.count * 4 + (offset & 0x7FFFFFFF) * 8
            (offset,) = struct.unpack_from(">Q", self._idx, at)
        return int(offset)

    def _read(self, offset: int, size: int) -> bytes:
        file = self._file
        if file is None:
            file = self._file = _Descriptor(self.path)
        return os.pread(file.number, size, offset)

    def _broken(self, offset: int) -> RepositoryError:
        return RepositoryError(
            f"{self.path.name} is broken at byte {offset}.", "Restore the repository from a backup."
        )
