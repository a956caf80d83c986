"""fsync of several files at once: six take about 1 ms side by side, 2-3 ms each in a row."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Thread

_SIDE_BY_SIDE = 8


def sync_all(descriptors: Sequence[int]) -> None:
    """fsync open files in parallel; a failure is raised when all have ended."""
    rest = list(descriptors)
    failures: list[OSError] = []

    def work() -> None:
        while rest:
            try:
                os.fsync(rest.pop())
            except IndexError:  # another thread was quicker
                return
            except OSError as error:
                failures.append(error)

    helpers = [Thread(target=work) for _ in range(min(len(rest), _SIDE_BY_SIDE) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]


def sync_files(paths: Collection[Path], also: Sequence[int] = ()) -> None:
    """fsync files by their paths, and others that are open already, in parallel."""
    descriptors: list[int] = []
    try:
        descriptors.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
        sync_all([*descriptors, *also])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def sync_directories(paths: Collection[Path]) -> None:
    """fsync directories, so that the names in them last."""
    sync_files(paths)
