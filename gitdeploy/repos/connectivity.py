"""Whether a new tip has everything it needs: each edge of a new object leads to an object.

Inside the pack the indexer has followed every edge. What is left are edges into the repository,
where the object must be there *and complete*. Whatever a ref reaches is complete. Another object
may be a leftover, from which `git prune` or a fetch that was cut off took or kept away a part. So:

- it isn't there: refused;
- it is what a ref stands at: complete;
- it stands in the tree of such a commit, at the path where the new tree has it (the ordinary
  push: one commit on a branch's tip): complete. Looked for within `_SCANNED` and `_PAIRS`;
- anything else: `git rev-list --objects`, which stops at what refs reach, has to find all of it.

The ordinary push so needs no child process; a wrong "complete" is impossible.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice

from dulwich.objects import Commit, parse_tree

from gitdeploy.errors import GitdeployError
from gitdeploy.repos.environment import git_environment
from gitdeploy.repos.objects import BLOB, COMMIT, TAG, TREE, TYPES, Objects
from gitdeploy.repos.pack import IndexedPack

GIT = "git"
_SCANNED = 5_000
"""In a pack of more objects than this nobody looks for its commits: the child is quicker."""
_PAIRS = 150
"""Trees that are compared, at 0.05 ms each, before the child is asked after all (8 ms)."""
_BATCH = 50_000
_DIRECTORY, _GITLINK = 0o040000, 0o160000

Link = tuple[bytes | None, int | None]
"""The object (None: a ref) that needs another, and the type it takes that for."""


class Disconnected(GitdeployError):
    """Something that a new object needs isn't there; `reason` is for the `unpack` line."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(f"The push is refused: {reason}.", fix)
        self.reason = reason


def check(
    objects: Objects,
    pack: IndexedPack,
    tips: Sequence[bytes],
    *,
    reachable: frozenset[bytes],
    quarantine: Mapping[str, str],
    shallow: frozenset[bytes] = frozenset(),
) -> None:
    """Raise Disconnected unless the tips and the pack's objects have all that they need.

    `reachable` is what refs stand at (tags also peeled), `quarantine` the environment in which a
    child sees the new objects, `shallow` the commits whose parents the client doesn't have.
    """
    old_tips = [tip for tip in tips if tip not in pack.new_oids]
    _require(objects, dict.fromkeys(old_tips, (None, None)), shallow)
    missing = pack.missing_links
    if len(missing) > _BATCH:  # more than one would want to hold: the tips' walk has to do
        for batch in _batches(missing):
            _require(objects, {child: missing[child] for child in batch}, shallow)
        _walk(objects, tips, reachable, quarantine)
        return
    doubtful = {child for child in missing if child not in reachable}
    settled: set[bytes] = set()
    if doubtful and pack.count <= _SCANNED:
        settled = _Neighbours(objects, pack, reachable).settle(doubtful)
    rest = {child: link for child, link in missing.items() if child not in settled}
    _require(objects, rest, shallow)
    doubtful -= settled
    if doubtful or any(tip not in reachable for tip in old_tips):
        # the tips lead to everything the refs will need; `doubtful` adds what none of them needs
        _walk(objects, [*tips, *doubtful], reachable, quarantine)


def _batches(missing: Mapping[bytes, Link]) -> Iterator[list[bytes]]:
    children = iter(missing)
    while batch := list(islice(children, _BATCH)):
        yield batch


def _require(objects: Objects, links: Mapping[bytes, Link], shallow: frozenset[bytes]) -> None:
    """Every object is there, and of the type that it is taken for."""
    present = objects.present(links.keys())
    for child, (parent, expected) in links.items():
        if child not in present:
            raise _missing(child, parent, expected, shallow)
        header = None if expected is None else objects.header(child)
        if header is not None and header[0] != expected and expected is not None:
            raise Disconnected(
                f"{child.hex()} is a {TYPES[header[0]]}, not the {TYPES[expected]} that "
                f"{_name(parent)} takes it for"
            )


