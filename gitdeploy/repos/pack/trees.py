"""Checks of trees, and reading them fast: whole ones by one expression, derived ones by difference.

A tree that is a delta of a checked tree shares most entries with it; only entries that the delta
brought are parsed again. Measured: 40,000 trees of 300 entries take 0.4 s instead of 4 s.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple

from gitdeploy.repos.pack.delta import Op
from gitdeploy.repos.pack.idents import Broken
from gitdeploy.repos.pack.limits import BLOB, TREE
from gitdeploy.repos.pack.names import GITATTRIBUTES, GITMODULES, is_dotgit

# Everything that needs a closer look fails to match: a dot alone, spellings of .git (but not names
# as common as .gitignore), tildes, backslashes, and lead bytes of code points that HFS+ ignores.
_NAME = rb"(?!\.{1,2}\0|\.[gG][iI][tT](?!ignore\0|keep\0|hub\0))[^\0/\\~:\xe2\xef]+"
_ENTRY = re.compile(rb"(40000|100644|100755|120000|160000) (" + _NAME + rb")\0(.{20})", re.S)
_LOOSE = re.compile(rb"([0-7]{1,7}) ([^\0]+)\0(.{20})", re.S)
_KINDS = {b"40000": TREE, b"100644": BLOB, b"100755": BLOB, b"120000": BLOB, b"100664": BLOB}
_GITLINK = b"160000"
_NULL = bytes(20)

Entry = tuple[bytes, bytes, bytes]
"""Mode in octal, name, id."""


class TreeReading(NamedTuple):
    """What reading a tree brought to light."""

    entries: list[Entry]
    """All of them, or those that the tree's base hasn't."""
    special: dict[bytes, str]
    """Blobs among them that are a `.gitmodules` or `.gitattributes` in some spelling, by id."""
    starts: list[int] | None
    """Where each entry of the tree begins, and its end; None where nobody has counted."""


def read_tree(content: bytes, *, fsck: bool) -> TreeReading:
    """Read all of a tree. Raises Broken; without `fsck` only if it can't be parsed."""
    entries: list[Entry] = _ENTRY.findall(content)
    special: dict[bytes, str] = {}
    if len(content) != 22 * len(entries) + sum(
        [len(mode) + len(name) for mode, name, _ in entries]
    ):
        entries = _read_closely(content, fsck, special)
    if fsck:
        _check_order(entries)
        if _NULL in content and any(oid == _NULL for _, _, oid in entries):
            raise Broken("nullSha1: contains entries pointing to null sha1")
    return TreeReading(entries, special, None)


def entry_starts(content: bytes) -> list[int]:
    """Where each entry of a checked tree begins, and the end."""
    entries = read_tree(content, fsck=False).entries
    return list(accumulate([len(mode) + len(name) + 22 for mode, name, _ in entries], initial=0))


def read_derived(
    base: bytes, starts: list[int], ops: list[Op], content: bytes, *, fsck: bool
) -> TreeReading | None:
    """Read a tree that `ops` made of a tree already checked; None where it has to be read whole.

    An entry is taken as known only where the delta copied it whole from a place where the base
    has an entry, and the entry before it ended there: no byte is left out, none is read twice.
    """
    fresh: list[Entry] = []
    new_starts: list[int] = []
    at = 0
    beside = 0  # where in the base the entry would be that this one replaces
    before = b""  # sort key of the entry before
    for begin, source, length in ops:
        end = begin + length
        while at < end:
            if source >= 0:
                place = source + at - begin
                first = bisect_left(starts, place)
                if starts[first] == place:
                    last = bisect_right(starts, source + length) - 1
                    if last > first:
                        if fsck:
                            if before and before >= _key(base, place):
                                return None
                            before = _key(base, starts[last - 1])
                        shift = at - place
                        kept = starts[first:last]
                        new_starts += [start + shift for start in kept] if shift else kept
                        beside = starts[last]
                        at = beside + shift
                        continue
            found = _ENTRY.match(content, at)
            if found is None:
                return None
            mode, name, oid = found.groups()
            new_starts.append(at)
            fresh.append((mode, name, oid))
            head = content[at : found.start(3)]
            if fsck:
                key = name + b"/" if mode == b"40000" else name
                if before >= key or oid == _NULL:
                    return None
                before = key
                # A file `a` and a directory `a` needn't be neighbours. Where the entry replaces
                # one of its name there is no other; else look for one, and read the whole if so.
                if base.startswith(head, beside):
                    beside += len(head) + 20
                elif content.count(b" " + name + b"\0") > 1:
                    return None
            at = found.end()
    new_starts.append(at)
    return TreeReading(fresh, {}, new_starts)


def _key(content: bytes, at: int) -> bytes:
    """The sort key of the entry at `at` in a checked tree."""
    space = content.index(b" ", at)
    name = content[space + 1 : content.index(b"\0", space)]
    return name + b"/" if content[at : at + 1] == b"4" else name


def _check_order(entries: list[Entry]) -> None:
    keys = [name + b"/" if mode == b"40000" else name for mode, name, _ in entries]
    names = {name for _, name, _ in entries}
    if len(names) != len(entries):
        raise Broken("duplicateEntries: contains duplicate file entries")
    if keys != sorted(keys):
        raise Broken("treeNotSorted: not properly sorted")


def _read_closely(content: bytes, fsck: bool, special: dict[bytes, str]) -> list[Entry]:
    """Entry by entry, saying what is wrong with the first that isn't right."""
    entries: list[Entry] = []
    at = 0
    while at < len(content):
        found = _LOOSE.match(content, at)
        if found is None:
            raise Broken("badTree: cannot be parsed as a tree")
        at = found.end()
        mode, name, oid = found.groups()
        if fsck:
            check_entry(mode, name)
        mode = mode.lstrip(b"0") or b"0"
        entries.append((mode, name, oid))
        file = special_file(name)
        if file and kind_of(mode) == BLOB and mode != b"120000":
            special[oid] = file
    return entries


def check_entry(mode: bytes, name: bytes) -> None:
    """Raises Broken where an entry's mode or name is one that git refuses."""
    if mode[:1] == b"0":
        raise Broken("zeroPaddedFilemode: contains zero-padded file modes")
    if mode not in _KINDS and mode != _GITLINK:
        raise Broken(f"badFilemode: contains bad file modes ({mode.decode()})")
    if b"/" in name:
        raise Broken("fullPathname: contains full pathnames")
    if name == b".":
        raise Broken("hasDot: contains '.'")
    if name == b"..":
        raise Broken("hasDotdot: contains '..'")
    if is_dotgit(name):
        raise Broken("hasDotgit: contains '.git'")
    if special_file(name) == "gitmodules":
        if mode == b"120000":
            raise Broken("gitmodulesSymlink: .gitmodules is a symbolic link")
        if kind_of(mode) != BLOB:
            raise Broken("gitmodulesBlob: non-blob found at .gitmodules")


def kind_of(mode: bytes) -> int:
    """The type that an entry's mode demands; 0 for a gitlink, which leads elsewhere."""
    if mode == _GITLINK:
        return 0
    return _KINDS.get(mode) or (TREE if int(mode, 8) & 0o170000 == 0o040000 else BLOB)


def special_file(name: bytes) -> str:
    """Which of git's files `name` is in some spelling: "gitmodules", "gitattributes" or ""."""
    for part in name.split(b"\\"):
        if GITMODULES.spelled_by(part):
            return "gitmodules"
        if GITATTRIBUTES.spelled_by(part):
            return "gitattributes"
    return ""
