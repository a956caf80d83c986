"""Apps, their attributes and their app settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from gitdeploy.store.database import Database


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An app as the store knows it.

    Without `always_on` its continuous jobs stop after `idle_timeout` seconds without a request.
    """

    name: str
    created_at: int
    branch: str | None = None
    webhook_secret: str | None = None
    status_token: str | None = None
    status_url: str | None = None
    locked: str | None = None
    strict: bool = False
    always_on: bool = True
    idle_timeout: float | None = None
    deleting: bool = False


class Attributes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What PATCH changes; kept as one JSON value."""

    branch: str | None = None
    webhook_secret: str | None = None
    status_token: str | None = None
    status_url: str | None = None
    locked: str | None = None
    strict: bool | None = None
    always_on: bool | None = None
    idle_timeout: float | None = None


class Apps:
    """The tables `apps` and `app_settings`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(self, name: str, *, at: int) -> bool:
        """Add an app; False where it is there already."""

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                "INSERT INTO apps (name, attributes, created_at) VALUES (?, '{}', ?)"
                " ON CONFLICT DO NOTHING",
                (name, at),
            )
            return done.rowcount == 1

        return await self._db.write(work)

    async def get(self, name: str) -> App | None:
        """The app, or None where there is none (or it is being deleted)."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM apps WHERE name = ? AND deleting = 0", (name,)
            ).fetchone()
        )
        return None if row is None else _app(row)

    async def all(self) -> list[App]:
        """Every app by name."""
        rows = self._db.read(
            lambda c: c.execute("SELECT * FROM apps WHERE deleting = 0 ORDER BY name").fetchall()
        )
        return [_app(row) for row in rows]

    async def update(self, name: str, changes: Mapping[str, str | float | None]) -> App | None:
        """Merge attributes (None removes one); the app as it is then, None where there is none."""

        def work(c: sqlite3.Connection) -> App | None:
            row = c.execute(
                "SELECT * FROM apps WHERE name = ? AND deleting = 0", (name,)
            ).fetchone()
            if row is None:
                return None
            merged = {**msgspec.json.decode(row["attributes"], type=dict), **changes}
            attributes = msgspec.json.encode(msgspec.convert(merged, Attributes)).decode()
            c.execute("UPDATE apps SET attributes = ? WHERE name = ?", (attributes, name))
            return _app(c.execute("SELECT * FROM apps WHERE name = ?", (name,)).fetchone())

        return await self._db.write(work)

    async def mark_deleting(self, name: str) -> bool:
        """Hide the app while its processes and files are removed; False where there is none."""

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute("UPDATE apps SET deleting = 1 WHERE name = ?", (name,))
            return done.rowcount == 1

        return await self._db.write(work)

    async def deleting(self) -> list[str]:
        """Apps whose deletion a crash may have cut off."""
        rows = self._db.read(
            lambda c: c.execute("SELECT name FROM apps WHERE deleting = 1").fetchall()
        )
        return [row["name"] for row in rows]

    async def delete(self, name: str) -> None:
        """Remove the app and every row that belongs to it."""
        await self._db.write(
            lambda c: c.execute("DELETE FROM apps WHERE name = ?", (name,)) and None
        )

    async def settings(self, app: str) -> dict[str, str]:
        """The app settings by key."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT key, value FROM app_settings WHERE app = ? ORDER BY key", (app,)
            ).fetchall()
        )
        return {row["key"]: row["value"] for row in rows}

    async def merge_settings(
        self, app: str, changes: Mapping[str, str], remove: Iterable[str] = ()
    ) -> None:
        """Set and remove app settings in one transaction."""
        removed = [(app, key) for key in remove]

        def work(c: sqlite3.Connection) -> None:
            c.executemany("DELETE FROM app_settings WHERE app = ? AND key = ?", removed)
            c.executemany(
                "INSERT INTO app_settings (app, key, value) VALUES (?, ?, ?)"
                " ON CONFLICT (app, key) DO UPDATE SET value = excluded.value",
                [(app, key, value) for key, value in changes.items()],
            )

        await self._db.write(work)


def _app(row: sqlite3.Row) -> App:
    attributes = msgspec.json.decode(row["attributes"], type=Attributes)
    values = {k: v for k, v in msgspec.structs.asdict(attributes).items() if v is not None}
    return App(
        name=row["name"],
        created_at=row["created_at"],
        deleting=bool(row["deleting"]),
        **values,
    )
