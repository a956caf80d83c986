"""Files of a repository at a commit, read from its objects: there is no work tree."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncGenerator
from io import FileIO
from pathlib import Path

from gitdeploy.repos import Repository, TreeEntry
from gitdeploy.web.files import DIRECTORY, LINK, Listed, media_of

_SMALL = 1 << 20
_READ = 1 << 18


class BlobFile:
    """A blob under its name; to be closed. A big one is read by way of a file without a name."""

    def __init__(self, repository: Repository, entry: TreeEntry, name: str, when: int) -> None:
        self._repository = repository
        self._small: bytes | None = None
        self._spool: FileIO | None = None
        self.tag = entry.id
        self.size = repository.blob_size(entry.id)
        self.modified = when
        self.media = media_of(name)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to `stop`."""
        if self.size <= _SMALL:
            if self._small is None:
                self._small = await asyncio.to_thread(self._repository.read_blob, self.tag)
            yield self._small[start:stop]
            return
        if self._spool is None:
            self._spool = await asyncio.to_thread(_spooled, self._repository, self.tag)
        while start < stop:
            count = min(_READ, stop - start)
            data = await asyncio.to_thread(os.pread, self._spool.fileno(), count, start)
            if not data:
                return
            start += len(data)
            yield data

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()


def file_at(
    repository: Repository, commit: str, parts: list[str]
) -> BlobFile | list[Listed] | None:
    """What is at a path of a commit; None where there is nothing, or a link. Blocks."""
    info = repository.commit_info(commit)
    tree = info.tree
    for number, part in enumerate(parts):
        raw = os.fsencode(part)
        entry = next((one for one in repository.list_tree(tree) if one.path == raw), None)
        if entry is None or stat.S_ISLNK(entry.mode):
            return None
        if stat.S_ISREG(entry.mode):
            if number + 1 < len(parts):
                return None
            return BlobFile(repository, entry, part, info.time)
        if not stat.S_ISDIR(entry.mode):  # a submodule: an empty directory
            return [] if number + 1 == len(parts) else None
        tree = entry.id
    return sorted(_listed(repository, entry, info.time) for entry in repository.list_tree(tree))


def _listed(repository: Repository, entry: TreeEntry, when: int) -> Listed:
    name = entry.path.decode("utf-8", "backslashreplace")
    if stat.S_ISREG(entry.mode):
        media = media_of(name).partition(";")[0]
        return Listed(name, repository.blob_size(entry.id), when, media)
    return Listed(name, 0, when, LINK if stat.S_ISLNK(entry.mode) else DIRECTORY)


def _spooled(repository: Repository, blob: str) -> FileIO:
    """The blob as a file that is gone when it is closed, beside the repository."""
    fd, name = tempfile.mkstemp(prefix=".blob-", dir=repository.path)
    file = FileIO(fd, "r+")
    try:
        Path(name).unlink()
        repository.copy_blob(blob, fd)
    except BaseException:
        file.close()
        raise
    return file
