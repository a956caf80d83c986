"""What a job's page shows of its past: a page of runs, how many ended how, how long they took."""

from __future__ import annotations

from collections.abc import Sequence

from gitdeploy.home import Kind
from gitdeploy.store.database import Database
from gitdeploy.store.executions import Execution
from gitdeploy.store.rows import to_struct

_JOB = "app = ? AND kind = ? AND job = ?"


class History:
    """Reads the table `executions`, one job at a time, along its primary key."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def page(
        self,
        app: str,
        kind: Kind,
        job: str,
        *,
        states: Sequence[str] = (),
        before: str | None = None,
        after: str | None = None,
        limit: int = 30,
    ) -> list[Execution]:
        """At most `limit` executions of these states (none: all), newest first.

        Those next older than the id `before`, or next newer than `after`, else the newest.
        """
        condition, values = _JOB, [app, kind, job]
        if states:
            condition += f" AND status IN ({', '.join('?' * len(states))})"
            values += states
        if before is not None:
            condition += " AND id < ?"
            values.append(before)
        elif after is not None:
            condition += " AND id > ?"
            values.append(after)
        upwards = before is None and after is not None
        rows = self._db.read(
            lambda c: c.execute(
                f"SELECT * FROM executions WHERE {condition}"  # noqa: S608
                f" ORDER BY id {'ASC' if upwards else 'DESC'} LIMIT ?",
                (*values, limit),
            ).fetchall()
        )
        found = [to_struct(Execution, row) for row in rows]
        return found[::-1] if upwards else found

    async def counts(self, app: str, kind: Kind, job: str) -> dict[str, int]:
        """How many of the executions that are kept are in which state."""
        rows = self._db.read(
            lambda c: c.execute(
                f"SELECT status, count(*) FROM executions WHERE {_JOB} GROUP BY status",  # noqa: S608
                (app, kind, job),
            ).fetchall()
        )
        return {str(row[0]): int(row[1]) for row in rows}

    async def output_bytes(self, app: str, kind: Kind, job: str) -> int:
        """How much output of a job is known to be kept."""
        row = self._db.read(
            lambda c: c.execute(
                f"SELECT sum(output_bytes) FROM executions WHERE {_JOB}",  # noqa: S608
                (app, kind, job),
            ).fetchone()
        )
        return int(row[0] or 0)
