"""Put files into a directory that somebody else writes to as well, and take them out of it.

Each part of a path is opened below the descriptor of the one before and links are never followed,
so that nothing is written elsewhere whatever a job does meanwhile. A file is whole or not there: it
comes by rename(2). All of it blocks.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gitdeploy.errors import Conflict, NotFound
from gitdeploy.web.files import own_tag

Check = Callable[[str | None], None]
"""Given the ETag of the file that is there, None where none is; raises to refuse the change."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def put_file(root: Path, parts: Sequence[str], source: Path, check: Check) -> tuple[bool, int, str]:
    """Move `source`, on the same file system, to `parts` below `root`, parents made.

    Whether it is new, its time (µs) and its ETag. Raises Conflict naming what is in the way, and
    what `check` raises.
    """
    *above, name = parts
    with _opened(root, above, make=True) as folder:
        there = _status(folder, name)
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise _in_the_way(name, there)
        check(None if there is None else own_tag(there))
        source.chmod(0o644 if there is None else stat.S_IMODE(there.st_mode) & 0o755 | 0o600)
        _flush(source)
        os.rename(source, name, dst_dir_fd=folder)
        os.fsync(folder)
        now = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return there is None, now.st_mtime_ns // 1000, own_tag(now)


def make_folder(root: Path, parts: Sequence[str]) -> None:
    """Make a directory and those above it. Raises Conflict where a file is in the way."""
    with _opened(root, parts, make=True):
        pass


def remove_file(root: Path, parts: Sequence[str], check: Check) -> None:
    """Raises NotFound, Conflict, and what `check` raises."""
    *above, name = parts
    with _opened(root, above) as folder:
        there = _status(folder, name)
        if there is None:
            raise NotFound(f"{name[:100]!r} isn't there any more.")
        if not stat.S_ISREG(there.st_mode):
            raise _in_the_way(name, there)
        check(own_tag(there))
        os.unlink(name, dir_fd=folder)


def remove_folder(root: Path, parts: Sequence[str], *, recursive: bool) -> None:
    """Raises NotFound, and Conflict where it isn't empty and `recursive` is false."""
    *above, name = parts
    with _opened(root, above) as folder:
        try:
            if recursive:
                shutil.rmtree(name, dir_fd=folder)  # never through a link (bpo-4489)
            else:
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError as error:
            raise NotFound(f"{name[:100]!r} isn't there any more.") from error
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EACCES):
                raise
            what = "isn't empty" if error.errno == errno.ENOTEMPTY else "can't be removed"
            raise Conflict(f"{name[:100]!r} {what}.", "Add ?recursive=true.") from error


def merge(source: Path, root: Path, parts: Sequence[str]) -> None:
    """Move what is in the directory `source` to `parts` below `root`; files replace files.

    Nothing is moved where a directory would have to replace a file, or the other way round: raises
    Conflict naming it.
    """
    with _opened(root, parts, make=True) as folder:
        _compare(source, folder)
        _move(source, folder)


def _compare(source: Path, folder: int) -> None:
    for entry in source.iterdir():
        there = _status(folder, entry.name)
        if there is None:
            continue
        if entry.is_dir() != stat.S_ISDIR(there.st_mode) or stat.S_ISLNK(there.st_mode):
            raise _in_the_way(entry.name, there)
        if entry.is_dir():
            with _below(folder, entry.name) as below:
                _compare(entry, below)


def _move(source: Path, folder: int) -> None:
    for entry in source.iterdir():
        if entry.is_dir() and _status(folder, entry.name) is not None:
            with _below(folder, entry.name) as below:
                _move(entry, below)
        else:
            try:
                os.rename(entry, entry.name, dst_dir_fd=folder)
            except OSError as error:  # something came into the way meanwhile
                if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY):
                    raise
                raise Conflict(f"{entry.name[:100]!r} is in the way.", "Remove it.") from error


@contextmanager
def _opened(root: Path, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a directory below `root`."""
    if make:
        root.mkdir(mode=0o700, exist_ok=True)
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            below = _folder(fd, part, make=make)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _below(folder: int, name: str) -> Iterator[int]:
    fd = _folder(folder, name, make=False)
    try:
        yield fd
    finally:
        os.close(fd)


def _folder(parent: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except FileNotFoundError as error:
        raise NotFound(f"There is no directory {name[:100]!r}.") from error
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise Conflict(f"{name[:100]!r} is a file or a link.", "Remove it first.") from error


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _in_the_way(name: str, status: os.stat_result) -> Conflict:
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a file"
    if stat.S_ISLNK(status.st_mode):
        kind = "a link"
    return Conflict(f"{name[:100]!r} is {kind}.", "Remove it first, or choose another name.")


def _flush(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
