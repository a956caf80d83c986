"""Answers to `fetch` requests, kept on disk: each is made once and read by many while it grows.

Making one costs a child process that counts and compresses objects; a hundred runners that clone
at once, or one after the other, ask for the same bytes. A file is complete and true, or it isn't
kept: an answer that failed, was cut off or overtaken by a moving ref is removed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

Write = Callable[[bytes], Awaitable[None]]
Produce = Callable[[Write], Awaitable[bool]]
"""Writes an answer piece by piece; True where it may be kept for the next who asks the same."""
Key = tuple[str, str]
"""The app, and the digest of all that the answer depends on."""

_PIECE = 256 << 10
_WINDOW = 8 << 20
_PART = ".part"


class Answers:
    """The kept answers of all repositories below one directory, least recently read ones go first.

    `limit` is bytes on disk. An answer that outgrows half of it, or that the disk has no room for,
    is passed on from memory at its readers' pace and not kept.
    """

    def __init__(self, directory: Path, *, limit: int = 512 << 20) -> None:
        self._directory = directory
        self._limit = limit
        self._kept: OrderedDict[Key, int] = OrderedDict()
        self._bytes = 0
        self._begun = 0
        self._growing: dict[Key, _Growing] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.hits = 0
        self.misses = 0

    @property
    def size(self) -> int:
        """Bytes of the answers that are kept now."""
        return self._bytes

    async def start(self) -> None:
        """Take up what an earlier server kept; remove what it didn't finish."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        found: list[tuple[int, Key, int]] = []
        for path in self._directory.glob("*/*"):
            if path.suffix == _PART:
                path.unlink(missing_ok=True)
                continue
            stat = path.stat()
            found.append((stat.st_mtime_ns, (path.parent.name, path.name), stat.st_size))
        for _, key, size in sorted(found):
            self._kept[key] = size
            self._bytes += size
        self._evict()

    async def close(self) -> None:
        """End the answers that are still being made; kept ones stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self, app: str) -> None:
        """Remove what is kept of an app that is being deleted."""
        for key in [key for key in self._kept if key[0] == app]:
            self._drop(key)
        for key in [key for key in self._growing if key[0] == app]:
            self._growing.pop(key).listed = False
        shutil.rmtree(self._directory / app, ignore_errors=True)

    async def read(self, key: Key, produce: Produce) -> AsyncGenerator[bytes, None]:
        """The answer, from disk, from another reader's that is growing, or made by `produce`.

        Raises what `produce` raised. When the last reader leaves before the end, `produce` is
        cancelled. Close the iterator (contextlib.aclosing).
        """
        fd = self._open_kept(key)
        if fd is not None:
            self.hits += 1
            try:
                position = 0
                while piece := os.pread(fd, _PIECE, position):
                    position += len(piece)
                    yield piece
            finally:
                os.close(fd)
            return
        growing = self._growing.get(key)
        if growing is None:
            self.misses += 1
            growing = self._begin(key, produce)
        else:
            self.hits += 1
        reader = growing.join()
        try:
            while piece := await growing.next(reader):
                yield piece
        finally:
            growing.leave(reader)

    def _open_kept(self, key: Key) -> int | None:
        if key not in self._kept:
            return None
        path = self._path(key)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # somebody tidied up beside us
            self._bytes -= self._kept.pop(key)
            return None
        self._kept.move_to_end(key)
        with suppress(FileNotFoundError):
            os.utime(path)
        return fd

    def _begin(self, key: Key, produce: Produce) -> _Growing:
        path = self._path(key)
        self._begun += 1  # a given-up answer removes its own file, never its successor's
        part = path.with_name(f"{path.name}.{self._begun}{_PART}")
        growing = _Growing(part, most=self._limit // 2)
        self._growing[key] = growing
        growing.on_unlist = lambda: self._unlist(key, growing)
        task = asyncio.create_task(self._make(key, growing, produce), name="fetch-answer")
        growing.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return growing

    async def _make(self, key: Key, growing: _Growing, produce: Produce) -> None:
        keep = False
        failure: BaseException | None = None
        try:
            keep = await produce(growing.write)
        except asyncio.CancelledError:
            failure = ConnectionAbortedError("The answer was given up.")
            raise
        except Exception as error:
            failure = error  # raised where it is read
        finally:
            listed = self._unlist(key, growing)
            if keep and listed and not growing.in_memory and growing.path.exists():
                growing.path.replace(self._path(key))
                self._kept[key] = growing.on_disk
                self._bytes += growing.on_disk
                self._evict()
            else:
                growing.path.unlink(missing_ok=True)
            growing.finish(failure)

    def _unlist(self, key: Key, growing: _Growing) -> bool:
        """No more readers may join; whether they could until now."""
        if self._growing.get(key) is growing:
            del self._growing[key]
        listed, growing.listed = growing.listed, False
        return listed

    def _evict(self) -> None:
        while self._bytes > self._limit and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._bytes -= self._kept.pop(key)
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: Key) -> Path:
        return self._directory / key[0] / key[1]


class _Reader:
    """How far one reader has come."""

    __slots__ = ("position",)

    def __init__(self) -> None:
        self.position = 0


class _Growing:
    """An answer while it is made: its beginning in a file, the rest (if need be) in a window."""

    def __init__(self, path: Path, *, most: int) -> None:
        self.path = path
        self.listed = True
        self.on_disk = 0
        self.in_memory = False
        self.task: asyncio.Task[None] | None = None
        self.on_unlist: Callable[[], bool] = bool
        self._most = most
        self._window: deque[tuple[int, bytes]] = deque()
        self._end = 0
        self._finished = False
        self._given_up = False
        self._failure: BaseException | None = None
        self._readers: set[_Reader] = set()
        self._changed = asyncio.Event()
        self._fd = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o600)
        except OSError:
            self._to_memory()

    def join(self) -> _Reader:
        reader = _Reader()
        self._readers.add(reader)
        return reader

    def leave(self, reader: _Reader) -> None:
        """A reader has the end, or goes before it; the last one takes the producer with it."""
        self._readers.discard(reader)
        self._advance()
        if self._readers:
            return
        if not self._finished and self.task is not None:
            self.on_unlist()
            self.task.cancel()
            self._given_up = True
            self._wake()
            self.path.unlink(missing_ok=True)  # a task that never ran tidies nothing up
        self._close()

    async def write(self, piece: bytes) -> None:
        """Append; waits for the readers only where the piece has to stay in memory.

        Raises ConnectionAbortedError once nobody reads any more.
        """
        if self._given_up:
            raise ConnectionAbortedError("Nobody reads this answer any more.")
        if not piece:
            return
        if not self.in_memory and self._end + len(piece) > self._most:
            self._to_memory()
        if not self.in_memory:
            try:
                self._append(piece)
            except OSError:  # no room: what is there can still be read
                self._to_memory()
        if self.in_memory:
            self._window.append((self._end, piece))
        self._end += len(piece)
        self._wake()
        while self.in_memory and self._waiting() > _WINDOW and not self._given_up:
            await self._change()

    async def next(self, reader: _Reader) -> bytes:
        """The next piece for a reader, nothing at the end. Raises what the producer raised."""
        while reader.position >= self._end:
            if self._finished:
                if self._failure is not None:
                    raise self._failure
                return b""
            await self._change()
        if reader.position < self.on_disk:
            size = min(_PIECE, self.on_disk - reader.position)
            piece = os.pread(self._fd, size, reader.position)
        else:
            piece = next(p for start, p in self._window if start == reader.position)
        reader.position += len(piece)
        self._advance()
        return piece

    def finish(self, failure: BaseException | None) -> None:
        self._finished = True
        self._failure = failure
        self._wake()
        if not self._readers:
            self._close()

    def _append(self, piece: bytes) -> None:
        view = memoryview(piece)
        at = self.on_disk
        while view:
            written = os.pwrite(self._fd, view, at)
            view = view[written:]
            at += written
        self.on_disk = at

    def _to_memory(self) -> None:
        self.in_memory = True
        self.on_unlist()

    def _waiting(self) -> int:
        return self._end - self._window[0][0] if self._window else 0

    def _advance(self) -> None:
        """Let go of the pieces that every reader has."""
        behind = min((reader.position for reader in self._readers), default=self._end)
        before = len(self._window)
        while self._window and self._window[0][0] < behind:
            self._window.popleft()
        if len(self._window) != before:
            self._wake()

    async def _change(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
