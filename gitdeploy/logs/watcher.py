"""`Watcher`: notices growing output, has its times noted and its disk bounded, wakes readers.

One inotify instance for the server, a one-shot watch for each directory. The first change is
handled at once; while changes go on, no watch is set and the sizes are looked at every few
milliseconds instead, so a job that writes a million lines pays for one event and the server for
some hundred looks. Where inotify can't be had the looks remain (every 0.1 s).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine, Iterator
from pathlib import Path

from asyncinotify import Inotify, Mask

from gitdeploy.clock import Clock, SystemClock
from gitdeploy.events import Log
from gitdeploy.logs import trim
from gitdeploy.logs.housekeeper import Housekeeper
from gitdeploy.logs.watched import INDEX_PAUSE, Watched

# DELETE too: a reader's open file keeps its directory's DELETE_SELF from coming.
_MASK = (
    Mask.MODIFY
    | Mask.CREATE
    | Mask.MOVED_TO
    | Mask.DELETE
    | Mask.DELETE_SELF
    | Mask.ONESHOT
    | Mask.ONLYDIR
)
_FOLLOWED = 0.004  # between looks while changes go on and somebody waits for them
_UNFOLLOWED = 0.05
_POLL_FOLLOWED = 0.1  # between looks where inotify can't be had
_POLL_UNFOLLOWED = 0.5


class Follower:
    """Waits for changes in some directories; made by `Watcher.follow`."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._bell = asyncio.Event()
        self._followed: dict[Path, Watched] = {}

    def add(self, directory: Path) -> None:
        """Follow this one too, watched or not; it need not exist yet."""
        if directory not in self._followed:
            self._followed[directory] = self._watcher._join(directory, self._bell)

    def remove(self, directory: Path) -> None:
        watched = self._followed.pop(directory, None)
        if watched is not None:
            self._watcher._leave(watched, self._bell)

    def clear(self) -> None:
        """Forget the changes so far: call it, then read, then wait."""
        self._bell.clear()

    async def wait(self) -> bool:
        """Return once something changed since `clear`; False where the watcher was closed."""
        if not self._bell.is_set():
            for watched in self._followed.values():
                self._watcher._hasten(watched)
            await self._bell.wait()
        return not self._watcher.closed


