"""Executions: runs of triggered jobs and processes of continuous ones."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from gitdeploy.home import Kind
from gitdeploy.store.database import Database
from gitdeploy.store.rows import assignments, to_struct


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a job; open while `ended_at` is None.

    `process` is the JSON of sandbox.Handle (None until started); `status` is a state of
    jobs.run.RUN; a death by signal N has exit code 128 + N. `upload` is the
    generation of an uploaded job; `who` the name of the token that started it, `scheduled_for` the
    due time; an `overlapping` run may be open beside others. CPU time and memory (bytes) are those
    of the whole tree, where they are known.
    """

    app: str
    kind: Kind
    job: str
    id: str
    status: str
    instance: str
    created_at: int
    trigger: str = ""
    arguments: str | None = None
    deployment: str | None = None
    release: int | None = None
    identity: str = ""
    fence: int = 1
    process: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    exit_code: int | None = None
    error: str | None = None
    upload: int | None = None
    who: str = ""
    scheduled_for: int | None = None
    overlapping: bool = False
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    output_bytes: int | None = None


_UNLIMITED = 1 << 62
_KEY = "app = :_app AND kind = :_kind AND job = :_job AND id = :_id"


class Executions:
    """The table `executions`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, execution: Execution, *, key: str | None = None) -> bool:
        """Record an execution before it starts, and the idempotency key that it has.

        False where the id is taken, or where a triggered job's run is still open (the index
        `executions_one_run` decides, so two callers can't both win).
        """
        values = msgspec.structs.asdict(execution)

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                f"INSERT INTO executions ({', '.join(values)})"  # noqa: S608
                f" VALUES ({', '.join(f':{k}' for k in values)}) ON CONFLICT DO NOTHING",
                values,
            )
            if done.rowcount == 1 and key is not None:
                c.execute(
                    "INSERT INTO idempotency_keys (app, job, key, run, at) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (app, job, key) DO UPDATE SET run = excluded.run, at = excluded.at",
                    (execution.app, execution.job, key, execution.id, execution.created_at),
                )
            return done.rowcount == 1

        return await self._db.write(work)

    async def advance(self, execution: Execution, leave: str, enter: str, **columns: Any) -> bool:
        """Change the state; False where the execution isn't in state `leave`."""
        values = {**columns, "status": enter}
        key = {**_key(execution), "_leave": leave}

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                f"UPDATE executions SET {assignments(values)}"  # noqa: S608
                f" WHERE {_KEY} AND status = :_leave",
                {**values, **key},
            )
            return done.rowcount == 1

        return await self._db.write(work)

    async def get(self, app: str, kind: Kind, job: str, execution: str) -> Execution | None:
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM executions WHERE app = ? AND kind = ? AND job = ? AND id = ?",
                (app, kind, job, execution),
            ).fetchone()
        )
        return None if row is None else to_struct(Execution, row)

    async def by_key(self, app: str, job: str, key: str, *, since: int) -> Execution | None:
        """The run that was started with an idempotency key since then, if it is still on record."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT e.* FROM idempotency_keys k JOIN executions e ON e.app = k.app"
                " AND e.kind = 'triggered' AND e.job = k.job AND e.id = k.run"
                " WHERE k.app = ? AND k.job = ? AND k.key = ? AND k.at >= ?",
                (app, job, key, since),
            ).fetchone()
        )
        return None if row is None else to_struct(Execution, row)

    async def by_due(self, app: str, job: str, due_at: int) -> Execution | None:
        """The run that was started for a due time of a schedule."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM executions WHERE app = ? AND kind = 'triggered' AND job = ?"
                " AND scheduled_for = ?",
                (app, job, due_at),
            ).fetchone()
        )
        return None if row is None else to_struct(Execution, row)

    async def forget_job(self, app: str, kind: Kind, job: str) -> None:
        """Forget all that a job did: its executions, keys, due times and when it was first seen.

        With that its deletion has come to its end.
        """

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "DELETE FROM executions WHERE app = ? AND kind = ? AND job = ?", (app, kind, job)
            )
            c.execute(
                "DELETE FROM job_deletions WHERE app = ? AND kind = ? AND name = ?",
                (app, kind, job),
            )
            if kind == "triggered":
                for table in ("idempotency_keys", "occurrences", "schedule_anchors"):
                    c.execute(f"DELETE FROM {table} WHERE app = ? AND job = ?", (app, job))  # noqa: S608

        await self._db.write(work)

    async def forget_keys(self, before: int) -> None:
        """Forget idempotency keys that were used before then."""
        await self._db.write(
            lambda c: c.execute("DELETE FROM idempotency_keys WHERE at < ?", (before,)) and None
        )

    async def newest(self, app: str, kind: Kind, job: str, *, limit: int = 50) -> list[Execution]:
        """The newest executions of a job, newest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM executions WHERE app = ? AND kind = ? AND job = ?"
                " ORDER BY id DESC LIMIT ?",
                (app, kind, job, limit),
            ).fetchall()
        )
        return [to_struct(Execution, row) for row in rows]

    async def last_id(self, app: str, kind: Kind, job: str) -> str | None:
        """The id of a job's newest execution."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT max(id) FROM executions WHERE app = ? AND kind = ? AND job = ?",
                (app, kind, job),
            ).fetchone()
        )
        return None if row[0] is None else str(row[0])

    async def latest(self, app: str) -> dict[str, Execution]:
        """The newest run of each triggered job of an app, by job."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT e.* FROM executions e JOIN (SELECT job, max(id) AS id FROM executions"
                " WHERE app = ? AND kind = 'triggered' GROUP BY job) n"
                " ON n.job = e.job AND n.id = e.id WHERE e.app = ? AND e.kind = 'triggered'",
                (app, app),
            ).fetchall()
        )
        return {row["job"]: to_struct(Execution, row) for row in rows}

    async def open(self, instance: str) -> list[Execution]:
        """Those of an instance that haven't ended, oldest first (what a start re-adopts)."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM executions WHERE instance = ? AND ended_at IS NULL ORDER BY id",
                (instance,),
            ).fetchall()
        )
        return [to_struct(Execution, row) for row in rows]

    async def prune(
        self,
        app: str,
        kind: Kind,
        job: str,
        keep: int,
        *,
        before: int | None = None,
        most_bytes: int | None = None,
    ) -> list[str]:
        """Forget ended executions but the newest `keep`; the ids forgotten.

        Also those that ended before a time, and those behind the newest whose output together is
        `most_bytes`. The newest one always stays.
        """

        def work(c: sqlite3.Connection) -> list[str]:
            rows = c.execute(
                "SELECT id FROM (SELECT id, ended_at, row_number() OVER newest_first AS place,"
                " sum(coalesce(output_bytes, 0)) OVER newest_first AS bytes FROM executions"
                " WHERE app = :app AND kind = :kind AND job = :job AND ended_at IS NOT NULL"
                " WINDOW newest_first AS (ORDER BY id DESC))"
                " WHERE place > :keep OR (place > 1 AND (ended_at < :before OR bytes > :most))",
                {
                    "app": app,
                    "kind": kind,
                    "job": job,
                    "keep": keep,
                    "before": -1 if before is None else before,
                    "most": _UNLIMITED if most_bytes is None else most_bytes,
                },
            ).fetchall()
            ids = [row["id"] for row in rows]
            c.executemany(
                "DELETE FROM executions WHERE app = ? AND kind = ? AND job = ? AND id = ?",
                [(app, kind, job, i) for i in ids],
            )
            return ids

        return await self._db.write(work)


def _key(execution: Execution) -> dict[str, str]:
    return {
        "_app": execution.app,
        "_kind": execution.kind,
        "_job": execution.job,
        "_id": execution.id,
    }
