"""Diagnostics settings: what Kudu's clients keep of an app, JSON values by key."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.store.database import Database

MOST = 200
"""Keys of one app."""


class Diagnostics:
    """The table `diagnostics_settings`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def all(self, app: str) -> dict[str, Any]:
        """The values by key, sorted."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT key, value FROM diagnostics_settings WHERE app = ? ORDER BY key", (app,)
            ).fetchall()
        )
        return {row["key"]: msgspec.json.decode(row["value"]) for row in rows}

    async def merge(self, app: str, changes: Mapping[str, Any]) -> None:
        """Set these keys, all or none. Raises Invalid where an app would have more than MOST."""
        rows = [(app, key, msgspec.json.encode(value).decode()) for key, value in changes.items()]

        def work(c: sqlite3.Connection) -> None:
            c.executemany(
                "INSERT INTO diagnostics_settings (app, key, value) VALUES (?, ?, ?)"
                " ON CONFLICT (app, key) DO UPDATE SET value = excluded.value",
                rows,
            )
            counted = c.execute("SELECT count(*) FROM diagnostics_settings WHERE app = ?", (app,))
            if counted.fetchone()[0] > MOST:
                raise Invalid(f"{app} would have over {MOST} diagnostics settings.", "Delete some.")

        await self._db.write(work)

    async def delete(self, app: str, key: str) -> None:
        """Forget a key; nothing where there is none."""

        def work(c: sqlite3.Connection) -> None:
            c.execute("DELETE FROM diagnostics_settings WHERE app = ? AND key = ?", (app, key))

        await self._db.write(work)
