"""The output of a job: of all its executions, one after the other, overlapping ones merged."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from gitdeploy.logs import cursor
from gitdeploy.logs.block import OutputBlock, block_batches, in_batches, last, line_batches
from gitdeploy.logs.cursor import Offsets
from gitdeploy.logs.lines import OutputLine
from gitdeploy.logs.places import execution_names, started, tail_places
from gitdeploy.logs.source import Source, merge
from gitdeploy.logs.watcher import Follower, Watcher


def read_job(
    watcher: Watcher,
    executions: Path,
    *,
    after: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> AsyncGenerator[list[OutputLine], None]:
    """Lines of all executions of a job behind the cursor `after`, or the last `tail` ones.

    With `follow` also those still to come, of new executions too, until it is closed or the job's
    directory is removed. Batches as in `read_execution`. Raises Invalid for a bad cursor; a job
    that never ran has no lines.
    """
    return in_batches(_rounds(watcher, executions, after, follow, tail), line_batches)


def read_job_blocks(
    watcher: Watcher,
    executions: Path,
    *,
    after: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> AsyncGenerator[list[OutputBlock], None]:
    """As `read_job`, the same lines in blocks, for who copies or encodes many at once."""
    return in_batches(_rounds(watcher, executions, after, follow, tail), block_batches)


@contextmanager
def blocks_of_job(executions: Path, after: str | None) -> Iterator[Iterator[OutputBlock]]:
    """The blocks behind a cursor as they are on the disk now; may be used on any thread."""
    reading = _Reading(executions, cursor.parse_job(after))
    try:
        reading.look()
        yield reading.found()
    finally:
        reading.close()


async def _rounds(
    watcher: Watcher, executions: Path, after: str | None, follow: bool, tail: int | None
) -> AsyncGenerator[Iterator[OutputBlock], None]:
    """What each look at the job's executions finds; to be read before the next."""
    reading = _Reading(executions, cursor.parse_job(after))
    newest = tail if after is None else None
    if newest is not None:
        reading.start_at_tail(newest)
    try:
        with watcher.follow(executions) if follow else nullcontext() as follower:
            while True:
                if follower is not None:
                    follower.clear()
                reading.look()
                found = reading.found()
                yield found if newest is None else last(found, newest)
                newest = None
                if follower is None or reading.removed:
                    return
                reading.follow_with(follower)
                if not await follower.wait():
                    return
    finally:
        reading.close()


class _Reading:
    """Which executions are read, which wait for their turn, which are done.

    They are opened in the order of their ids, which is that of their starts. So an older one than
    the newest that was opened is either still active or done: a cursor lists only the active ones
    and the newest.
    """

    def __init__(self, executions: Path, places: dict[str, Offsets]) -> None:
        self._executions = executions
        self._places = places
        self._opened = ""
        self._newest_done = ""
        self._skip_to = max(places, default="")
        self._active: list[Source] = []
        self._pending: list[str] = []
        self._followed: set[Path] = set()
        self._there = False
        self.removed = False

    def look(self) -> None:
        """Begin a round: find new executions, look how far the active ones reach."""
        self._pending = [
            name
            for name in self._names()
            if name > self._opened and (name > self._skip_to or name in self._places)
        ]
        for source in self._active:
            source.look()

    def found(self) -> Iterator[OutputBlock]:
        """What this round has, in order."""
        while True:
            heads = [lane.ts for s in self._active for lane in s.lanes if lane.fill()]
            if not heads:
                self._finish()
            if self._pending:
                start = started(self._pending[0])
                if not heads or (start is not None and start <= min(heads)):
                    self._open(self._pending.pop(0))
                    continue
                yield from merge(self._active, prefix=self._prefix, until=start)
            elif heads:
                yield from merge(self._active, prefix=self._prefix)
            else:
                return

    def start_at_tail(self, count: int) -> None:
        """Begin where at least the last `count` lines of all executions are still ahead."""
        self._places = tail_places(self._executions, self._names(), count)
        self._skip_to = max(self._places, default="")

    def follow_with(self, follower: Follower) -> None:
        """Have the follower look at the active executions and at no others."""
        wanted = {source.directory for source in self._active}
        for directory in self._followed - wanted:
            follower.remove(directory)
        for directory in wanted - self._followed:
            follower.add(directory)
        self._followed = wanted

    def close(self) -> None:
        for source in self._active:
            source.close()

    def _names(self) -> list[str]:
        try:
            names = execution_names(self._executions)
        except FileNotFoundError:
            self.removed = self._there
            return []
        self._there = True
        return names

    def _open(self, name: str) -> None:
        source = Source(self._executions / name, self._places.get(name, (0, 0)))
        source.look()
        self._opened = name
        self._active.append(source)

    def _finish(self) -> None:
        """Let go of those that have ended and been read."""
        for source in [s for s in self._active if s.ended and not s.fill()]:
            source.close()
            self._active.remove(source)
            if source.name == self._opened:
                offsets = source.offsets
                self._newest_done = f"{source.name}:o{offsets[0]}.e{offsets[1]}"

    def _prefix(self, source: Source) -> str:
        """The places of the other executions, and this one's name."""
        parts = [
            f"{other.name}:o{other.offsets[0]}.e{other.offsets[1]}"
            for other in self._active
            if other is not source
        ]
        if all(other.name != self._opened for other in self._active):
            parts.append(self._newest_done)
        return ",".join([*parts, f"{source.name}:"])
