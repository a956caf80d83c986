"""Deltas become objects: depth first from their bases, each base inflated once.

Of the deltas on one base the one that most others stand on comes last, and the base is let go
before descending into it. So at most log2(n) bases wait at any time, however long the chains are;
what exceeds the window of memory waits in temporary files.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from gitdeploy.repos.pack.content import Content, Gatherer, Spilled, pieces, read_at, release
from gitdeploy.repos.pack.delta import Op, apply_held, apply_in_pieces, apply_with_ops, delta_sizes
from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.fsck import Checker
from gitdeploy.repos.pack.idents import Broken
from gitdeploy.repos.pack.limits import (
    BLOB,
    EXPANSION,
    HELD,
    OFS_DELTA,
    STRUCTURED,
    TREE,
    TYPE_NAMES,
    PackError,
    PackLimits,
    broken_object,
    over,
)
from gitdeploy.repos.pack.packfile import PackFile
from gitdeploy.repos.pack.trees import entry_starts

_TREE_DELTA = 4096
"""A tree whose delta is longer is read whole: little of it is as before."""


class _Base:
    """A base whose deltas are being resolved."""

    __slots__ = ("content", "deltas", "depth", "kind", "next", "position", "starts")

    def __init__(
        self, position: int, kind: int, content: Content, deltas: list[int], depth: int
    ) -> None:
        self.position = position  # negative: a base from outside the pack
        self.kind = kind
        self.content = content
        self.deltas = deltas
        self.next = 0
        self.depth = depth
        self.starts: list[int] | None = None


class Resolver:
    """Resolves the deltas of one pack; `references` maps a base's id to deltas that name it."""

    def __init__(
        self,
        pack: PackFile,
        checker: Checker,
        limits: PackLimits,
        *,
        kept: dict[int, bytes],
        references: dict[bytes, list[int]],
    ) -> None:
        self._pack = pack
        self._entries: Entries = pack.entries
        self._checker = checker
        self._limits = limits
        self._kept = kept  # deltas still in memory
        self._references = references
        self._budget = EXPANSION * limits.max_bytes
        count = len(self._entries)
        self._first = array("i", [-1]) * count
        self._after = array("i", [-1]) * count
        self._weights = array("I", [1]) * count
        self._stack: list[_Base] = []
        self._in_memory = 0
        self._on_disk = 0
        self.unresolved = 0
        self._link_offsets()

    def resolve_inside(self) -> None:
        """Resolve all that stands on objects of the pack."""
        entries, first, references = self._entries, self._first, self._references
        for position in range(len(entries)):
            if entries.is_delta(position):
                continue
            if first[position] < 0 and (not references or entries.oid(position) not in references):
                continue
            deltas = self._deltas(position, entries.oid(position))
            kind = entries.kinds[position]
            self._descend(_Base(position, kind, self._pack.stored(position), deltas, 0))

    def resolve_outside(self, mark: int, oid: bytes, kind: int, content: Content) -> None:
        """Resolve all that stands on `oid`, an object of the repository; `mark` is negative."""
        self._descend(_Base(mark, kind, content, self._references.pop(oid), 0))

    def waiting(self) -> Iterator[bytes]:
        """Ids of bases that the pack doesn't bring; some may get resolved along the way."""
        for oid in list(self._references):
            if oid in self._references:
                yield oid

    def close(self) -> None:
        """Let go of what is held (after a failure)."""
        for base in self._stack:
            release(base.content)
        self._stack = []

    def _link_offsets(self) -> None:
        """Offsets of bases become positions, and each base learns its deltas and their weight."""
        entries = self._entries
        offsets, bases = entries.offsets, entries.bases
        for position in range(len(entries) - 1, -1, -1):
            if entries.stored_kinds[position] >= OFS_DELTA:
                self.unresolved += 1
                if entries.stored_kinds[position] != OFS_DELTA:
                    continue
                base = bisect_left(offsets, bases[position], 0, position)
                if base == position or offsets[base] != bases[position]:
                    raise PackError("delta base offset is out of bound")
                bases[position] = base
                self._after[position] = self._first[base]
                self._first[base] = position
                self._weights[base] += self._weights[position]

    def _deltas(self, position: int, oid: bytes) -> list[int]:
        """The deltas on an object, heaviest last."""
        deltas = []
        at = self._first[position]
        while at >= 0:
            deltas.append(at)
            at = self._after[at]
        if self._references:
            deltas += self._references.pop(oid, ())
        if len(deltas) > 1:
            deltas.sort(key=self._weights.__getitem__)
        return deltas

    def _descend(self, root: _Base) -> None:
        self._push(root)
        stack = self._stack
        while stack:
            base = stack[-1]
            position = base.deltas[base.next]
            base.next += 1
            content, starts = self._resolve(base, position)
            if base.next == len(base.deltas):
                self._drop(stack.pop())
            deltas = self._deltas(position, self._entries.oid(position))
            if not deltas:
                release(content)
                continue
            if base.depth + 1 >= self._limits.max_delta_depth:
                raise PackError(f"a chain of deltas is longer than {self._limits.max_delta_depth}")
            below = _Base(position, base.kind, content, deltas, base.depth + 1)
            below.starts = starts
            self._push(below)

    def _resolve(self, base: _Base, position: int) -> tuple[Content, list[int] | None]:
        """Make the object of a delta, and check it; its content, and for a tree its entries."""
        entries, kind = self._entries, base.kind
        delta: Content | None = self._kept.pop(position, None)
        if delta is None:
            delta = self._pack.stored(position)
        source, size, at = delta_sizes(read_at(delta, 0, min(len(delta), 20)))
        self._check_sizes(base, source, size)
        ops: list[Op] = []
        content: Content
        if isinstance(delta, bytes) and isinstance(base.content, bytes) and size <= HELD:
            if kind == TREE and len(delta) <= _TREE_DELTA and base.position >= 0:
                content, ops = apply_with_ops(base.content, delta, at, size)
            else:
                content = apply_held(base.content, delta, at, size)
        else:
            content = self._resolve_big(base.content, delta, at, size)
        digest = hashlib.sha1(b"%s %d\0" % (TYPE_NAMES[kind], size), usedforsecurity=False)
        for piece in pieces(content):
            digest.update(piece)
        entries.oids[20 * position : 20 * position + 20] = digest.digest()
        entries.kinds[position] = kind
        entries.sizes[position] = size
        entries.bases[position] = base.position
        self.unresolved -= 1
        starts = None
        if kind != BLOB:
            try:
                if ops and isinstance(base.content, bytes):
                    if base.starts is None:
                        base.starts = entry_starts(base.content)
                    starts = self._checker.check_derived(
                        position,
                        read_at(content, 0, size),
                        ops,
                        base.position,
                        base.content,
                        base.starts,
                    )
                else:
                    self._checker.check(position, kind, read_at(content, 0, size))
            except Broken as error:
                raise broken_object(entries.oid(position), str(error)) from error
        return content, starts

    def _check_sizes(self, base: _Base, source: int, size: int) -> None:
        if source != len(base.content):
            raise PackError("failed to apply delta: made for a base of another size")
        if size > self._limits.max_object_size:
            raise over(
                f"an object of {size} bytes", self._limits.max_object_size, "max_object_size"
            )
        if base.kind != BLOB and size > STRUCTURED:
            raise PackError(f"a {TYPE_NAMES[base.kind].decode()} of {size} bytes is too large")
        self._budget -= size
        if self._budget < 0:
            raise PackError(f"pack inflates to more than {EXPANSION} times max_push_size")

    def _resolve_big(self, base: Content, delta: Content, at: int, size: int) -> Content:
        gatherer = Gatherer(size, self._pack.path.parent)
        try:
            apply_in_pieces(base, delta, at, size, gatherer.write)
        except BaseException:
            gatherer.close()
            raise
        finally:
            release(delta)
        return gatherer.content()

    def _push(self, base: _Base) -> None:
        if isinstance(base.content, bytes):
            self._in_memory += len(base.content)
        else:
            self._on_disk += len(base.content)
        self._stack.append(base)
        if self._in_memory > self._limits.window_bytes:
            self._spill(self._stack[:-1])
        if self._on_disk > self._limits.max_spill:
            raise PackError("resolving its deltas takes too much temporary space")

    def _spill(self, bases: Iterable[_Base]) -> None:
        for base in bases:
            if self._in_memory <= self._limits.window_bytes:
                return
            if isinstance(base.content, bytes):
                spilled = Spilled(self._pack.path.parent)
                spilled.write(base.content)
                self._in_memory -= len(base.content)
                self._on_disk += len(base.content)
                base.content = spilled
                base.starts = None

    def _drop(self, base: _Base) -> None:
        if isinstance(base.content, bytes):
            self._in_memory -= len(base.content)
        else:
            self._on_disk -= len(base.content)
        release(base.content)
