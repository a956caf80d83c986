"""Keeping repositories quick: packs and loose objects that pile up are put together.

After a push, in the background, at the lowest priority, one repository at a time. Repacking drops
no object; what no ref reaches becomes loose and is pruned two weeks later as `git gc` does, and
never while a push is being checked against what is stored. `git gc` by hand does no harm beside it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
from dulwich.object_store import DiskObjectStore

from gitdeploy.errors import GitdeployError, NotFound
from gitdeploy.events import Log
from gitdeploy.repos.child import end, git_program, start_git
from gitdeploy.repos.layout import INCOMING
from gitdeploy.repos.repositories import Repositories
from gitdeploy.repos.repository import Repository

MOST_PACKS = 10
MOST_LOOSE = 500
PRUNE_EXPIRE = "2.weeks.ago"

_WEEK = 7 * 86_400
_DAY = 86_400
# dulwich holds every object in memory while it repacks
_MOST_FOR_DULWICH = 64 << 20

Work = Literal["geometric", "full"]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in `objects`: counts, bytes of packs, and when a full repack wrote its bitmap.

    `bitmap_at` is seconds since the epoch, None where there is no bitmap.
    """

    packs: int
    loose: int
    pack_bytes: int
    largest: int
    bitmap_at: float | None


def measure(objects: Path) -> Stored:
    """Look at a repository's `objects` directory; some milliseconds."""
    sizes: list[int] = []
    bitmaps: list[float] = []
    for entry in _entries(objects / "pack"):
        with suppress(FileNotFoundError):
            if entry.name.endswith(".pack"):
                sizes.append(entry.stat().st_size)
            elif entry.name.endswith(".bitmap"):
                bitmaps.append(entry.stat().st_mtime)
    loose = sum(
        1
        for directory in _entries(objects)
        if len(directory.name) == 2
        for entry in _entries(Path(directory.path))
        if len(entry.name) == 38
    )
    return Stored(
        packs=len(sizes),
        loose=loose,
        pack_bytes=sum(sizes),
        largest=max(sizes, default=0),
        bitmap_at=max(bitmaps, default=None),
    )


def plan(stored: Stored, now: float) -> Work | None:
    """What is to be done, if anything; `now` is seconds since the epoch.

    The full repack, which also writes the bitmap that makes clones cheap, is due weekly, or when
    the largest pack holds less than half; otherwise small packs are rolled up geometrically.
    """
    old = stored.bitmap_at is not None and now - stored.bitmap_at > _WEEK
    if old and (stored.packs > 1 or stored.loose):
        return "full"
    if stored.packs <= MOST_PACKS and stored.loose <= MOST_LOOSE:
        return None
    if stored.bitmap_at is None or stored.largest * 2 < stored.pack_bytes:
        return "full"
    return "geometric"


class Upkeep:
    """Does for each repository what `plan` says, never twice at once; `close` at the end."""

    def __init__(self, repositories: Repositories, log: Log) -> None:
        self._repositories = repositories
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(1)

    def consider(self, app: str) -> None:
        """Look after an app's repository soon; at once if nothing of it is under way."""
        if app not in self._tasks:
            task = asyncio.create_task(self._tend(app), name=f"upkeep-{app}")
            self._tasks[app] = task
            task.add_done_callback(lambda _: self._tasks.pop(app, None))

    async def wait(self, app: str) -> None:
        """Until nothing is under way for this app."""
        task = self._tasks.get(app)
        if task is not None:
            await asyncio.wait([task])

    async def forget(self, app: str) -> None:
        """End what is under way for an app that is being deleted."""
        task = self._tasks.get(app)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """End what is under way; a repack that is cut off leaves everything as it was."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tend(self, app: str) -> None:
        try:
            await self._work(self._repositories.open(app))
        except NotFound:
            return  # deleted meanwhile
        except (GitdeployError, OSError) as error:
            self._log.warning("upkeep.failed", app=app, what=str(error))

    async def _work(self, repository: Repository) -> None:
        app = repository.app
        objects = repository.path / "objects"
        stored = await asyncio.to_thread(measure, objects)
        if plan(stored, time.time()) is None:
            return
        async with self._turn:
            stored = await asyncio.to_thread(measure, objects)
            work = plan(stored, time.time())
            if work is None:
                return
            started = time.monotonic()
            self._log.info(
                "upkeep.started", app=app, work=work, packs=stored.packs, loose=stored.loose
            )
            failure = await self._repack(repository, work, stored)
            repository.objects.forget()
            seconds = time.monotonic() - started
            if failure is not None:
                self._log.warning("upkeep.failed", app=app, work=work, what=failure[-400:])
                return
            after = await asyncio.to_thread(measure, objects)
            self._log.info(
                "upkeep.finished",
                app=app,
                work=work,
                packs=after.packs,
                loose=after.loose,
                duration_ms=round(seconds * 1000, 1),
            )

    async def _repack(self, repository: Repository, work: Work, stored: Stored) -> str | None:
        """What went wrong, if anything did."""
        program = git_program()
        if program is None:
            if stored.pack_bytes > _MOST_FOR_DULWICH:
                return "git isn't installed, and without it only small repositories are repacked."
            await asyncio.to_thread(_repack_with_dulwich, repository.path / "objects")
            return None
        if work == "geometric":
            arguments = ("repack", "-d", "-n", "-q", "--geometric=2", "--write-midx")
            code, words = await self._git(program, repository, *arguments)
            if code != 129:  # usage: a git older than 2.34, where the full one does it
                return None if code == 0 else words
        code, words = await self._git(
            program, repository, "repack", "-A", "-d", "-n", "-q", "--write-bitmap-index"
        )
        if code != 0:
            return words
        return await self._prune(program, repository)

    async def _prune(self, program: str, repository: Repository) -> str | None:
        """Drop what no ref has reached for two weeks, unless a push may be relying on it.

        A push that arrives meanwhile waits: seconds, once a week.
        """
        repository.may_check.clear()
        try:
            async with repository.lock:
                quarantined = await asyncio.to_thread(_quarantined, repository.path / "objects")
                if repository.checking or quarantined:
                    return None  # pruned another time
                expire = f"--expire={PRUNE_EXPIRE}"
                code, words = await self._git(program, repository, "prune", expire)
                return None if code == 0 else words
        finally:
            repository.may_check.set()

    async def _git(
        self, program: str, repository: Repository, *arguments: str
    ) -> tuple[int | None, str]:
        synced = ("-c", "core.fsync=committed,loose-object")
        process = await start_git(program, repository.path, *synced, *arguments, gently=True)
        try:
            _, words = await process.communicate()
        except asyncio.CancelledError:
            await end(process)
            await asyncio.to_thread(_remove_cut_off, repository.path / "objects", process.pid)
            raise
        return process.returncode, words.decode("utf-8", "replace").strip()


def _quarantined(objects: Path) -> bool:
    return any(entry.name.startswith(INCOMING) for entry in _entries(objects))


def _remove_cut_off(objects: Path, pid: int) -> None:
    """What a killed repack had written; others' temporary files only when a day old."""
    for entry in _entries(objects / "pack"):
        with suppress(FileNotFoundError):
            ours = entry.name.startswith(f".tmp-{pid}-")
            old = entry.name.startswith("tmp_") and time.time() - entry.stat().st_mtime > _DAY
            if ours or old:
                Path(entry.path).unlink()


def _repack_with_dulwich(objects: Path) -> None:
    store = DiskObjectStore(str(objects), fsync_object_files=True)
    try:
        store.repack()
    finally:
        store.close()


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
