"""Hooks out: who is told of what happens to an app."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Literal

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct

HookFormat = Literal["kudu", "cloudevents", "slack"]


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told of an event; `event` is compared without regard to case.

    `secret` signs what is sent and is never shown, `way` is the JSON of the way in by which the
    hook was made, which links in what is sent are made from.
    """

    app: str
    id: str
    event: str
    url: str
    way: str
    created_at: int
    who: str
    format: HookFormat = "kudu"
    secret: str | None = None
    insecure_ssl: bool = False


class Hooks:
    """The table `hooks`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, hook: Hook, judge: Callable[[list[Hook]], Hook | None]) -> Hook:
        """Add a hook, unless `judge` of those that the app has gives one that will do instead.

        What `judge` raises is raised here, and nothing is added.
        """

        def work(c: sqlite3.Connection) -> Hook:
            rows = c.execute("SELECT * FROM hooks WHERE app = ?", (hook.app,)).fetchall()
            there = judge([_hook(row) for row in rows])
            if there is not None:
                return there
            values = msgspec.structs.asdict(hook)
            c.execute(
                f"INSERT INTO hooks ({', '.join(values)})"  # noqa: S608
                f" VALUES ({', '.join(f':{k}' for k in values)})",
                values,
            )
            return hook

        return await self._db.write(work)

    async def get(self, app: str, hook: str) -> Hook | None:
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM hooks WHERE app = ? AND id = ?", (app, hook)
            ).fetchone()
        )
        return None if row is None else _hook(row)

    async def of_app(self, app: str) -> list[Hook]:
        """An app's hooks, oldest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM hooks WHERE app = ? ORDER BY created_at, id", (app,)
            ).fetchall()
        )
        return [_hook(row) for row in rows]

    async def secrets(self) -> list[str]:
        """Every secret, for whoever has to keep them out of logs."""
        rows = self._db.read(
            lambda c: c.execute("SELECT secret FROM hooks WHERE secret IS NOT NULL").fetchall()
        )
        return [str(row["secret"]) for row in rows]

    async def delete(self, app: str, hook: str) -> bool:
        """Remove a hook with what it was sent and what it would have been; False without it."""

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute("DELETE FROM hooks WHERE app = ? AND id = ?", (app, hook))
            return done.rowcount == 1

        return await self._db.write(work)


def _hook(row: sqlite3.Row) -> Hook:
    return to_struct(Hook, row, insecure_ssl=bool(row["insecure_ssl"]))
