"""What the pages of all apps and of all jobs show: many rows of several tables, one query each.

The rows wanted of a job are found by seeking in the primary key, so that the time doesn't grow
with how much history is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from gitdeploy.home import Kind
from gitdeploy.store.database import Database
from gitdeploy.store.occurrences import Occurrence
from gitdeploy.store.rows import to_struct

_CHUNK = 5000
"""Jobs asked for in one statement; SQLite takes 32,766 values."""
_MESSAGE = 500
"""So many characters of a commit's message are enough for its subject."""


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """An execution, as far as a list of jobs shows it."""

    app: str
    kind: Kind
    job: str
    id: str
    status: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    exit_code: int | None

    @property
    def begun_at(self) -> int:
        return self.created_at if self.started_at is None else self.started_at


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment, as far as a list shows it; `message` is only its beginning."""

    app: str
    id: str
    status: str
    commit_id: str | None
    ref: str | None
    trigger: str
    deployer: str
    message: str
    status_text: str
    received_at: int
    started_at: int | None
    ended_at: int | None
    last_success_at: int | None
    active: bool


class AppOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`past` are each job's newest executions, newest first; `newest` may be the `live` one."""

    live: Standing | None
    newest: Standing | None
    past: dict[tuple[Kind, str], list[Past]]


class SchedulerOverview(msgspec.Struct, frozen=True, kw_only=True):
    """`lost` are due times that were missed or dropped, newest first; `last` each job's newest
    run."""

    lost: list[Occurrence]
    last: dict[str, Past]


_RUN = "e.kind, e.id, e.status, e.created_at, e.started_at, e.ended_at, e.exit_code"
_PAST = "e.kind, e.job, e.id, e.status, e.created_at, e.started_at, e.ended_at, e.exit_code"
_ACTIVE = (
    "EXISTS (SELECT 1 FROM releases r WHERE r.app = d.app AND r.deployment = d.id AND r.active = 1)"
)
_STANDING = (
    "d.app, '' AS kind, '' AS job, d.id, d.status, d.received_at AS created_at, d.started_at,"
    ' d.ended_at, NULL AS exit_code, d.commit_id, d.ref, d."trigger", d.deployer,'
    f" substr(d.message, 1, {_MESSAGE}) AS message, d.status_text, d.last_success_at,"
    f" {_ACTIVE} AS active"
)
_NOTHING = (  # the first half of a union names its columns
    'NULL AS commit_id, NULL AS ref, NULL AS "trigger", NULL AS deployer, NULL AS message,'
    " NULL AS status_text, NULL AS last_success_at, 0 AS active"
)


