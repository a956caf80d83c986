"""A tree in memory, read as the pipeline reads a repository."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest


class FakeEntry(NamedTuple):
    path: bytes
    mode: int
    id: str


class MemoryTree:
    """`add` files, links and submodules; offers walk_tree, blob_size, read_blob, copy_blob."""

    def __init__(self) -> None:
        self.entries: list[FakeEntry] = []
        self.blobs: dict[str, bytes] = {}

    def add(self, path: str | bytes, content: bytes = b"", mode: int = 0o100644) -> str:
        blob = hashlib.sha1(content).hexdigest()
        self.blobs[blob] = content
        self.entries.append(FakeEntry(os.fsencode(path), mode, blob))
        return blob

    def walk_tree(self, tree: str) -> Iterator[FakeEntry]:
        return iter(self.entries)

    def blob_size(self, blob: str) -> int:
        return len(self.blobs[blob])

    def read_blob(self, blob: str) -> bytes:
        return self.blobs[blob]

    def copy_blob(self, blob: str, fd: int) -> None:
        os.write(fd, self.blobs[blob])


@pytest.fixture
def tree() -> MemoryTree:
    return MemoryTree()
