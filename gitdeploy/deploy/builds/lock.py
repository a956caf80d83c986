"""One build at a time makes what releases share: flock(2) on the directory that it is made in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitdeploy.clock import Clock

_LOOK = 0.1  # seconds between two tries; the holder is a build, which takes longer


@asynccontextmanager
async def locked(directory: Path, clock: Clock) -> AsyncIterator[None]:
    """Hold the lock of a directory, which is made where it is missing; waits for it.

    A process that ends lets go by itself, and no child of ours inherits it.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while not _taken(fd):
            await clock.sleep(_LOOK)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
