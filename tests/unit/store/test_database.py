"""The database: durable, in groups, migrated, and refused when it is a newer program's."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from gitdeploy.store import Database, Store, StoreError, StoreFull
from gitdeploy.store.database import migrate


def test_a_newer_database_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Store(path).open()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match=r"version 999, this gitdeploy knows \d"):
        Database(path).open()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, for sure" * 100)
    with pytest.raises(StoreError, match="can't be opened"):
        Database(path).open()


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    migrate(connection)
    schema = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    migrate(connection)
    assert connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall() == schema


def test_the_file_is_for_its_owner_alone(tmp_path: Path, store: Store) -> None:
    assert stat.S_IMODE((tmp_path / "gitdeploy.db").stat().st_mode) == 0o600


async def test_one_failing_write_of_a_group_undoes_only_itself(store: Store) -> None:
    def fail(c: sqlite3.Connection) -> None:
        c.execute("INSERT INTO facts (key, value) VALUES ('bad', 'x')")
        raise ValueError("on purpose")

    async def good(n: int) -> None:
        await store.remember(f"good {n}", "x")

    results = await asyncio.gather(
        *(good(n) for n in range(50)),
        *(store.database.write(fail) for _ in range(5)),
        *(good(n) for n in range(50, 100)),
        return_exceptions=True,
    )
    assert [type(r) for r in results if r is not None] == [ValueError] * 5
    assert await store.fact("bad") is None
    assert all([await store.fact(f"good {n}") for n in range(100)])


async def test_a_cancelled_caller_does_not_undo_its_write(store: Store) -> None:
    task = asyncio.create_task(store.remember("key", "value"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.remember("later", "x")
    assert await store.fact("key") == "value"


async def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    first = Store(tmp_path / "y.db")
    first.open()
    await first.apps.create("shop", at=1)
    first.close()
    second = Store(tmp_path / "y.db")
    second.open()
    assert [app.name for app in await second.apps.all()] == ["shop"]
    second.close()


async def test_a_full_disk_is_told_as_one_and_the_next_write_works(tmp_path: Path) -> None:
    """SQLite's own limit of pages stands for the disk: the same code, SQLITE_FULL."""
    database = Database(tmp_path / "x.db")
    database.open()
    await database.write(lambda c: c.execute("CREATE TABLE t (x)") and None)

    def limit(c: sqlite3.Connection) -> None:
        pages = c.execute("PRAGMA page_count").fetchone()[0]
        c.execute(f"PRAGMA max_page_count = {pages}")

    await database.write(limit)
    big = "x" * (1 << 20)
    failures = await asyncio.gather(
        *(
            database.write(lambda c: c.execute("INSERT INTO t VALUES (?)", (big,)))
            for _ in range(3)
        ),
        return_exceptions=True,
    )
    assert [type(failure) for failure in failures] == [StoreFull] * 3
    assert "disk is full" in str(failures[0])
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000") and None)
    await database.write(lambda c: c.execute("INSERT INTO t VALUES (?)", (big,)) and None)
    assert database.read(lambda c: c.execute("SELECT count(*) FROM t").fetchone()[0]) == 1
    database.close()
