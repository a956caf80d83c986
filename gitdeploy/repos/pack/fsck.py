"""Objects as they come: checked by git's rules, and what they refer to is written down.

The rules are those of `receive.fsckObjects` (git's errors, and its warnings as errors; what git
only notes is accepted), and one that is ours: a mode that git doesn't know is refused.
"""

from __future__ import annotations

from pathlib import Path

from gitdeploy.repos.pack.delta import Op
from gitdeploy.repos.pack.idents import commit_links, tag_link
from gitdeploy.repos.pack.limits import BLOB, COMMIT, TAG, TREE
from gitdeploy.repos.pack.links import Links
from gitdeploy.repos.pack.paths import Paths
from gitdeploy.repos.pack.trees import TreeReading, kind_of, read_derived, read_tree

_KEY = {kind: bytes([kind]) for kind in range(5)}
_KEY_OF_MODE = {b"40000": _KEY[TREE], b"100644": _KEY[BLOB], b"100755": _KEY[BLOB]}


class Checker:
    """Reads each commit, tree and tag once; raises Broken for one that breaks a rule."""

    def __init__(self, directory: Path, *, fsck: bool) -> None:
        self.links = Links(directory)
        self.paths = Paths()
        self.special: dict[bytes, str] = {}
        """Blobs that are a `.gitmodules` or `.gitattributes` somewhere: checked at the end."""
        self._fsck = fsck

    def check(self, position: int, kind: int, content: bytes) -> None:
        """A commit, tree or tag, whole. Blobs are of no interest."""
        if kind == TREE:
            self._note(position, read_tree(content, fsck=self._fsck), None)
        elif kind == COMMIT:
            commit = commit_links(content, fsck=self._fsck)
            pending = self.links.pending
            pending[commit.tree + _KEY[TREE]] = position
            for parent in commit.parents:
                pending[parent + _KEY[COMMIT]] = position
            self.links.bound()
        elif kind == TAG:
            tag = tag_link(content, fsck=self._fsck)
            self.links.pending[tag.target + _KEY[tag.kind]] = position
            self.links.bound()

    def check_derived(
        self,
        position: int,
        content: bytes,
        ops: list[Op],
        base: int,
        base_content: bytes,
        starts: list[int],
    ) -> list[int] | None:
        """A tree that is a delta of the checked tree `base`; where its entries begin, if known."""
        reading = read_derived(base_content, starts, ops, content, fsck=self._fsck)
        if reading is None:
            self.check(position, TREE, content)
            return None
        self._note(position, reading, base)
        return reading.starts

    def _note(self, position: int, reading: TreeReading, base: int | None) -> None:
        pending = self.links.pending
        for mode, _, oid in reading.entries:
            key = _KEY_OF_MODE.get(mode)
            if key is None:
                kind = kind_of(mode)
                if kind == 0:
                    continue
                key = _KEY[kind]
            pending[oid + key] = position
        if reading.special:
            self.special.update(reading.special)
        self.paths.add(position, reading.entries, base)
        self.links.bound()
