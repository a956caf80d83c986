"""Give a directory's files to another one: shared blocks where the file system can, else hard
links or copies.

A hard-linked file is one file with two names, so it is made read-only: who writes to it changes
both. Directories and symbolic links are always made anew.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from gitdeploy.deploy.treecopy import cloned

_NO_LINK = (errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def share_tree(source: Path, target: Path, *, linked: bool, kept: bool) -> None:
    """Make `target` the same as `source`.

    `linked`: where blocks can't be shared, files may be (nobody is going to write to them).
    `kept`: the copies are to stay as they are, so they are made read-only; else their owner may
    write to them, but for linked ones. Raises OSError; what is no file, directory or link is left
    out.
    """
    _Sharing(linked=linked, kept=kept).directory(source, target)


class _Sharing:
    def __init__(self, *, linked: bool, kept: bool) -> None:
        self._linked = linked
        self._kept = kept
        self._clones = True  # until the file system has said that it can't

    def directory(self, source: Path, target: Path) -> None:
        target.mkdir(mode=0o755)
        with os.scandir(source) as entries:
            for entry in entries:
                there = target / entry.name
                if entry.is_symlink():
                    there.symlink_to(Path(entry.path).readlink())
                elif entry.is_dir():
                    self.directory(Path(entry.path), there)
                elif entry.is_file():
                    self._file(entry.path, there, entry.stat())
        shutil.copystat(source, target)

    def _file(self, source: str, target: Path, status: os.stat_result) -> None:
        if (self._clones and self._clone(source, target)) or not self._link(source, target):
            mode = stat.S_IMODE(status.st_mode)
            target.chmod(mode & ~_WRITABLE if self._kept else mode | stat.S_IWUSR)
            os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _clone(self, source: str, target: Path) -> bool:
        with open(source, "rb") as read, open(target, "xb") as written:  # noqa: PTH123
            self._clones = cloned(read.fileno(), written.fileno())
        if not self._clones:
            target.unlink()
        return self._clones

    def _link(self, source: str, target: Path) -> bool:
        """Link it, or copy it; whether it is linked."""
        if self._linked:
            try:
                os.link(source, target, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
            else:
                with suppress(OSError):
                    target.chmod(stat.S_IMODE(target.stat().st_mode) & ~_WRITABLE)
                return True
        shutil.copyfile(source, target)
        return False
