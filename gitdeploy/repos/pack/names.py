"""Spellings of `.git`, `.gitmodules` and `.gitattributes` that some file system takes for the name.

HFS+ drops certain code points and folds case; NTFS folds case, drops dots and spaces at the end,
reads what follows a colon as a stream of the same file, knows short names (`git~1`, `gi7eba~3`)
and takes a backslash for a separator. The rules are those of CVE-2014-9390 and CVE-2019-1352 ff.
"""

from __future__ import annotations

import re

_HFS_IGNORED = re.compile(
    "[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]".encode().decode()  # one class, as text
)
_NTFS_TAIL = re.compile(rb"[ .]*(?:[:\\].*)?\Z", re.S)
_DOTGIT_STEM = re.compile(rb"(?i:\.git|git~1)")
_SHORT = re.compile(rb"([^~]{0,6})~([1-9][0-9]*)")


class DotName:
    """One of git's special files: `.NAME`, with the first six characters of its NTFS hash name."""

    def __init__(self, name: bytes, hashed: bytes) -> None:
        self._dotted = b"." + name
        self._short = name[:6]
        self._hashed = hashed

    def spelled_by(self, name: bytes) -> bool:
        """Would HFS+ or NTFS take `name` for it?"""
        folded = _fold_hfs(name)
        return folded == self._dotted or self._ntfs(name.lower())

    def _ntfs(self, name: bytes) -> bool:
        if name.startswith(self._dotted):
            return _NTFS_TAIL.match(name, len(self._dotted)) is not None
        if name[:6] == self._short and name[6:7] == b"~" and name[7:8] in (b"1", b"2", b"3", b"4"):
            return _NTFS_TAIL.match(name, 8) is not None
        found = _SHORT.match(name)
        if found is None or not self._hashed.startswith(found[1]) or len(found[0]) < 8:
            return False
        # A hash name has eight characters; a longer run of digits is another name.
        return len(found[0]) == 8 and _NTFS_TAIL.match(name, 8) is not None


GITMODULES = DotName(b"gitmodules", b"gi7eba")
GITATTRIBUTES = DotName(b"gitattributes", b"gi7d29")


def is_dotgit(name: bytes) -> bool:
    """Would some file system take this path component for `.git`?

    With backslashes, any part between them counts: NTFS would make directories of them.
    """
    for part in name.split(b"\\"):
        stem = _DOTGIT_STEM.match(part)
        if stem is not None and _NTFS_TAIL.match(part, stem.end()) is not None:
            return True
    return _fold_hfs(name) == b".git"


def _fold_hfs(name: bytes) -> bytes:
    if name.isascii():
        return name.lower()
    return (
        _HFS_IGNORED.sub("", name.decode("utf-8", "surrogateescape"))
        .lower()
        .encode("utf-8", "surrogateescape")
    )
