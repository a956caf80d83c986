"""The pack as a stream: bytes in, in pieces of any size; one call for each object.

Format: git's Documentation/gitformat-pack. A header of twelve bytes, then for each object its type
and inflated size, for a delta its base, and a zlib stream; SHA-1 of all that at the end.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Protocol

from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.limits import (
    BLOB,
    HELD,
    OFS_DELTA,
    PIECE,
    REF_DELTA,
    STRUCTURED,
    TYPE_NAMES,
    PackError,
    PackLimits,
    over,
)


class Sink(Protocol):
    """Who takes the objects."""

    def whole(self, position: int, kind: int, content: bytes) -> None:
        """An object that isn't a delta, inflated."""

    def hashed(self, position: int, oid: bytes) -> None:
        """A blob too big to be held, and its id."""

    def delta(self, position: int, content: bytes | None, base: bytes | None) -> None:
        """A delta, inflated (None: too big to be held), and its base's id where it has one."""


class PackParser:
    """The state machine. Nothing is held of the stream but an object's header and small content."""

    def __init__(self, entries: Entries, sink: Sink, limits: PackLimits) -> None:
        self.checksum = hashlib.sha1(usedforsecurity=False)
        self._entries = entries
        self._sink = sink
        self._limits = limits
        self._budget = 256 * limits.max_bytes
        self._pending = b""  # the start of a header that a piece cut off
        self._offset = 0  # of the next byte to be parsed, in the pack
        self._left = -1  # objects to come; -1 before the pack's header
        self._trailer = b""
        # The object whose zlib stream is being read, if any:
        self._inflater: zlib._Decompress | None = None
        self._position = 0
        self._kind = 0
        self._size = 0
        self._base: bytes | None = None
        self._produced = 0
        self._crc = 0
        self._held = False
        self._parts: list[bytes] = []
        self._hash = self.checksum

    @property
    def trailer(self) -> bytes:
        """The checksum that the pack brought; fewer than 20 bytes: it is cut off."""
        return self._trailer

    def feed(self, data: bytes) -> None:
        """Parse what came. Raises PackError at the first byte that can't be of a pack."""
        buffer = self._pending + data if self._pending else data
        self._pending = b""
        view = memoryview(buffer)
        at = 0
        if self._left < 0:
            if len(buffer) < 12:
                self._check_magic(buffer)
                self._pending = bytes(buffer)
                return
            self._pack_header(buffer)
            at = 12
        while True:
            if self._inflater is None:
                if self._left == 0:
                    break
                try:
                    after = self._object_header(buffer, at)
                except IndexError:
                    self._pending = bytes(view[at:])
                    break
                self._crc = zlib.crc32(view[at:after])
                at = after
            if at == len(buffer):
                break
            at = self._inflate(view, at)
        self._offset += at
        self.checksum.update(view[:at])
        self._entries.end = self._offset
        if self._left == 0 and self._inflater is None:
            self._trailer += view[at:]
            if len(self._trailer) > 20:
                raise PackError("pack has junk at the end")

    def finish(self) -> bytes:
        """Check that all came; the pack's checksum."""
        if self._left != 0 or len(self._trailer) < 20:
            raise PackError("pack truncated", "Push again: the transfer was cut off.")
        if self.checksum.digest() != self._trailer:
            raise PackError("pack is corrupted (SHA1 mismatch)", "Push again.")
        return self._trailer

    def _check_magic(self, buffer: bytes) -> None:
        if buffer[:4] != b"PACK"[: len(buffer)]:
            raise PackError("pack signature mismatch")

    def _pack_header(self, buffer: bytes) -> None:
        self._check_magic(buffer)
        version = int.from_bytes(buffer[4:8], "big")
        if version not in (2, 3):
            raise PackError(f"pack version {version} unsupported")
        count = int.from_bytes(buffer[8:12], "big")
        if count > self._limits.max_objects:
            raise over(f"pack has {count} objects", self._limits.max_objects, "max_push_objects")
        self._left = self._entries.sent = count

    def _object_header(self, buffer: bytes, at: int) -> int:
        """Read an object's header, up to its zlib stream; IndexError where the piece ends in it."""
        start = at
        byte = buffer[at]
        at += 1
        kind = byte >> 4 & 7
        size = byte & 15
        shift = 4
        while byte & 0x80:
            byte = buffer[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if shift > 70:
                raise PackError("object size too large for this platform")
        offset = self._offset + start
        base_offset = -1
        base: bytes | None = None
        if kind == OFS_DELTA:
            byte = buffer[at]
            at += 1
            distance = byte & 0x7F
            while byte & 0x80:
                byte = buffer[at]
                at += 1
                distance = (distance + 1) << 7 | byte & 0x7F
                if distance >= 1 << 63:
                    raise PackError("offset value overflow for delta base object")
            base_offset = offset - distance
            if distance == 0 or base_offset < 12:
                raise PackError("delta base offset is out of bound")
        elif kind == REF_DELTA:
            buffer[at + 19]  # IndexError where the base's id isn't here yet
            base = bytes(buffer[at : at + 20])
            at += 20
        elif kind not in TYPE_NAMES:
            raise PackError(f"unknown object type {kind}")
        self._start(offset, kind, size, base_offset, base)
        return at

    def _start(
        self, offset: int, kind: int, size: int, base_offset: int, base: bytes | None
    ) -> None:
        limits = self._limits
        if size > limits.max_object_size:
            raise over(f"an object of {size} bytes", limits.max_object_size, "max_object_size")
        self._budget -= size
        if self._budget < 0:
            raise PackError("pack inflates to more than 256 times max_push_size")
        if kind < BLOB or kind == 4:
            if size > STRUCTURED:
                raise PackError(f"a {TYPE_NAMES[kind].decode()} of {size} bytes is too large")
            self._held = True
        else:
            self._held = size <= HELD
        if not self._held:
            self._hash = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        self._position = self._entries.add(offset, kind, size, base_offset)
        self._kind, self._size, self._base = kind, size, base
        self._produced = 0
        self._inflater = zlib.decompressobj()

    def _inflate(self, view: memoryview, at: int) -> int:
        """Feed the object's zlib stream from `at`; where its bytes, or the piece's, end."""
        inflater = self._inflater
        assert inflater is not None
        total = len(view)
        size = self._size
        start = at
        while at < total:
            # No more than the object may need: what is left over is copied by zlib each time.
            remaining = size - self._produced
            window = min(total - at, PIECE, remaining + (remaining >> 8) + 64)
            try:
                output = inflater.decompress(
                    view[at : at + window],
                    min(remaining + 1, PIECE) if not self._held else remaining + 1,
                )
            except zlib.error as error:
                raise PackError(f"inflate returned {error}") from error
            self._produced += len(output)
            if self._produced > size:
                raise PackError("inflated data is longer than its declared size")
            if inflater.eof:
                at += window - len(inflater.unused_data)
                self._crc = zlib.crc32(view[start:at], self._crc)
                self._inflater = None
                self._complete(output)
                return at
            at += window - len(inflater.unconsumed_tail)
            if output:
                if self._held:
                    self._parts.append(output)
                else:
                    self._hash.update(output)
        self._crc = zlib.crc32(view[start:at], self._crc)
        return at

    def _complete(self, output: bytes) -> None:
        if self._produced != self._size:
            raise PackError("inflated data is shorter than its declared size")
        if self._parts:
            self._parts.append(output)
            output = b"".join(self._parts)
            self._parts = []
        position, kind = self._position, self._kind
        self._entries.crcs[position] = self._crc
        self._left -= 1
        if kind >= OFS_DELTA:
            self._sink.delta(position, output if self._held else None, self._base)
        elif self._held:
            self._sink.whole(position, kind, output)
        else:
            self._hash.update(output)
            self._sink.hashed(position, self._hash.digest())
