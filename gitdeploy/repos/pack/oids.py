"""Object ids in sorted order, packed: 24 bytes an object, looked up through a fan-out table."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import overload


class Oids(Sequence[bytes]):
    """A sorted sequence of 20-byte ids in one buffer."""

    def __init__(self, packed: bytes, fanout: Sequence[int] | None = None) -> None:
        self.packed = packed
        self._fanout = fanout

    def __len__(self) -> int:
        return len(self.packed) // 20

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if at < 0:
            at += len(self)
        if not 0 <= at < len(self):
            raise IndexError(at)
        return self.packed[20 * at : 20 * at + 20]

    def find(self, oid: bytes) -> int:
        """The first place of `oid`, or -1."""
        low, high = 0, len(self)
        if self._fanout is not None:
            low, high = self._fanout[oid[0]], self._fanout[oid[0] + 1]
        at = bisect_left(self, oid, low, high)
        return at if at < high and self[at] == oid else -1

    def __contains__(self, oid: object) -> bool:
        return isinstance(oid, bytes) and len(oid) == 20 and self.find(oid) >= 0


class OidIndex:
    """All objects of a pack by id: `order[i]` is the position in the pack of `oids[i]`."""

    def __init__(self, packed: bytes | bytearray) -> None:
        packed = bytes(packed)  # slices of bytes sort faster
        buckets = [array("I") for _ in range(256)]
        for position, first in enumerate(packed[::20]):
            buckets[first].append(position)
        self.fanout = list(accumulate((len(bucket) for bucket in buckets), initial=0))
        """`fanout[b]` ids begin with a byte less than `b`; 257 numbers."""
        self.order = array("I")
        in_order = bytearray()
        for bucket in buckets:
            # Of equal ids the one that came first stays first.
            pairs = sorted([(packed[20 * at : 20 * at + 20], at) for at in bucket])
            in_order += b"".join([oid for oid, _ in pairs])
            self.order.extend([at for _, at in pairs])
        self.oids = Oids(bytes(in_order), self.fanout)

    def position(self, oid: bytes) -> int:
        """Where in the pack the object is, counted in objects, or -1."""
        at = self.oids.find(oid)
        return self.order[at] if at >= 0 else -1