class _Neighbours:
    """Finds entries of new trees in the trees of the commits that the push builds on."""

    def __init__(self, objects: Objects, pack: IndexedPack, reachable: frozenset[bytes]) -> None:
        self._objects = objects
        self._pack = pack
        self._boundary = [
            child
            for child, (parent, _) in pack.missing_links.items()
            if child in reachable and pack.type_of(parent) == COMMIT
        ]
        self._seen: set[tuple[bytes, bytes]] = set()

    def settle(self, doubtful: Set[bytes]) -> set[bytes]:
        """Those of `doubtful` that are found, of the right type."""
        olds = [tree for commit in self._boundary if (tree := self._old_tree(commit)) is not None]
        news = [
            bytes.fromhex(Commit.from_string(self._pack.read(oid)[1]).tree.decode())
            for oid in (self._pack.new_oids if olds else ())
            if self._pack.type_of(oid) == COMMIT
        ]
        left = set(doubtful)
        for new in news:
            for old in olds:
                if new == old:
                    left.discard(new)
                elif left and len(self._seen) < _PAIRS:
                    self._compare(new, old, left)
        return set(doubtful) - left

    def _old_tree(self, commit: bytes) -> bytes | None:
        found = self._objects.read(commit)
        if found is None or found[0] != COMMIT:
            return None
        return bytes.fromhex(Commit.from_string(found[1]).tree.decode())

    def _compare(self, new: bytes, old: bytes, left: set[bytes]) -> None:
        """Two trees that stand at one path: the same entry in both is one of a complete tree."""
        pairs = [(new, old)]
        while pairs and left and len(self._seen) < _PAIRS:
            pair = pairs.pop()
            if pair in self._seen or self._pack.type_of(pair[0]) != TREE:
                continue
            self._seen.add(pair)
            found = self._objects.read(pair[1])
            if found is None or found[0] != TREE:
                continue
            there = _entries(found[1])
            known = {
                (oid, mode == _DIRECTORY)
                for mode, oid in there.values()
                if mode != _GITLINK  # a commit of elsewhere, that need not be here
            }
            for name, (mode, oid) in _entries(self._pack.read(pair[0])[1]).items():
                directory = mode == _DIRECTORY
                if (oid, directory) in known:
                    left.discard(oid)
                elif directory and name in there and there[name][0] == _DIRECTORY:
                    pairs.append((oid, there[name][1]))


def _entries(tree: bytes) -> dict[bytes, tuple[int, bytes]]:
    return {name: (mode, bytes.fromhex(oid.decode())) for name, mode, oid in parse_tree(tree, 20)}


def _walk(
    objects: Objects,
    starts: Sequence[bytes],
    reachable: frozenset[bytes],
    quarantine: Mapping[str, str],
) -> None:
    """Follow everything from `starts` that refs don't reach."""
    try:
        child = subprocess.run(
            [GIT, "rev-list", "--objects", "--quiet", "--stdin", "--not", "--all"],
            input=b"".join(oid.hex().encode() + b"\n" for oid in starts),
            env={**git_environment(objects.directory.parent), **quarantine},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:  # no git here
        _walk_here(objects, starts, reachable)
        return
    if child.returncode:
        last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        text = (
            last[0].removeprefix("fatal: ").removeprefix("error: ") if last else "rev-list failed"
        )
        raise Disconnected(f"missing necessary objects ({text})", _FIX)


def _walk_here(objects: Objects, starts: Sequence[bytes], reachable: frozenset[bytes]) -> None:
    """The same without git, slower: it goes down to the roots of every tree it meets."""
    stack, seen = [oid for oid in starts if objects.has(oid)], set(reachable)
    while stack:
        oid = stack.pop()
        if oid in seen:
            continue
        seen.add(oid)
        header = objects.header(oid)
        if header is None:
            raise Disconnected(f"missing necessary objects ({oid.hex()})", _FIX)
        if header[0] != BLOB:
            found = objects.read(oid)
            if found is not None:
                stack.extend(_edges(*found))


def _edges(kind: int, data: bytes) -> list[bytes]:
    if kind == TREE:
        return [oid for mode, oid in _entries(data).values() if mode != _GITLINK]
    head = data.partition(b"\n\n")[0].split(b"\n")
    keys = (b"object",) if kind == TAG else (b"tree", b"parent")
    return [bytes.fromhex(line[-40:].decode()) for line in head if line.split(b" ")[0] in keys]


_FIX = "Push again with git push --no-thin; git fsck in your clone tells whether it is whole."


def _missing(
    child: bytes, parent: bytes | None, expected: int | None, shallow: frozenset[bytes]
) -> Disconnected:
    if parent is not None and parent in shallow:
        return Disconnected(
            "shallow update not allowed",
            "Your clone is shallow and this repository lacks its history: git fetch --unshallow.",
        )
    kind = TYPES[expected] if expected is not None else "object"
    needs = f" that {_name(parent)} needs" if parent is not None else ""
    return Disconnected(f"missing {kind} {child.hex()}{needs}", _FIX)


def _name(parent: bytes | None) -> str:
    return parent.hex() if parent is not None else "a ref"
