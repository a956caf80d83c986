"""Files that jobs have written, or a site has, opened so that no link leads out of their directory.

A job may put anything there, also while it is looked at: each part of a path is opened below the
descriptor of the one before, links are never followed, and only plain files are read.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Callable, Sequence
from io import FileIO
from mimetypes import MimeTypes
from pathlib import Path
from typing import NamedTuple

from gitdeploy.errors import NotFound, TooLarge

TagOf = Callable[[os.stat_result], str]
DIRECTORY = "inode/directory"
LINK = "inode/symlink"
_UNKNOWN = "application/octet-stream"
_MOST = 10_000
_READ = 1 << 18
_HERE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_TYPES = MimeTypes(filenames=())  # the same on each machine
_TEXT = frozenset({".log", ".job", ".sh", ".cmd", ".bat", ".ps1", ".md", ".yml", ".yaml", ".ini"})
# What a browser would run or render is shown as text.
_ACTIVE = ("html", "xml", "svg", "javascript", "ecmascript", "pdf", "flash")


class Listed(NamedTuple):
    """An entry of a directory; `modified` in µs."""

    name: str
    size: int
    modified: int
    media: str


def own_tag(status: os.stat_result) -> str:
    """An ETag of this very file: another one put in its place has another."""
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return hashlib.sha256(repr(state).encode()).hexdigest()[:32]


def lasting_tag(status: os.stat_result) -> str:
    """An ETag that a copy of the file keeps: of a release, whose files go on into the next one."""
    return hashlib.sha256(repr((status.st_size, status.st_mtime_ns)).encode()).hexdigest()[:32]


class OpenFile:
    """A plain file; to be closed."""

    def __init__(self, fd: int, name: str, tag_of: TagOf) -> None:
        self._file = FileIO(fd)
        status = os.fstat(fd)
        self.size = status.st_size
        self.modified = status.st_mtime_ns // 1000
        self.tag = tag_of(status)
        self.media = media_of(name)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to `stop`; fewer where it has become shorter."""
        while start < stop:
            data = await asyncio.to_thread(
                os.pread, self._file.fileno(), min(_READ, stop - start), start
            )
            if not data:
                return
            start += len(data)
            yield data

    def close(self) -> None:
        self._file.close()


def open_below(
    root: Path, parts: Sequence[str], tag_of: TagOf = own_tag, *, within: Path | None = None
) -> OpenFile | list[Listed] | None:
    """The file or the directory at `parts` below `root`; None where there is none.

    Links are followed only where `within` is given, and not out of that directory. Raises NotFound
    for what is neither, TooLarge for a directory with too many entries.
    """
    fd = descriptor_below(root, parts) if within is None else descriptor_within(root, parts, within)
    if fd is None:
        return None
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            file = OpenFile(fd, parts[-1], tag_of)
            fd = -1
            return file
        return _list(fd)
    finally:
        if fd >= 0:
            os.close(fd)


def descriptor_below(root: Path, parts: Sequence[str]) -> int | None:
    """Open the plain file or the directory at `parts` below `root`; None where there is none.

    Raises NotFound for what is neither, and for a part that is a link.
    """
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        for part in parts:
            if part in ("", ".", "..") or "/" in part or "\0" in part:
                return None
            try:
                status = os.stat(part, dir_fd=fd, follow_symlinks=False)
                _check(status, part)
                below = os.open(part, _HERE, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except OSError as error:  # a link by now, a name too long, no right to read
                raise NotFound(f"{part[:100]!r} can't be read: {error.strerror}.") from error
            os.close(fd)
            fd = below
            _check(os.fstat(fd), part)
        found, fd = fd, -1
        return found
    finally:
        if fd >= 0:
            os.close(fd)


def descriptor_within(root: Path, parts: Sequence[str], within: Path) -> int | None:
    """As `descriptor_below`, but through links; judged is what was found, not what a name means."""
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return None
    try:
        found = os.open(root.joinpath(*parts), os.O_PATH | os.O_CLOEXEC)  # opens nothing
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NotFound(f"{parts[-1][:100]!r} can't be read: {error.strerror}.") from error
    try:
        real = Path(f"/proc/self/fd/{found}").readlink()
        if not real.is_relative_to(within.resolve()):
            raise NotFound(f"{parts[-1][:100]!r} is a link that leads out of the site.")
        _check(os.fstat(found), parts[-1] if parts else "")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(found)


def directory_below(root: Path, parts: Sequence[str]) -> int | None:
    """As `descriptor_below`, of directories alone."""
    return _directory(descriptor_below(root, parts))


def directory_within(root: Path, parts: Sequence[str], within: Path) -> int | None:
    """As `descriptor_within`, of directories alone."""
    return _directory(descriptor_within(root, parts, within))


def _directory(fd: int | None) -> int | None:
    if fd is not None and not stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd


def media_of(name: str) -> str:
    """The content type that a file's name says; of what a browser would run, that of text."""
    if Path(name).suffix.lower() in _TEXT:
        return "text/plain; charset=utf-8"
    media, coding = _TYPES.guess_type(name)
    if media is None or coding is not None:
        return _UNKNOWN
    if media.startswith("text/") or any(word in media for word in _ACTIVE):
        plain = media.startswith("text/") and not any(word in media for word in _ACTIVE)
        return f"{media if plain else 'text/plain'}; charset=utf-8"
    return media


def _list(fd: int) -> list[Listed]:
    found: list[Listed] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            if len(found) >= _MOST:
                raise TooLarge(f"The directory has more than {_MOST} entries.")
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            name = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
            found.append(_listed(name, status))
    return sorted(found)


def _listed(name: str, status: os.stat_result) -> Listed:
    modified = status.st_mtime_ns // 1000
    if stat.S_ISREG(status.st_mode):
        return Listed(name, status.st_size, modified, media_of(name).partition(";")[0])
    media = DIRECTORY if stat.S_ISDIR(status.st_mode) else _UNKNOWN
    return Listed(name, 0, modified, LINK if stat.S_ISLNK(status.st_mode) else media)


def _check(status: os.stat_result, name: str) -> None:
    """Raises NotFound for anything that isn't a plain file or a directory."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        what = "a link, and links aren't followed" if stat.S_ISLNK(status.st_mode) else "no file"
        raise NotFound(f"{name[:100]!r} is {what}.")
