"""What the objects of a pack refer to, and what of it the pack doesn't bring.

Links are gathered without repetition while objects are read; when there are many they are written
to a temporary file as sorted runs, so that memory stays bounded whatever is pushed.
"""

from __future__ import annotations

import heapq
import struct
from array import array
from collections.abc import ItemsView, Iterator, Mapping
from pathlib import Path

from gitdeploy.repos.pack.content import Spilled
from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.limits import TYPE_NAMES, PackError
from gitdeploy.repos.pack.oids import OidIndex, Oids

_RUN = 200_000
_RECORD = struct.Struct(">21sI")
_READ = 4096  # records of a run that are read at once


class Links:
    """A set of (child, expected type), each with one parent to name in a message."""

    def __init__(self, directory: Path) -> None:
        self.pending: dict[bytes, int] = {}
        """Child's id and one byte of type → position of a parent; call `bound` after adding."""
        self._directory = directory
        self._runs: list[Spilled] = []

    def bound(self) -> None:
        """Keep memory bounded."""
        if len(self.pending) < _RUN:
            return
        run = Spilled(self._directory)
        run.write(b"".join([_RECORD.pack(*pair) for pair in sorted(self.pending.items())]))
        self._runs.append(run)
        self.pending = {}

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """All links in order of the child's id, each once."""
        if not self._runs:
            yield from sorted(self.pending.items())
            return
        before = b""
        for link in heapq.merge(
            sorted(self.pending.items()), *(self._read(run) for run in self._runs)
        ):
            if link[0] != before:
                before = link[0]
                yield link

    @staticmethod
    def _read(run: Spilled) -> Iterator[tuple[bytes, int]]:
        step = _READ * _RECORD.size
        for at in range(0, run.size, step):
            yield from _RECORD.iter_unpack(run.read_at(at, min(step, run.size - at)))

    def close(self) -> None:
        for run in self._runs:
            run.close()
        self.pending = {}
        self._runs = []


class MissingLinks(Mapping[bytes, tuple[bytes, int]]):
    """Child that the pack doesn't bring → a parent that is new, and the type it must have.

    In order of the child's id; 25 bytes a link. `children` is the sorted sequence of ids.
    """

    def __init__(self, children: Oids, kinds: bytes, parents: array[int], entries: Entries) -> None:
        self.children = children
        self._kinds = kinds
        self._parents = parents
        self._entries = entries

    def __len__(self) -> int:
        return len(self.children)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.children)

    def __getitem__(self, child: bytes) -> tuple[bytes, int]:
        at = self.children.find(child)
        if at < 0:
            raise KeyError(child)
        return self._entries.oid(self._parents[at]), self._kinds[at]

    def items(self) -> ItemsView[bytes, tuple[bytes, int]]:
        """In order, without a look-up for each."""
        return _Items(self)

    def in_order(self) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
        """What `items` iterates over."""
        oid = self._entries.oid
        for child, parent, kind in zip(self.children, self._parents, self._kinds, strict=True):
            yield child, (oid(parent), kind)


class _Items(ItemsView[bytes, tuple[bytes, int]]):
    _mapping: MissingLinks

    def __iter__(self) -> Iterator[tuple[bytes, tuple[bytes, int]]]:
        return self._mapping.in_order()


def missing_links(links: Links, index: OidIndex, entries: Entries, limit: int) -> MissingLinks:
    """Split links by whether the pack brings the child; raises PackError where types differ.

    A base that was appended to a thin pack is in the repository already: it counts as missing.
    """
    ids, order, kinds, sent = index.oids.packed, index.order, entries.kinds, entries.sent
    children, wanted, parents = bytearray(), bytearray(), array("I")
    at, end = 0, len(ids)
    here = ids[:20]
    for key, parent in links:
        child, kind = key[:20], key[20]
        while here < child and at < end:
            at += 20
            here = ids[at : at + 20]
        if here == child:
            position = order[at // 20]
            if kinds[position] != kind:
                raise _wrong(child, kinds[position], kind, entries.oid(parent))
            if position < sent:
                continue
        if child == children[-20:]:
            raise _wrong(child, wanted[-1], kind, entries.oid(parent))
        children += child
        wanted.append(kind)
        parents.append(parent)
        if len(parents) > limit:
            raise PackError(
                f"pack refers to more than max_push_objects = {limit} objects that it doesn't bring",
                "Push less at once, or raise max_push_objects on the server.",
            )
    fanout = _fanout(children)
    return MissingLinks(Oids(bytes(children), fanout), bytes(wanted), parents, entries)


def _fanout(packed: bytearray) -> list[int] | None:
    if len(packed) < 20 * 256:
        return None
    counts = [0] * 257
    for first in packed[::20]:
        counts[first + 1] += 1
    for byte in range(256):
        counts[byte + 1] += counts[byte]
    return counts


def _wrong(child: bytes, kind: int, wanted: int, parent: bytes) -> PackError:
    return PackError(
        f"object {child.hex()} is a {TYPE_NAMES[kind].decode()},"
        f" not a {TYPE_NAMES[wanted].decode()} as {parent.hex()} has it",
        "Rewrite the history that has it, then push again.",
    )
