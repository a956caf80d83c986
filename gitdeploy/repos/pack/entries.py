"""What is known of each object of a pack, in columns: 45 bytes an object, however many."""

from __future__ import annotations

from array import array

from gitdeploy.repos.pack.limits import OFS_DELTA


class Entries:
    """Columns by position in the pack. Bases that complete a thin pack come last.

    `kinds` has the type as stored, then (deltas resolved) the real one; `sizes` likewise the
    stored and then the real inflated size; `bases` is -1 for what isn't a delta, for an offset
    delta the base's offset until `link_bases`, then the base's position.
    """

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.crcs = array("L" if array("L").itemsize == 4 else "I")
        self.kinds = bytearray()
        self.stored_kinds = bytearray()
        self.sizes = array("Q")
        self.bases = array("q")
        self.oids = bytearray()
        self.end = 0
        """Offset where the last object ends."""
        self.sent = 0
        """How many of them the client sent."""

    def __len__(self) -> int:
        return len(self.offsets)

    def add(self, offset: int, kind: int, size: int, base: int = -1) -> int:
        """Append an object whose id and CRC follow later; its position."""
        position = len(self.offsets)
        self.offsets.append(offset)
        self.crcs.append(0)
        self.kinds.append(kind)
        self.stored_kinds.append(kind)
        self.sizes.append(size)
        self.bases.append(base)
        self.oids += bytes(20)
        return position

    def oid(self, position: int) -> bytes:
        """The 20 bytes of an object's id; zeros while it isn't known."""
        return bytes(self.oids[20 * position : 20 * position + 20])

    def set_oid(self, position: int, oid: bytes) -> None:
        self.oids[20 * position : 20 * position + 20] = oid

    def span(self, position: int) -> tuple[int, int]:
        """Where an object lies in the pack: offset and length, header included."""
        start = self.offsets[position]
        after = position + 1
        end = self.offsets[after] if after < len(self.offsets) else self.end
        return start, end - start

    def is_delta(self, position: int) -> bool:
        return self.stored_kinds[position] >= OFS_DELTA
