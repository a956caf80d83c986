"""One loose object: a deflated file that begins with its type and size (gitformat-loose)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path


class Loose(Iterator[bytes]):
    """A loose object's file, inflated piece by piece; closes itself at its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._inflater = zlib.decompressobj()
        self._head = b""

    def header(self) -> bytes:
        """The bytes before the NUL."""
        data = self._inflater.decompress(self._file.read(4096), 1 << 16)
        header, nul, self._head = data.partition(b"\0")
        if not nul:
            raise ValueError("no header")
        return header

    def __next__(self) -> bytes:
        while True:
            if self._head:
                piece, self._head = self._head, b""
                return piece
            if self._inflater.eof:
                break
            data = self._inflater.unconsumed_tail or self._file.read(1 << 16)
            if not data:
                break
            self._head = self._inflater.decompress(data, 1 << 20)
        self.close()
        raise StopIteration

    def close(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
