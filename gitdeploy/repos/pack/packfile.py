"""The pack on disk: written as it comes, read back by position, never whole."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from gitdeploy.repos.pack.content import Content, Gatherer
from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.limits import HELD, OFS_DELTA, PIECE, REF_DELTA, PackError


class PackFile:
    """One file descriptor, and what is known of the objects behind it."""

    def __init__(self, path: Path, entries: Entries) -> None:
        self.path = path
        self.entries = entries
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        self._size = 0

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(data)

    def replace_trailer(self, count: int, at: int) -> bytes:
        """Write the header anew for `count` objects that end at `at`, then the checksum over all."""
        os.pwrite(self._fd, count.to_bytes(4, "big"), 8)
        os.ftruncate(self._fd, at)
        digest = hashlib.sha1(usedforsecurity=False)
        for start in range(0, at, PIECE):
            digest.update(os.pread(self._fd, min(PIECE, at - start), start))
        checksum = digest.digest()
        os.pwrite(self._fd, checksum, at)
        return checksum

    def write_at(self, data: bytes, at: int) -> None:
        """Write over what lies at `at`."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written

    def stored(self, position: int) -> Content:
        """An object as stored, inflated: a delta as the delta that it is."""
        start, length = self.entries.span(position)
        if length <= HELD:
            data = os.pread(self._fd, length, start)
            content = zlib.decompressobj().decompress(data[_header_length(data) :], 2 * HELD)
            if len(content) <= HELD:
                return content
        gatherer = Gatherer(self.stored_size(position), self.path.parent)
        for piece in self.inflate(position):
            gatherer.write(piece)
        return gatherer.content()

    def stored_size(self, position: int) -> int:
        """The size in an object's header: of the delta, where it is one."""
        start, _ = self.entries.span(position)
        size = shift = 0
        for at, byte in enumerate(os.pread(self._fd, 16, start)):
            size |= (byte & 15) if at == 0 else (byte & 0x7F) << shift
            shift += 4 if at == 0 else 7
            if byte < 0x80:
                break
        return size

    def inflate(self, position: int) -> Iterator[bytes]:
        """An object as stored, in pieces. It was inflated once before, so its size is no lie."""
        start, length = self.entries.span(position)
        end = start + length
        head = os.pread(self._fd, min(length, 64), start)
        start += _header_length(head)
        inflater = zlib.decompressobj()
        tail = b""
        while not inflater.eof:
            if not tail:
                if start >= end:
                    raise PackError("pack changed while it was read")
                tail = os.pread(self._fd, min(PIECE, end - start), start)
                start += len(tail)
            piece = inflater.decompress(tail, PIECE)
            tail = inflater.unconsumed_tail
            if piece:
                yield piece


def _header_length(data: bytes) -> int:
    """Bytes before the zlib stream."""
    kind = data[0] >> 4 & 7
    at = 0
    while data[at] & 0x80:
        at += 1
    at += 1
    if kind == REF_DELTA:
        return at + 20
    if kind == OFS_DELTA:
        while data[at] & 0x80:
            at += 1
        at += 1
    return at


def object_header(kind: int, size: int) -> bytes:
    """An object's header in a pack."""
    byte = kind << 4 | size & 15
    size >>= 4
    header = bytearray()
    while size:
        header.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    header.append(byte)
    return bytes(header)
