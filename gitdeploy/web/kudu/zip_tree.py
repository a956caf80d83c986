"""A directory of an app's vfs as a zip, with the logs that are only written when they are read."""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Protocol

from gitdeploy.errors import NotFound
from gitdeploy.logs import Measures
from gitdeploy.web.files import DIRECTORY, LINK, Listed
from gitdeploy.web.kudu.found import Found, FoundFile, close, opened
from gitdeploy.web.services import Services

_PIECE = 128 << 10
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # what DOS can say


class Files(Protocol):
    """What can be packed: a Tree, or a part of one."""

    async def find(self, parts: list[str]) -> Found | None:
        """A directory's entries, or what its file is. Raises NotFound."""


Through = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]


async def pack_tree(
    tree: Files,
    parts: list[str],
    services: Services,
    measures: Measures,
    *,
    through: Through | None = None,
) -> AsyncGenerator[bytes, None]:
    """The pieces of the zip: folders and files; links are left out, as is what vanishes.

    What is in each file goes `through` something first, where that is given.
    """
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w")  # type: ignore[call-overload]
    waiting: list[tuple[str, Listed]] = await _entries(tree, parts, "")
    while waiting:
        above, one = waiting.pop()
        path = above + one.name
        below = [*parts, *path.split("/")]
        if one.media == DIRECTORY:
            archive.mkdir(_info(f"{path}/", one.modified, folder=True))
            waiting += await _entries(tree, below, f"{path}/")
        elif one.media != LINK:
            try:
                found = await tree.find(below)
            except NotFound:  # a socket, a pipe, or a link by now
                continue
            if found is None or isinstance(found, list):
                continue
            try:
                filling = _pack(archive, path, found, services, measures, through)
                async with aclosing(filling) as packing:
                    async for _ in packing:
                        if sink.size >= _PIECE:
                            yield sink.take()
            finally:
                close(found)
    archive.close()
    yield sink.take()


async def _entries(tree: Files, parts: list[str], above: str) -> list[tuple[str, Listed]]:
    """What is in a directory, the last one first."""
    found = await tree.find(parts)
    close(found)
    return [(above, one) for one in reversed(found)] if isinstance(found, list) else []


async def _pack(
    archive: zipfile.ZipFile,
    path: str,
    found: FoundFile,
    services: Services,
    measures: Measures,
    through: Through | None,
) -> AsyncGenerator[None, None]:
    """Write one file; yields whenever a little was written."""
    entity, _ = await opened(found, services, measures)
    info = _info(path, entity.modified, folder=False)
    info.file_size = entity.size
    with archive.open(info, "w") as out:
        read = entity.read(0, entity.size)
        async with aclosing(read if through is None else through(read)) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(out.write, piece)
                yield


def _info(path: str, modified: int, *, folder: bool) -> zipfile.ZipInfo:
    when = time.gmtime(modified // 1_000_000)[:6]
    info = zipfile.ZipInfo(path, min(max(when, _EARLIEST), _LATEST))
    info.CRC = info.compress_size = 0  # mkdir doesn't set them (Python 3.11)
    info.create_system = 3
    info.external_attr = 0o40755 << 16 | 0x10 if folder else 0o100644 << 16
    info.compress_type = zipfile.ZIP_STORED if folder else zipfile.ZIP_DEFLATED
    return info


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

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return taken
