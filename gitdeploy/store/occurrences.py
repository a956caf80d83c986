"""Due times of schedules: each is a row before its run starts, so none happens twice."""

from __future__ import annotations

import sqlite3
from typing import Literal

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct

OccurrenceState = Literal["started", "queued", "dropped", "missed"]


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one due time; `due_at` is microseconds since the epoch."""

    app: str
    job: str
    due_at: int
    state: OccurrenceState
    run: str | None = None
    note: str = ""


class Occurrences:
    """The table `occurrences`, unique by (app, job, due time)."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def claim(self, occurrence: Occurrence) -> bool:
        """Record a due time; False where somebody has it already."""
        values = msgspec.structs.asdict(occurrence)

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                "INSERT INTO occurrences (app, job, due_at, state, run, note)"
                " VALUES (:app, :job, :due_at, :state, :run, :note) ON CONFLICT DO NOTHING",
                values,
            )
            return done.rowcount == 1

        return await self._db.write(work)

    async def settle(self, occurrence: Occurrence) -> None:
        """Replace state, run and note of a due time that was claimed."""
        values = msgspec.structs.asdict(occurrence)
        await self._db.write(
            lambda c: (
                c.execute(
                    "UPDATE occurrences SET state = :state, run = :run, note = :note"
                    " WHERE app = :app AND job = :job AND due_at = :due_at",
                    values,
                )
                and None
            )
        )

    async def latest(self, app: str, job: str) -> Occurrence | None:
        """The latest due time that was dealt with, or None."""
        rows = await self.newest(app, job, limit=1)
        return rows[0] if rows else None

    async def newest(self, app: str, job: str, *, limit: int = 50) -> list[Occurrence]:
        """The latest due times, newest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM occurrences WHERE app = ? AND job = ? ORDER BY due_at DESC LIMIT ?",
                (app, job, limit),
            ).fetchall()
        )
        return [to_struct(Occurrence, row) for row in rows]

    async def queued(self, app: str, job: str) -> list[Occurrence]:
        """The due times that wait for the run before them, oldest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM occurrences WHERE app = ? AND job = ? AND state = 'queued'"
                " ORDER BY due_at",
                (app, job),
            ).fetchall()
        )
        return [to_struct(Occurrence, row) for row in rows]

    async def anchors(self) -> dict[tuple[str, str], tuple[str, int]]:
        """(app, job) → a schedule that counts from when it was first seen, and when that was."""
        rows = self._db.read(lambda c: c.execute("SELECT * FROM schedule_anchors").fetchall())
        return {(row["app"], row["job"]): (row["spelling"], row["at"]) for row in rows}

    async def put_anchor(self, app: str, job: str, spelling: str, at: int) -> None:
        """Remember when a job's schedule was first seen."""
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT INTO schedule_anchors (app, job, spelling, at) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (app, job) DO UPDATE SET spelling = excluded.spelling,"
                    " at = excluded.at",
                    (app, job, spelling, at),
                )
                and None
            )
        )

    async def prune(self, before: int) -> None:
        """Forget due times older than that."""
        await self._db.write(
            lambda c: c.execute("DELETE FROM occurrences WHERE due_at < ?", (before,)) and None
        )
