"""Inflated content, held in memory or lying in an unnamed temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gitdeploy.repos.pack.limits import HELD, PIECE, PackError


class Spilled:
    """Content in a temporary file that has no name, so that nothing of it outlives the process."""

    def __init__(self, directory: Path) -> None:
        self._file: BinaryIO = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            written = self._file.write(view)
            assert written is not None
            view = view[written:]
        self.size += len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, which must be there."""
        data = os.pread(self._file.fileno(), length, offset)
        while len(data) < length:
            more = os.pread(self._file.fileno(), length - len(data), offset + len(data))
            if not more:
                raise PackError("a temporary file of the pack was cut off")
            data += more
        return data

    def close(self) -> None:
        self._file.close()


Content = bytes | Spilled


def pieces(content: Content) -> Iterator[bytes]:
    """The content in pieces of bounded size (what is held comes as it is)."""
    if isinstance(content, bytes):
        yield content
        return
    for at in range(0, content.size, PIECE):
        yield content.read_at(at, min(PIECE, content.size - at))


def read_at(content: Content, offset: int, length: int) -> bytes:
    """A part of it; the caller has checked the bounds."""
    if isinstance(content, bytes):
        return content[offset : offset + length]
    return content.read_at(offset, length)


def release(content: Content) -> None:
    """Give back what it takes on disk."""
    if isinstance(content, Spilled):
        content.close()


class Gatherer:
    """Collects content of a known size, in memory where it is small, else in a temporary file."""

    def __init__(self, size: int, directory: Path, *, hold: int = HELD) -> None:
        self._parts: list[bytes] = []
        self._spilled = Spilled(directory) if size > hold else None

    def write(self, data: bytes) -> None:
        if self._spilled is None:
            self._parts.append(data)
        else:
            self._spilled.write(data)

    def content(self) -> Content:
        """What was written."""
        return b"".join(self._parts) if self._spilled is None else self._spilled

    def close(self) -> None:
        """Give up what was written."""
        if self._spilled is not None:
            self._spilled.close()
