"""A directory as a zip that is made while it is sent: no temporary file, no size known before.

Sizes and checksums follow each file's data (data descriptors), names are UTF-8, times UTC. What
is read may be written to by a job meanwhile, and a job may put links there: nothing outside the
directory is read, however a link is changed between two looks at it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import time
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gitdeploy.archives.errors import ArchiveError, shown
from gitdeploy.archives.limits import MAX_DEPTH

_PIECE = 128 << 10
_LOOK = os.O_PATH | os.O_CLOEXEC  # opens nothing: a pipe doesn't block, a device does nothing
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # what DOS can say
_UNFIT = re.compile("[\\\\\x00-\x1f\x7f-\x9f\udc80-\udcff]")


def pack(directory: Path) -> Generator[bytes, None, None]:
    """The pieces of a zip of all that is below a directory, in the order of names; blocks.

    Folders are entries too. A symbolic link to a file below the directory is packed as that
    file; other links, sockets, pipes and devices are left out, as is what vanishes meanwhile. A
    file that grows is packed up to its length at the start. Executables keep their bit (0755,
    others 0644). Where a zip can't carry a name (backslash, control characters, bytes that aren't
    UTF-8), those characters are percent-encoded. Closing the iterator closes all files.

    Raises OSError where the directory can't be opened (before the first piece), ArchiveError
    naming what can't be read or lies in more than MAX_DEPTH folders; the zip is cut off then.
    """
    sink = _Sink()
    with (
        _closing(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd,
        zipfile.ZipFile(sink, "w") as archive,
    ):
        walk = _Walk(archive, _real(fd))
        for _ in _pack_folder(walk, fd, ""):
            if sink.size >= _PIECE:
                yield sink.take()
    yield sink.take()


class _Sink:
    """A file that can't be sought, from which what was written is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def close(self) -> None:
        """What wasn't taken yet stays."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken


class _Walk(NamedTuple):
    archive: zipfile.ZipFile
    home: str  # the real path of the directory


def _pack_folder(walk: _Walk, folder: int, above: str) -> Iterator[None]:
    """Pack what is in an open folder; yields whenever a little was written."""
    if above.count("/") > MAX_DEPTH:
        raise ArchiveError(
            f"{shown(above)} lies in more than {MAX_DEPTH} folders.",
            "Ask for a directory further down.",
        )
    for name in sorted(os.listdir(folder), key=os.fsencode):
        path = above + name
        fd = _open(walk, folder, name, path)
        if fd is None:
            continue
        with _closing(fd):
            status = os.fstat(fd)
            if stat.S_ISDIR(status.st_mode):
                walk.archive.mkdir(_info(path + "/", status))
                yield
                yield from _pack_folder(walk, fd, path + "/")
            else:
                yield from _pack_file(walk.archive, fd, path, status)


def _pack_file(
    archive: zipfile.ZipFile, fd: int, path: str, status: os.stat_result
) -> Iterator[None]:
    info = _info(path, status)
    left = info.file_size = status.st_size
    with archive.open(info, "w") as out:
        while left:
            piece = os.read(fd, min(_PIECE, left))
            if not piece:
                break
            left -= len(piece)
            out.write(piece)
            yield


def _open(walk: _Walk, folder: int, name: str, path: str) -> int | None:
    """Open a file or folder for reading; None for what isn't packed."""
    try:
        with _closing(os.open(name, _LOOK | os.O_NOFOLLOW, dir_fd=folder)) as found:
            kind = os.fstat(found).st_mode
            if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
                return _read(found)
            if not stat.S_ISLNK(kind):
                return None
        with _closing(os.open(name, _LOOK, dir_fd=folder)) as found:
            # judged is what was found, so a link that is changed now changes nothing
            real = _real(found)
            within = real.startswith(walk.home.rstrip("/") + "/")
            if within and stat.S_ISREG(os.fstat(found).st_mode):
                return _read(found)
            return None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return None  # gone, or a link to nowhere
        if error.errno == errno.EACCES and stat.S_ISLNK(_mode(name, folder)):
            return None  # leads where the server may not look
        raise ArchiveError(
            f"{shown(path)} can't be read: {error.strerror}.", "Let the server's user read it."
        ) from error


def _read(found: int) -> int:
    """Open for reading what a descriptor stands for, whatever its name means by now."""
    return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)


def _real(fd: int) -> str:
    return str(Path(f"/proc/self/fd/{fd}").readlink())


def _mode(name: str, folder: int) -> int:
    try:
        return os.lstat(name, dir_fd=folder).st_mode
    except OSError:
        return 0


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _info(path: str, status: os.stat_result) -> zipfile.ZipInfo:
    """The header of an entry; times also as Info-ZIP's extra field, which has a time zone."""
    when = time.gmtime(status.st_mtime)[:6]
    info = zipfile.ZipInfo(_UNFIT.sub(_percent, path), min(max(when, _EARLIEST), _LATEST))
    folder = stat.S_ISDIR(status.st_mode)
    mode = 0o755 if folder or status.st_mode & 0o111 else 0o644
    info.CRC = info.compress_size = 0  # mkdir doesn't set them (Python 3.11)
    info.create_system = 3
    info.external_attr = (stat.S_IFMT(status.st_mode) | mode) << 16 | (0x10 if folder else 0)
    info.compress_type = zipfile.ZIP_STORED if folder else zipfile.ZIP_DEFLATED
    if -(1 << 31) <= status.st_mtime < 1 << 31:
        info.extra = struct.pack("<2HBl", 0x5455, 5, 1, int(status.st_mtime))
    return info


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]) & 0xFF:02X}"
