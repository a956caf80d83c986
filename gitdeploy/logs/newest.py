"""The end of a job's output as it stands: its newest lines, and the place behind all there is.

Read from the ends of files and never more than asked for, however long the log is. To be called on
a thread.
"""

from __future__ import annotations

from pathlib import Path

from gitdeploy.logs import cursor
from gitdeploy.logs.block import OutputBlock, last
from gitdeploy.logs.cursor import Offsets
from gitdeploy.logs.job_reader import blocks_of_job
from gitdeploy.logs.lines import STREAMS, Stream
from gitdeploy.logs.places import Places, execution_names, started
from gitdeploy.logs.source import read_end
from gitdeploy.logs.tail import count_lines, tail_start

_LINE = 1 << 20
"""Longer lines are read in pieces."""
_MOST = 500  # executions that are looked into


class JobTail:
    """The end of one job's output; `names` are its executions, oldest first."""

    def __init__(self, executions: Path) -> None:
        self._executions = executions
        try:
            self.names = execution_names(executions)
        except FileNotFoundError:
            self.names = []

    def written_at(self) -> int:
        """When the newest executions wrote last (µs); 0 where there are none."""
        return max(
            (
                _status(self._executions / name / stream)[1]
                for name in self.names[-2:]
                for stream in STREAMS
            ),
            default=0,
        )

    def end(self) -> str:
        """The cursor behind all lines there are, "" for a job that never ran."""
        return cursor.of_job(self._places(0, 0, None))

    def read(
        self, count: int, *, most_bytes: int, stream: Stream | None = None
    ) -> tuple[list[OutputBlock], str]:
        """The newest `count` lines, or those of one stream, and the cursor behind all of them."""
        places = self._places(count, most_bytes, stream)
        at = cursor.of_job(places)
        found: list[OutputBlock] = []
        with blocks_of_job(self._executions, at or None) as blocks:
            for block in blocks:
                at = f"{block.before}{block.end}{block.after}"
                if stream is None or block.stream == stream:
                    found.append(block)
        return list(last(found, count)), at

    def _places(self, count: int, most_bytes: int, stream: Stream | None) -> Places:
        """Where to begin in the executions that are still to be read, newest first.

        An execution that isn't among them is older than one of them and is done with.
        """
        places: Places = {}
        found, left = 0, most_bytes
        oldest: int | None = None
        for name in reversed(self.names):
            directory = self._executions / name
            end = read_end(directory)
            over = end is not None and (oldest is None or end.ended_at < oldest)
            if over and places and (found >= count or left <= 0 or len(places) >= _MOST):
                break
            wanted = count if left > 0 else 0
            starts = [0, 0]
            for number, one in enumerate(STREAMS):
                file = directory / one
                if wanted and stream in (None, one):
                    starts[number] = tail_start(file, wanted, max(left, _LINE))
                    found += count_lines(file, starts[number], count)
                    left -= _status(file)[0] - starts[number]
                elif end is not None:  # also behind a last line without newline
                    starts[number] = _status(file)[0]
                else:
                    starts[number] = tail_start(file, 0, _LINE)
            offsets: Offsets = (starts[0], starts[1])
            places[name] = offsets
            oldest = started(name)
        return places


def _status(file: Path) -> tuple[int, int]:
    """Size and time of the last write (µs)."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns // 1000
