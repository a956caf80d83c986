"""Which names of a zip may be written, in one spelling, and which can't be written together.

A zip's names come from every system: `\\` separates as `/` does (PowerShell's Compress-Archive
writes it), Unicode is composed (NFC; macOS decomposes), `.` and doubled separators are dropped.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from gitdeploy.archives.errors import refused, shown
from gitdeploy.archives.limits import MAX_DEPTH, NAME_MAX, PATH_MAX

_RENAME = "Rename it and make the zip again."
_LEAVE_OUT = "Leave it out and make the zip again."
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NOTHING = re.compile(r"(?:^|/)[ .]+(?:/|$)")

# git's verify_path (read-cache.c, path.c, utf8.c): what HFS+ and NTFS would take for .git
_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_MAYBE_GIT = re.compile(f"(?i)git|{_IGNORED_BY_HFS.pattern}")  # most names need no closer look
_NTFS_GIT = re.compile(r"(?i)(?:\.git|git~1)[ .]*(?::.*)?", re.DOTALL)


def clean(name: str, *, root_length: int) -> tuple[str, bool]:
    """The path below the root ("" is the root itself), and whether a separator ends it.

    `root_length` is that of the root's own path in bytes. Raises ArchiveError.
    """
    if _CONTROL.search(name):
        raise refused(name, "its name has a control character", _RENAME)
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or _DRIVE.match(slashed):
        raise refused(name, "its name is absolute", "Zip with relative names.")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    path = unicodedata.normalize("NFC", "/".join(parts))
    if ".." in parts:
        raise refused(name, "its name leaves the archive by way of ..", _RENAME)
    if _NOTHING.search(path):
        raise refused(name, "a part of its name is nothing but dots and spaces", _RENAME)
    if _MAYBE_GIT.search(path) and any(map(spells_git, path.split("/"))):
        raise refused(name, "it spells .git", _LEAVE_OUT)
    encoded = path.encode()
    if len(max(encoded.split(b"/"), key=len)) > NAME_MAX:
        raise refused(name, f"a part of its name is longer than {NAME_MAX} bytes", _RENAME)
    if root_length + 1 + len(encoded) + 1 > PATH_MAX:
        raise refused(name, "its name is too long to be written below the home", _RENAME)
    if len(parts) > MAX_DEPTH:
        raise refused(name, f"it lies in more than {MAX_DEPTH} folders", _RENAME)
    return path, slashed.endswith("/") or not path


def spells_git(name: str) -> bool:
    """Whether some file system would take this plain name for `.git`."""
    if _NTFS_GIT.fullmatch(name):
        return True
    return _IGNORED_BY_HFS.sub("", name).lower() == ".git"


class Names:
    """The paths taken so far, as a tree; refuses what a disk without case wouldn't keep apart.

    A tree, because the folders of a long name written out are a hundred times its length.
    """

    def __init__(self) -> None:
        self._root = _Node("", {})
        self._count = 0

    def __len__(self) -> int:
        """Files and folders, those included that are only named by a path below them."""
        return self._count

    def take_folder(self, path: str) -> None:
        """A folder with those above it; one that is there already is no harm."""
        self._folder(path.split("/") if path else [], path)

    def take_file(self, path: str) -> None:
        """A file with the folders above it. Raises ArchiveError."""
        *above, name = path.split("/")
        node, new = self._take(self._folder(above, path), name, path, None)
        if node.below is not None:
            raise refused(path, "it is a file and a folder at once", _LEAVE_OUT)
        if not new:
            raise refused(path, "it is there twice", _LEAVE_OUT)

    def _folder(self, parts: list[str], path: str) -> dict[str, _Node]:
        below = self._root.below
        for part in parts:
            assert below is not None
            node = below.get(part)
            if node is None or node.name != part:
                node, _ = self._take(below, part, path, {})
            below = node.below
            if below is None:
                raise refused(path, f"{part} is a file and a folder at once", _LEAVE_OUT)
        assert below is not None
        return below

    def _take(
        self, folder: dict[str, _Node], name: str, path: str, below: dict[str, _Node] | None
    ) -> tuple[_Node, bool]:
        """The node of a name, and whether it is new."""
        key = name.casefold()
        if not key.isascii():
            key = unicodedata.normalize("NFC", key)
        node = folder.get(key)
        if node is None:
            # also under its own spelling: looked up without folding when it comes again
            node = folder[key] = folder[name] = _Node(name, below)
            self._count += 1
            return node, True
        if node.name != name:
            raise refused(path, f"{name} differs only in case from {shown(node.name)}", _RENAME)
        return node, False


class _Node(NamedTuple):
    """A name as it was spelled first, and what is below it; None for a file."""

    name: str
    below: dict[str, _Node] | None
