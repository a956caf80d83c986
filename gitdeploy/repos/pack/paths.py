"""How long the paths get that a pack's trees spell.

A tree's longest path is that of its longest name, or of a subtree below its name. Trees read by
difference inherit an upper bound from the tree they derive from; only when a bound passes the limit
are all trees read again and the length is taken exactly.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

from gitdeploy.repos.pack.entries import Entries
from gitdeploy.repos.pack.limits import broken_object
from gitdeploy.repos.pack.oids import OidIndex
from gitdeploy.repos.pack.trees import Entry

_QUICK = 100_000


class Paths:
    """Gathers names while trees are read: a few bytes for each subtree entry."""

    def __init__(self) -> None:
        self._trees = array("I")  # positions …
        self._longest = array("I")  # … and their longest names
        self._children = bytearray()  # ids of subtrees …
        self._parents = array("I")  # … of these trees …
        self._lengths = array("I")  # … under names of this length
        self._derived = array("I")  # pairs: a tree, and the tree it derives from

    def add(self, position: int, entries: Iterable[Entry], base: int | None = None) -> None:
        """A tree's entries; those that `base` has not, where it derives from `base`."""
        longest = 0
        subtrees: dict[bytes, int] = {}
        for mode, name, oid in entries:
            length = len(name)
            if length > longest:
                longest = length
            if mode == b"40000" and subtrees.get(oid, 0) < length:
                subtrees[oid] = length
        self._trees.append(position)
        self._longest.append(longest)
        for oid, length in subtrees.items():
            self._children += oid
            self._parents.append(position)
            self._lengths.append(length)
        if base is not None:
            self._derived.append(position)
            self._derived.append(base)

    def check(
        self,
        entries: Entries,
        index: OidIndex,
        limit: int,
        read: Callable[[int], list[Entry]],
    ) -> None:
        """Raises PackError naming a tree with a path over `limit` bytes."""
        if not self._longest:
            return
        if len(self._longest) * (max(self._longest) + 1) <= limit:
            return
        bounds = self._solve(entries, index)
        if bounds is not None and max(bounds) <= limit:
            return
        exact = Paths()
        for position in self._trees:
            exact.add(position, read(position))
        lengths = exact._solve(entries, index)
        assert lengths is not None  # ids make cycles of trees impossible
        for position, length in enumerate(lengths):
            if length > limit:
                raise broken_object(
                    entries.oid(position),
                    f"a path of {length} bytes, more than max_path_length = {limit}",
                )

    def _solve(self, entries: Entries, index: OidIndex) -> array[int] | None:
        """The longest path of each object (0: not a tree); None if inherited bounds go in circles."""
        count = len(entries)
        sources, dependents, weights = array("I"), array("I"), array("I")
        children = self._children
        known = bytearray(count)
        for position in self._trees:
            known[position] = 1
        # A dictionary is quick, the index is small.
        trees: dict[bytes, int] = {}
        if len(self._trees) <= _QUICK:
            trees = {entries.oid(position): position for position in self._trees}
        for at, parent in enumerate(self._parents):
            oid = bytes(children[20 * at : 20 * at + 20])
            child = trees.get(oid, -1) if trees else index.position(oid)
            if child >= 0 and known[child]:
                sources.append(child)
                dependents.append(parent)
                weights.append(self._lengths[at] + 1)
        sources.extend(self._derived[1::2])
        dependents.extend(self._derived[::2])
        weights.extend(array("I", bytes(4)) * (len(self._derived) // 2))

        start = array("I", bytes(4)) * (count + 2)
        waiting = array("I", bytes(4)) * count
        for source in sources:
            start[source + 2] += 1
        for at in range(2, count + 2):
            start[at] += start[at - 1]
        out = array("I", bytes(4)) * len(sources)
        for at, source in enumerate(sources):
            out[start[source + 1]] = at
            start[source + 1] += 1
            waiting[dependents[at]] += 1
        bounds = array("I", bytes(4)) * count
        for position, longest in zip(self._trees, self._longest, strict=True):
            bounds[position] = longest
        ready = [position for position in self._trees if waiting[position] == 0]
        done = 0
        while ready:
            source = ready.pop()
            done += 1
            bound = bounds[source]
            for edge in out[start[source] : start[source + 1]]:
                dependent = dependents[edge]
                if bound + weights[edge] > bounds[dependent]:
                    bounds[dependent] = min(bound + weights[edge], 0xFFFFFFFF)
                waiting[dependent] -= 1
                if waiting[dependent] == 0:
                    ready.append(dependent)
        return bounds if done == len(self._trees) else None
