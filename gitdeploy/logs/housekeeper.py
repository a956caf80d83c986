"""Bounded disk for running executions: when what is trimmed, and that it is said."""

from __future__ import annotations

import asyncio

from gitdeploy.clock import Clock
from gitdeploy.events import Log
from gitdeploy.logs import times, trim
from gitdeploy.logs.lines import STREAMS
from gitdeploy.logs.watched import Watched

_PAUSE = 10.0  # seconds before a trim that failed is tried again


class Housekeeper:
    """Trims streams past `retention` bytes (0: never) and indexes past their limit."""

    def __init__(self, log: Log, clock: Clock, retention: int) -> None:
        self._log = log
        self._clock = clock
        self._retention = retention
        self._said: set[str] = set()

    def first(self, event: str) -> bool:
        """Whether this wasn't said before: what won't change is said once a start."""
        said = event in self._said
        self._said.add(event)
        return not said

    def due(self, watched: Watched) -> bool:
        """Whether there is something to do."""
        if watched.times_size <= times.LIMIT and not self._overlong(watched):
            return False
        return self._clock.monotonic() >= watched.rest_until

    async def run(self, watched: Watched) -> None:
        """Do it, in a thread: a trim reads what it drops, to count its lines."""
        try:
            for stream in self._overlong(watched):
                await self._trim(watched, stream)
            await asyncio.to_thread(times.compact, watched.times, list(watched.kept))
        except OSError as error:
            watched.rest_until = self._clock.monotonic() + _PAUSE
            if self.first("log.trim_failed"):
                self._log.warning("log.trim_failed", what=f"{watched.directory}: {error}.")
        else:
            watched.times_size = 0  # measured again when the index is opened

    def truncated(self, watched: Watched, stream: int) -> None:
        """Something emptied a stream's file (`echo > /dev/stdout` does): begin anew, and say so."""
        watched.forget_index(stream)
        trim.note_path(watched.files[stream]).unlink(missing_ok=True)
        kept: list[int | None] = list(watched.kept)
        kept[stream] = None
        times.compact(watched.times, kept)
        watched.reopen_index()
        name = STREAMS[stream]
        watched.log.warning(
            "log.truncated",
            stream=name,
            what=f"Something emptied the file behind {name}; its earlier output is gone.",
            fix=f"Write to it with >&{stream + 1}, not with >/dev/{name}.",
        )

    def _overlong(self, watched: Watched) -> list[int]:
        if not self._retention or "log.trim_unsupported" in self._said:
            return []
        most = self._retention + trim.BLOCK
        return [s for s in (0, 1) if watched.sizes[s] - watched.kept[s] > most]

    async def _trim(self, watched: Watched, stream: int) -> None:
        file = watched.files[stream]
        before = trim.read_trimmed(file)
        keep = self._retention - self._retention // 8  # a hole for each eighth, not each line
        try:
            note = await asyncio.to_thread(trim.trim, file, keep)
        except OSError as error:
            if not trim.unsupported(error):
                raise
            if self.first("log.trim_unsupported"):
                self._log.warning(
                    "log.trim_unsupported",
                    what=f"The file system of {watched.directory} can't punch holes: logs grow.",
                    fix="Keep the home on ext4, XFS, Btrfs or tmpfs.",
                )
            return
        if note is None:  # truncated meanwhile
            return
        watched.kept[stream] = note.offset
        watched.log.info(
            "log.trimmed",
            stream=STREAMS[stream],
            bytes=note.bytes - before.bytes,
            lines=note.lines - before.lines,
            total_bytes=note.bytes,
            total_lines=note.lines,
        )
