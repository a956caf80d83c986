"""Files that jobs have written, opened so that no link leads out of their directory.

A job may put anything there, also while it is looked at: each part of a path is opened below the
descriptor of the one before, links are never followed, and only plain files are read.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncGenerator, Sequence
from io import FileIO
from mimetypes import MimeTypes
from pathlib import Path
from typing import NamedTuple

from gitdeploy.errors import NotFound, TooLarge

DIRECTORY = "inode/directory"
_LINK = "inode/symlink"
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


class OpenFile:
    """A plain file; to be closed."""

    def __init__(self, fd: int, name: str) -> None:
        self._file = FileIO(fd)
        status = os.fstat(fd)
        self.size = status.st_size
        self.modified = status.st_mtime_ns // 1000
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        self.tag = hashlib.sha256(repr(state).encode()).hexdigest()[:32]
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


def open_below(root: Path, parts: Sequence[str]) -> OpenFile | list[Listed] | None:
    """The file or the directory at `parts` below `root`; None where there is none.

    Raises NotFound for what is neither, TooLarge for a directory with too many entries.
    """
    try:
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        for number, part in enumerate(parts):
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
            status = os.fstat(fd)
            _check(status, part)
            if stat.S_ISREG(status.st_mode):
                if number + 1 < len(parts):
                    return None
                file = OpenFile(fd, part)
                fd = -1
                return file
        return _list(fd)
    finally:
        if fd >= 0:
            os.close(fd)


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
    return Listed(name, 0, modified, _LINK if stat.S_ISLNK(status.st_mode) else media)


def _check(status: os.stat_result, name: str) -> None:
    """Raises NotFound for anything that isn't a plain file or a directory."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        what = "a link, and links aren't followed" if stat.S_ISLNK(status.st_mode) else "no file"
        raise NotFound(f"{name[:100]!r} is {what}.")
