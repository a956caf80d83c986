"""A pack that was taken in: what it holds, what it refers to, and its objects to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gitdeploy.repos.pack.content import Content, Gatherer, pieces, read_at, release
from gitdeploy.repos.pack.delta import apply_held, apply_in_pieces, delta_sizes
from gitdeploy.repos.pack.limits import HELD
from gitdeploy.repos.pack.links import MissingLinks
from gitdeploy.repos.pack.oids import OidIndex, Oids
from gitdeploy.repos.pack.packfile import PackFile


class IndexedPack:
    """The pack beside its index, both written and not synced. Close it when done."""

    def __init__(
        self,
        pack: PackFile,
        index: OidIndex,
        *,
        checksum: bytes,
        idx: Path,
        rev: Path | None,
        missing: MissingLinks,
        new: Oids,
    ) -> None:
        self.path = pack.path
        self.idx = idx
        self.rev = rev
        """None below 1,000 objects."""
        self.name = checksum.hex()
        """What git calls it: pack-NAME.pack."""
        self.count = len(pack.entries)
        """Objects in the file, appended bases of a thin pack included."""
        self.new_oids = new
        """Sorted ids of the objects that were sent."""
        self.missing_links = missing
        """Child that the pack doesn't bring → (a new parent, the type that the child must have)."""
        self._pack = pack
        self._index = index

    def __contains__(self, oid: bytes) -> bool:
        return self._index.position(oid) >= 0

    def type_of(self, oid: bytes) -> int | None:
        """An object's type number (1 commit, 2 tree, 3 blob, 4 tag), None if it isn't here."""
        position = self._index.position(oid)
        return None if position < 0 else self._pack.entries.kinds[position]

    def size_of(self, oid: bytes) -> int:
        """An object's inflated size in bytes. Raises KeyError."""
        return self._pack.entries.sizes[self._position(oid)]

    def read(self, oid: bytes) -> tuple[int, bytes]:
        """Type number and content, whole: ask `size_of` before. Raises KeyError."""
        position = self._position(oid)
        kind = self._pack.entries.kinds[position]
        return kind, b"".join(read_pieces(self._pack, position))

    def pieces(self, oid: bytes) -> Iterator[bytes]:
        """Content in pieces of at most 1 MiB, whatever its size. Raises KeyError."""
        return read_pieces(self._pack, self._position(oid))

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._pack.close()

    def _position(self, oid: bytes) -> int:
        position = self._index.position(oid)
        if position < 0:
            raise KeyError(oid.hex())
        return position


def read_pieces(pack: PackFile, position: int) -> Iterator[bytes]:
    """An object's content, its chain of deltas applied from the bottom up."""
    entries = pack.entries
    if not entries.is_delta(position):
        yield from pack.inflate(position)
        return
    chain = [position]
    while entries.is_delta(chain[-1]):
        chain.append(entries.bases[chain[-1]])
    content = pack.stored(chain.pop())
    try:
        while chain:
            content = _apply(pack, content, pack.stored(chain.pop()))
        yield from pieces(content)
    finally:
        release(content)


def _apply(pack: PackFile, base: Content, delta: Content) -> Content:
    _, size, at = delta_sizes(read_at(delta, 0, min(len(delta), 20)))
    if isinstance(base, bytes) and isinstance(delta, bytes) and size <= HELD:
        return apply_held(base, delta, at, size)
    gatherer = Gatherer(size, pack.path.parent)
    apply_in_pieces(base, delta, at, size, gatherer.write)
    release(base)
    release(delta)
    return gatherer.content()
