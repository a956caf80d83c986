"""Secrets of an app's jobs: written over the API, given to what needs them, never shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from gitdeploy.store.database import Database


class Secrets:
    """The table `secrets`; names are ours, such as `triggered/ping/action.request.body`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def get(self, app: str, name: str) -> str | None:
        """The value, or None."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT value FROM secrets WHERE app = ? AND name = ?", (app, name)
            ).fetchone()
        )
        return None if row is None else str(row["value"])

    async def values(self, app: str) -> list[str]:
        """All of an app's values, for whoever has to keep them out of logs."""
        rows = self._db.read(
            lambda c: c.execute("SELECT value FROM secrets WHERE app = ?", (app,)).fetchall()
        )
        return [str(row["value"]) for row in rows]

    async def names(self, app: str) -> set[str]:
        """The names of an app's secrets."""
        rows = self._db.read(
            lambda c: c.execute("SELECT name FROM secrets WHERE app = ?", (app,)).fetchall()
        )
        return {str(row["name"]) for row in rows}

    async def replace(
        self, app: str, below: str, secrets: Mapping[str, str], keep: Iterable[str]
    ) -> None:
        """Set secrets, and forget those whose names begin with `below` and aren't in `keep`."""
        await self._db.write(lambda c: replace_secrets(c, app, below, secrets, keep))


def replace_secrets(
    c: sqlite3.Connection,
    app: str,
    below: str,
    secrets: Mapping[str, str],
    keep: Iterable[str],
) -> None:
    """`Secrets.replace` within a transaction that changes more."""
    kept = {*secrets, *keep}
    rows = c.execute("SELECT name FROM secrets WHERE app = ?", (app,)).fetchall()
    gone = [n for (n,) in rows if n.startswith(below) and n not in kept]
    c.executemany("DELETE FROM secrets WHERE app = ? AND name = ?", [(app, n) for n in gone])
    c.executemany(
        "INSERT INTO secrets (app, name, value) VALUES (?, ?, ?)"
        " ON CONFLICT (app, name) DO UPDATE SET value = excluded.value",
        [(app, name, value) for name, value in secrets.items()],
    )
