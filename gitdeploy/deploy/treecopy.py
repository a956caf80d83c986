"""Copy a release: blocks are shared where the file system can, names and modes stay."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CANNOT = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)


def copy_tree(source: Path, target: Path) -> None:
    """Make `target` the same as the directory `source`; symbolic links stay links.

    Modification times stay, so that what compares them (make, Python's .pyc) isn't misled. Raises
    OSError; sockets, pipes and devices are left out.
    """
    target.mkdir(mode=0o755)
    with os.scandir(source) as entries:
        for entry in entries:
            there = target / entry.name
            if entry.is_symlink():
                there.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir():
                copy_tree(Path(entry.path), there)
            elif entry.is_file():
                _copy_file(entry.path, there)
    shutil.copystat(source, target)


def _copy_file(source: str, target: Path) -> None:
    with open(source, "rb") as read, open(target, "xb") as written:  # noqa: PTH123
        if not cloned(read.fileno(), written.fileno()):
            shutil.copyfileobj(read, written, 1 << 20)
    with suppress(OSError):  # attributes that the file system of the server doesn't have
        shutil.copystat(source, target)


def cloned(read: int, written: int) -> bool:
    """Let an empty file share the blocks of another; whether the file system can. Raises OSError."""
    try:
        fcntl.ioctl(written, _FICLONE, read)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return False
    return True
