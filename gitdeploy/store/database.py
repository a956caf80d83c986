"""SQLite: one writer thread that commits in groups, readers on the caller's thread.

WAL with `synchronous=FULL`: a commit is on the disk when `write` returns. Writers that arrive
while a commit is under way share the next one, each in its own savepoint.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Generic, TypeVar

from gitdeploy.errors import GitdeployError

T = TypeVar("T")
_GROUP = 256


class StoreError(GitdeployError):
    """The database can't be used: damaged, of a newer program, or not writable."""


class StoreFull(StoreError):
    """The disk has no room for what was to be written; nothing of it is."""

    def __init__(self) -> None:
        super().__init__("The server's disk is full.", "Free some space below its home.")


class Database:
    """A connection pair to one database file; `open` before use, `close` at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._reader: sqlite3.Connection | None = None
        self.on_commit: Callable[[], None] | None = None
        """Called on the writer's thread after each commit; must be quick and raise nothing."""

    def open(self) -> None:
        """Create or migrate the file and start the writer. Raises StoreError."""
        try:
            writer = self._connect()
            migrate(writer)
            self._reader = self._connect()
            self._reader.execute("PRAGMA query_only = 1")
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self._path} can't be opened: {error}.",
                "Restore it from a backup, or move it away to start empty.",
            ) from error
        self._thread = threading.Thread(
            target=self._work, args=(writer,), name="store-writer", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Finish the writes that are queued and let go of the file."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction on the writer thread; committed when this returns.

        An exception of `work` undoes just its own changes and is raised here. Cancelling the
        caller doesn't undo a write that was queued.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Write(work, loop, done))
        return await asyncio.shield(done)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a short query (≈ 50 µs) right here; sees every committed write."""
        if self._reader is None:
            raise StoreError("The store is closed.")
        return work(self._reader)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=10
        )
        connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        self._path.chmod(0o600)
        return connection

    def _work(self, connection: sqlite3.Connection) -> None:
        while (first := self._queue.get()) is not None:
            group: list[_Write[Any]] = [first]
            last = False
            while len(group) < _GROUP and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    last = True
                    break
                group.append(item)
            _commit(connection, group)
            if (committed := self.on_commit) is not None:
                committed()
            if last:
                break
        connection.close()


class _Write(Generic[T]):
    """One caller's transaction and the future that it waits for."""

    __slots__ = ("done", "error", "loop", "result", "work")

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        loop: asyncio.AbstractEventLoop,
        done: asyncio.Future[T],
    ) -> None:
        self.work = work
        self.loop = loop
        self.done = done
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell the waiting caller, unless its loop is gone."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if self.done.cancelled():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)  # type: ignore[arg-type]


def _commit(connection: sqlite3.Connection, group: list[_Write[Any]]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for write in group:
            connection.execute("SAVEPOINT one")
            try:
                write.result = write.work(connection)
            except BaseException as error:
                write.error = _failure(error) if _is_full(error) else error
                connection.execute("ROLLBACK TO one")
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # SQLite undoes the whole transaction where one write finds no room
        full = any(isinstance(write.error, StoreFull) for write in group)
        failure = StoreFull() if full else _failure(error)
        for write in group:
            write.error = write.error or failure
    for write in group:
        write.settle()


def _is_full(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _failure(error: BaseException) -> StoreError:
    """What a failing disk is to whoever wrote."""
    if _is_full(error):
        return StoreFull()
    return StoreError(f"The store can't be written: {error}.", "Look at the disk of its home.")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, one numbered file per transaction.

    `PRAGMA user_version` is the number of the newest file that was applied. Raises StoreError
    where it is newer than this program knows.
    """
    folder = resources.files("gitdeploy.store").joinpath("migrations")
    scripts = sorted(
        (int(entry.name[:4]), entry) for entry in folder.iterdir() if entry.name.endswith(".sql")
    )
    have = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = scripts[-1][0]
    if have > newest:
        raise StoreError(
            f"The database has version {have}, this gitdeploy knows {newest}.",
            "Start the newer gitdeploy that wrote it, or restore a backup from before.",
        )
    for number, script in scripts:
        if number > have:
            sql = script.read_text("utf-8")
            connection.executescript(f"BEGIN;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
