"""The jobs that there should be, and those that somebody has stopped."""

from __future__ import annotations

import sqlite3

import msgspec

from gitdeploy.home import Kind
from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A desired job; `body` is the JSON of `jobs.Job`."""

    app: str
    kind: Kind
    name: str
    release: int
    body: str


class Jobs:
    """The tables `jobs` (written by Releases.activate) and `disabled_jobs`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def desired(self, app: str | None = None) -> list[JobRow]:
        """The desired jobs of an app, or of all."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM jobs WHERE (? IS NULL OR app = ?) ORDER BY app, kind, name",
                (app, app),
            ).fetchall()
        )
        return [to_struct(JobRow, row) for row in rows]

    async def disabled(self, app: str | None = None) -> set[tuple[str, Kind, str]]:
        """(app, kind, name) of the jobs that were stopped and stay so across restarts."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT app, kind, name FROM disabled_jobs WHERE (? IS NULL OR app = ?)",
                (app, app),
            ).fetchall()
        )
        return {(row["app"], row["kind"], row["name"]) for row in rows}

    async def set_disabled(self, app: str, kind: Kind, name: str, disabled: bool) -> None:
        """Remember that a job was stopped, or started again."""

        def work(c: sqlite3.Connection) -> None:
            if disabled:
                c.execute(
                    "INSERT INTO disabled_jobs (app, kind, name) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (app, kind, name),
                )
            else:
                c.execute(
                    "DELETE FROM disabled_jobs WHERE app = ? AND kind = ? AND name = ?",
                    (app, kind, name),
                )

        await self._db.write(work)
