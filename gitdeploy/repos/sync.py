"""fsync of several files at once: six take about 1 ms side by side, 2-3 ms each in a row."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SIDE_BY_SIDE = 8


def sync_all(descriptors: Sequence[int]) -> None:
    """fsync open files in parallel; the first failure is raised when all have ended."""
    if len(descriptors) <= 1:
        for descriptor in descriptors:
            os.fsync(descriptor)
        return
    with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(descriptors))) as pool:
        list(pool.map(os.fsync, descriptors))


def sync_files(paths: Collection[Path]) -> None:
    """fsync files by their paths, in parallel."""
    descriptors: list[int] = []
    try:
        descriptors.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
        sync_all(descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def sync_directories(paths: Collection[Path]) -> None:
    """fsync directories, so that the names in them last."""
    sync_files(paths)