class Overviews:
    """Reads of `executions`, `deployments` and `releases` together."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def app(self, app: str, jobs: Sequence[tuple[Kind, str]], *, most: int) -> AppOverview:
        """The live and the newest deployment, and at most `most` newest executions of each job."""
        wanted = ", ".join(["(?, ?)"] * max(1, len(jobs)))
        names = [part for job in jobs for part in job] or ["", ""]
        sql = (
            f"WITH wanted (kind, job) AS (VALUES {wanted})"  # noqa: S608 — question marks alone
            f" SELECT ? AS app, {_PAST}, {_NOTHING} FROM wanted w"
            " JOIN executions e ON e.app = ? AND e.kind = w.kind AND e.job = w.job"
            " AND e.id >= coalesce((SELECT n.id FROM executions n WHERE n.app = ?"
            " AND n.kind = w.kind AND n.job = w.job ORDER BY n.id DESC LIMIT 1 OFFSET ?), '')"
            f" UNION ALL SELECT {_STANDING} FROM deployments d WHERE d.app = ? AND (d.id ="
            " (SELECT n.id FROM deployments n WHERE n.app = ?"
            " ORDER BY n.received_at DESC, n.id LIMIT 1) OR d.id ="
            " (SELECT r.deployment FROM releases r WHERE r.app = ? AND r.active = 1))"
        )
        values = [*names, app, app, app, most - 1, app, app, app]
        rows = self._db.read(lambda c: c.execute(sql, values).fetchall())
        past: dict[tuple[Kind, str], list[Past]] = {}
        standing: list[Standing] = []
        for row in rows:
            if row["kind"]:
                past.setdefault((row["kind"], row["job"]), []).append(to_struct(Past, row))
            else:
                standing.append(_standing(row))
        for each in past.values():
            each.sort(key=lambda one: one.id, reverse=True)
        return AppOverview(
            live=next((one for one in standing if one.active), None),
            newest=max(standing, key=lambda one: one.received_at, default=None),
            past=past,
        )

    async def scheduler(
        self,
        app: str,
        jobs: Sequence[str],
        *,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> SchedulerOverview:
        """The newest runs of triggered jobs, and what was lost of the whole app: with `before`
        (due time, job) what comes behind that one."""
        wanted = ", ".join(["(?)"] * max(1, len(jobs)))
        behind = "" if before is None else " AND (due_at, job) < (?, ?)"
        sql = (
            f"WITH wanted (job) AS (VALUES {wanted})"  # noqa: S608 — question marks alone
            " SELECT o.app, o.job, o.due_at, o.state, o.run, o.note, '' AS kind, '' AS id,"
            " '' AS status, 0 AS created_at, NULL AS started_at, NULL AS ended_at,"
            # the first conditions are those of the index occurrences_lost, word by word
            " NULL AS exit_code FROM (SELECT * FROM occurrences WHERE app = ?"
            f" AND state IN ('missed', 'dropped'){behind}"
            " ORDER BY due_at DESC, job DESC LIMIT ?) o"
            f" UNION ALL SELECT e.app, e.job, 0, '', NULL, '', {_RUN} FROM wanted w"
            " JOIN executions e ON e.app = ? AND e.kind = 'triggered' AND e.job = w.job"
            " AND e.id = (SELECT max(n.id) FROM executions n WHERE n.app = ?"
            " AND n.kind = 'triggered' AND n.job = w.job)"
        )
        values = [*(jobs or [""]), app, *(before or ()), limit, app, app]
        rows = self._db.read(lambda c: c.execute(sql, values).fetchall())
        return SchedulerOverview(
            lost=sorted(
                (to_struct(Occurrence, row) for row in rows if not row["kind"]),
                key=lambda one: (one.due_at, one.job),
                reverse=True,
            ),
            last={row["job"]: to_struct(Past, row) for row in rows if row["kind"]},
        )

    async def standing(self, apps: Sequence[str]) -> dict[str, list[Standing]]:
        """By app: its live deployment and its newest one, where it has them; the newest first."""
        places = ", ".join("?" * len(apps))
        sql = (
            f"SELECT {_STANDING} FROM deployments d WHERE d.app IN ({places}) AND (d.id ="  # noqa: S608
            " (SELECT n.id FROM deployments n WHERE n.app = d.app"
            " ORDER BY n.received_at DESC, n.id LIMIT 1) OR d.id ="
            " (SELECT r.deployment FROM releases r WHERE r.app = d.app AND r.active = 1))"
            " ORDER BY d.received_at DESC"
        )
        found: dict[str, list[Standing]] = {}
        for row in self._db.read(lambda c: c.execute(sql, list(apps)).fetchall()):
            found.setdefault(row["app"], []).append(_standing(row))
        return found

    async def last_runs(self, jobs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """(app, triggered job) → the state of its newest run that has ended."""
        found: dict[tuple[str, str], str] = {}
        for start in range(0, len(jobs), _CHUNK):
            chunk = jobs[start : start + _CHUNK]
            wanted = ", ".join(["(?, ?)"] * len(chunk))
            sql = (
                f"WITH wanted (app, job) AS (VALUES {wanted})"  # noqa: S608
                " SELECT w.app, w.job, (SELECT e.status FROM executions e WHERE e.app = w.app"
                " AND e.kind = 'triggered' AND e.job = w.job AND e.ended_at IS NOT NULL"
                " ORDER BY e.id DESC LIMIT 1) AS status FROM wanted w"
            )
            names = [part for job in chunk for part in job]
            for row in self._db.read(lambda c, s=sql, n=names: c.execute(s, n).fetchall()):  # type: ignore[misc]
                if row["status"] is not None:
                    found[row["app"], row["job"]] = row["status"]
        return found


def _standing(row: sqlite3.Row) -> Standing:
    return to_struct(Standing, row, received_at=row["created_at"], active=bool(row["active"]))