class Watcher:
    """Watches the directories of running executions, and those that somebody follows.

    `retention` bounds the bytes of one stream that stay on disk (0: no bound). `polling` does
    without inotify.
    """

    def __init__(
        self,
        log: Log,
        *,
        retention: int = 0,
        clock: Clock | None = None,
        polling: bool = False,
    ) -> None:
        self._log = log
        self._clock = clock or SystemClock()
        self._housekeeper = Housekeeper(log, self._clock, retention)
        self._polling = polling
        self._inotify: Inotify | None = None
        self._watched: dict[str, Watched] = {}
        self._by_descriptor: dict[int, Watched] = {}
        self._listening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    async def start(self) -> None:
        """Begin; directories given before are looked at now."""
        if not self._polling:
            try:
                self._inotify = Inotify(cache_size=64)
            except OSError as error:
                self._say_polling(error)
            else:
                self._listening = self._own(self._events(self._inotify))
        for watched in list(self._watched.values()):
            self._tick(watched)

    async def close(self) -> None:
        """Finish the trims that are under way, write what the indexes lack, let all waiting
        readers go."""
        self.closed = True
        if self._listening is not None:
            self._listening.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for watched in list(self._watched.values()):
            if watched.timer is not None:
                watched.timer.cancel()
                watched.timer = None
            if watched.indexing:
                watched.busy = False
                self._look(watched, force=True)
                watched.end_index()
            watched.wake()
        self._watched.clear()
        self._by_descriptor.clear()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def watch(self, directory: Path, **fields: object) -> None:
        """Keep the index of a running execution and bound its disk, until `unwatch`.

        `fields` are bound to the events about it; by default what the directory's place in the
        home says (app, kind, job, run).
        """
        watched = self._get(directory)
        watched.released = False
        if watched.indexing:
            return
        watched.log = self._log.bind(**(fields or _named(directory)))
        watched.kept = [trim.read_trimmed(file).offset for file in watched.files]
        watched.begin_index()
        self._tick(watched)

    def unwatch(self, directory: Path) -> None:
        """The execution has ended: its last bytes get their entry. Followers stay."""
        watched = self._watched.get(_key(directory))
        if watched is None or not watched.indexing:
            return
        if watched.busy:
            watched.released = True
            return
        self._look(watched, force=True)
        watched.end_index()
        watched.wake()
        self._drop_unused(watched)

    @contextlib.contextmanager
    def follow(self, *directories: Path) -> Iterator[Follower]:
        """Be told of changes in these directories, and those added later."""
        follower = Follower(self)
        try:
            for directory in directories:
                follower.add(directory)
            yield follower
        finally:
            for directory in list(follower._followed):
                follower.remove(directory)

    def _join(self, directory: Path, bell: asyncio.Event) -> Watched:
        watched = self._get(directory)
        watched.bells.add(bell)
        if watched.armed is None and watched.timer is None and not self.closed:
            self._tick(watched)
        bell.set()  # what happened before has no event for the newcomer
        return watched

    def _leave(self, watched: Watched, bell: asyncio.Event) -> None:
        watched.bells.discard(bell)
        self._drop_unused(watched)

    def _hasten(self, watched: Watched) -> None:
        """Somebody begins to wait: look as often as that asks for."""
        if watched.armed is None and not self.closed:
            self._schedule(watched, _POLL_FOLLOWED if watched.polled else _FOLLOWED)

    def _get(self, directory: Path) -> Watched:
        key = _key(directory)
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = Watched(Path(key), self._log)
        return watched

    def _drop_unused(self, watched: Watched) -> None:
        if watched.bells or watched.indexing or watched.busy:
            return
        if self._watched.get(str(watched.directory)) is watched:
            del self._watched[str(watched.directory)]
        if watched.timer is not None:
            watched.timer.cancel()
            watched.timer = None
        if watched.armed is not None and self._inotify is not None:
            self._by_descriptor.pop(watched.armed.wd, None)
            with contextlib.suppress(OSError):  # its one shot may have been fired already
                self._inotify.rm_watch(watched.armed)
            watched.armed = None

    async def _events(self, inotify: Inotify) -> None:
        async for event in inotify:
            if Mask.Q_OVERFLOW in event.mask:
                for watched in list(self._watched.values()):
                    self._fired(watched)
            elif event.watch is not None:
                found = self._by_descriptor.pop(event.watch.wd, None)
                if found is not None:
                    self._fired(found)

    def _fired(self, watched: Watched) -> None:
        """The one-shot watch has seen something."""
        watched.armed = None
        self._look(watched)
        watched.wake()
        self._schedule(watched, self._pause(watched))

    def _tick(self, watched: Watched) -> None:
        """Look again; set the watch once nothing changes any more."""
        watched.timer = None
        changed = self._look(watched)
        if changed:
            watched.wake()
        if watched.armed is None:
            if changed:
                self._schedule(watched, self._pause(watched))
                return
            self._arm(watched)
            # What happened before the watch was set has no event, in a directory of directories
            # not even a trace in sizes: whoever waits looks for himself.
            self._look(watched)
            watched.wake()
            if watched.polled:
                self._schedule(watched, _POLL_FOLLOWED if watched.bells else _POLL_UNFOLLOWED)
                return
        if watched.pending:
            self._schedule(watched, INDEX_PAUSE)

    def _arm(self, watched: Watched) -> None:
        watched.polled = True
        if self._inotify is None:
            return
        try:
            watch = self._inotify.add_watch(watched.directory, _MASK)
        except (FileNotFoundError, NotADirectoryError):
            return  # it may come
        except OSError as error:
            self._say_polling(error)
            return
        watched.polled = False
        watched.armed = watch
        self._by_descriptor[watch.wd] = watched

    def _pause(self, watched: Watched) -> float:
        return _FOLLOWED if watched.bells else _UNFOLLOWED

    def _schedule(self, watched: Watched, seconds: float) -> None:
        """Look in that many seconds, or earlier where that was agreed already."""
        loop = asyncio.get_running_loop()
        if watched.timer is not None:
            if watched.timer.when() <= loop.time() + seconds:
                return
            watched.timer.cancel()
        watched.timer = loop.call_later(seconds, self._tick, watched)

    def _look(self, watched: Watched, *, force: bool = False) -> bool:
        growth = watched.look()
        if not watched.indexing:
            return growth.changed
        for stream in growth.truncated:
            self._housekeeper.truncated(watched, stream)
        try:
            watched.index(self._clock.now(), self._clock.monotonic(), force=force)
        except OSError as error:
            if self._housekeeper.first("log.index_failed"):
                self._log.warning(
                    "log.index_failed", what=f"{watched.times} can't be written: {error.strerror}."
                )
        if not watched.busy and not self.closed and self._housekeeper.due(watched):
            watched.busy = True
            self._own(self._housekeep(watched))
        return growth.changed

    async def _housekeep(self, watched: Watched) -> None:
        try:
            await self._housekeeper.run(watched)
        finally:
            watched.reopen_index()
            watched.busy = False
        if watched.released:
            watched.released = False
            self.unwatch(watched.directory)
        else:
            self._schedule(watched, self._pause(watched))

    def _say_polling(self, error: OSError) -> None:
        if self._housekeeper.first("log.polling"):
            self._log.warning(
                "log.polling",
                what=f"inotify can't watch (any more): {error.strerror}; logs are looked at instead.",
                fix="Raise fs.inotify.max_user_watches or max_user_instances with sysctl.",
            )

    def _own(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("log.watch_failed", what=f"{error!r}", exc_info=error)


def _key(directory: Path) -> str:
    """One spelling of a directory: inotify knows an inode once."""
    return os.path.realpath(directory)


def _named(directory: Path) -> dict[str, object]:
    """app, kind, job and run, of a directory that lies where home.AppHome.execution says."""
    parts = directory.parts
    if len(parts) > 5 and parts[-4] == "executions" and parts[-6] == "apps":
        return {"app": parts[-5], "kind": parts[-3], "job": parts[-2], "run": parts[-1]}
    return {"directory": str(directory)}
