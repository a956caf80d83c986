"""What the watcher knows of one directory: how far its streams have grown and were indexed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

from asyncinotify import Watch

from gitdeploy.events import Log
from gitdeploy.logs import times
from gitdeploy.logs.lines import STREAMS

_ALLOWANCE = 64.0
_TICK = 10_000
INDEX_PAUSE = 0.05


class Growth(NamedTuple):
    """What a look found: anything new at all, and the streams that became shorter."""

    changed: bool
    truncated: tuple[int, ...]


class Watched:
    """One directory, its followers, and, while its execution runs, its index.

    Index entries are written at once while growth is rare (64 in a row), then 20 a second, so
    that lines of a quiet job have exact times and a loud one costs 340 bytes a second.
    """

    def __init__(self, directory: Path, log: Log) -> None:
        self.directory = directory
        self.log = log
        self.files = tuple(directory / stream for stream in STREAMS)
        self.bells: set[asyncio.Event] = set()  # one a follower, rung at each change
        self.indexing = False
        self.released = False  # unwatched while housekeeping went on: let go behind it
        self.busy = False
        self.armed: Watch | None = None
        self.polled = False  # the last try to set a watch failed
        self.timer: asyncio.TimerHandle | None = None
        self.kept = [0, 0]
        self.sizes = [0, 0]
        self.times_size = 0
        self.rest_until = 0.0  # no housekeeping before (monotonic), as it failed
        self._mtimes = [0, 0]
        self._indexed = [(0, 0), (0, 0)]
        self._times_fd = -1
        self._allowance = _ALLOWANCE
        self._allowed_at = 0.0

    @property
    def times(self) -> Path:
        return self.directory / "times"

    @property
    def pending(self) -> bool:
        """Whether growth was seen that has no index entry yet."""
        return self.indexing and any(
            size > offset for size, (offset, _) in zip(self.sizes, self._indexed, strict=True)
        )

    def begin_index(self) -> None:
        """Go on with the index where an earlier server left it."""
        self._indexed = times.mend(self.times)
        self.indexing = True

    def look(self) -> Growth:
        """Compare the files' sizes with what was seen before."""
        changed = False
        truncated: list[int] = []
        for stream, path in enumerate(self.files):
            try:
                status = os.stat(path)  # noqa: PTH116  a third of Path.stat's time, on the hot way
            except FileNotFoundError:
                continue
            if status.st_size == self.sizes[stream]:
                continue
            changed = True
            if status.st_size < self.sizes[stream]:
                truncated.append(stream)
            self.sizes[stream] = status.st_size
            self._mtimes[stream] = status.st_mtime_ns // 1000
        return Growth(changed, tuple(truncated))

    def index(self, wall: int, monotonic: float, *, force: bool = False) -> None:
        """Write entries for what has grown, as far as the allowance goes. Raises OSError."""
        if self.busy or not self.pending:
            return
        refill = (monotonic - self._allowed_at) / INDEX_PAUSE
        self._allowance = min(_ALLOWANCE, self._allowance + refill)
        self._allowed_at = monotonic
        grown = [s for s in (0, 1) if self.sizes[s] > self._indexed[s][0]]
        for stream in sorted(grown, key=self._mtimes.__getitem__):
            first = self._indexed[stream][0] == 0
            if not (force or first or self._allowance >= 1):
                continue
            time = max(_written(self._mtimes[stream], wall), self._indexed[stream][1])
            self._append(times.entry(stream, self.sizes[stream], time))
            self._indexed[stream] = (self.sizes[stream], time)
            self._allowance = max(0.0, self._allowance - 1)

    def forget_index(self, stream: int) -> None:
        """The stream was truncated: its entries mean nothing any more."""
        self._indexed[stream] = (0, self._indexed[stream][1])
        self.kept[stream] = 0

    def reopen_index(self) -> None:
        """The index was rewritten: append to the new file from now on."""
        if self._times_fd >= 0:
            os.close(self._times_fd)
            self._times_fd = -1

    def end_index(self) -> None:
        self.indexing = False
        self.reopen_index()

    def wake(self) -> None:
        for bell in self.bells:
            bell.set()

    def _append(self, record: bytes) -> None:
        if self._times_fd < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._times_fd = os.open(self.times, flags, 0o600)
            self.times_size = os.fstat(self._times_fd).st_size
        if os.write(self._times_fd, record) != len(record):  # the disk is full
            os.ftruncate(self._times_fd, self.times_size)
            return
        self.times_size += len(record)


def _written(mtime: int, now: int) -> int:
    """When the bytes that were just seen were there (µs).

    mtime is up to a tick of the kernel (10 ms at most) early, so for what is newer now is as
    good; and a job may set its files' mtime, so it is never later than now.
    """
    return mtime if now - mtime > _TICK else now
