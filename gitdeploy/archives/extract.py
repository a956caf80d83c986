"""A zip as a new directory: all of it, or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from gitdeploy.archives.directory import read_directory
from gitdeploy.archives.inflate import contents
from gitdeploy.archives.limits import ZipLimits
from gitdeploy.archives.plan import Entry, plan

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Extracted(msgspec.Struct, frozen=True):
    """What was written: each file's git mode and blob id (hex) by path, and bytes in all."""

    manifest: dict[str, tuple[int, str]]
    size: int


def extract(source: Path | BinaryIO, target: Path, *, limits: ZipLimits) -> Extracted:
    """Write a zip's files below `target`, which is made; blocks, so call it in a thread.

    `source` is a file or something seekable that nobody else reads meanwhile. Every entry is
    judged before `target` is made. Files get mode 0644, or 0755 where the zip was made on Unix
    and says executable. Raises ArchiveError, FileExistsError where `target` exists, OSError where
    the disk doesn't take it; in each case nothing of it is left.
    """
    with _opened(source) as file:
        directory = read_directory(file, limits)
        entries = plan(file, directory, limits, root_length=len(os.fsencode(target)))
        target.mkdir(mode=0o755)
        try:
            return _write(file, entries, target)
        except BaseException:
            shutil.rmtree(target)
            raise


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _write(file: BinaryIO, entries: list[Entry], target: Path) -> Extracted:
    manifest: dict[str, tuple[int, str]] = {}
    size = 0
    with _Folders(target) as folders:
        for entry in entries:
            if entry.folder:
                folders.open(entry.path)
                for _ in contents(file, entry):
                    pass  # some tools pack no bytes as a deflate stream of none
                continue
            parent, _, name = entry.path.rpartition("/")
            fd = os.open(name, _CREATE, 0o600, dir_fd=folders.open(parent))
            # git's id of a blob: what `git hash-object` prints
            digest = hashlib.sha1(b"blob %d\0" % entry.size, usedforsecurity=False)
            with os.fdopen(fd, "wb", buffering=0) as out:
                for piece in contents(file, entry):
                    digest.update(piece)
                    _write_all(out.fileno(), piece)
                os.fchmod(out.fileno(), 0o755 if entry.executable else 0o644)
            mode = 0o100755 if entry.executable else 0o100644
            manifest[entry.path] = (mode, digest.hexdigest())
            size += entry.size
    return Extracted(manifest, size)


def _write_all(fd: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


class _Folders:
    """The descriptors from the root down to the folder that is being written.

    Entries come by path, so those of one path are enough.
    """

    def __init__(self, root: Path) -> None:
        self._fds = [os.open(root, _FOLDER)]
        self._names: list[str] = []
        os.fchmod(self._fds[0], 0o755)

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds:
            os.close(fd)

    def open(self, folder: str) -> int:
        """The descriptor of a folder ("" is the root), made where it isn't there yet."""
        wanted = folder.split("/") if folder else []
        same = 0
        for have, want in zip(self._names, wanted, strict=False):
            if have != want:
                break
            same += 1
        while len(self._names) > same:
            self._names.pop()
            os.close(self._fds.pop())
        for name in wanted[same:]:
            with suppress(FileExistsError):  # made for an earlier entry
                os.mkdir(name, 0o755, dir_fd=self._fds[-1])
            fd = os.open(name, _FOLDER, dir_fd=self._fds[-1])
            self._fds.append(fd)
            self._names.append(name)
            os.fchmod(fd, 0o755)  # whatever the server's umask is
        return self._fds[-1]
