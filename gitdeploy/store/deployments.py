"""Deployments and the releases that they left."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Any, Literal

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import assignments, to_struct

DeploymentStatus = Literal["pending", "building", "deploying", "failed", "success"]
ENDED: frozenset[str] = frozenset({"failed", "success"})


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """The newest attempt to bring a commit or a zip into effect.

    `note` is why it was deployed (again). `log_from` is the id in the deployment's journal behind which this attempt's records begin.
    """

    app: str
    id: str
    attempt: int
    status: DeploymentStatus
    received_at: int
    instance: str
    trigger: str
    status_text: str = ""
    commit_id: str | None = None
    ref: str | None = None
    author: str = ""
    author_email: str = ""
    deployer: str = ""
    message: str = ""
    note: str = ""
    pusher: str = ""
    progress: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    last_success_at: int | None = None
    release: int | None = None
    log_from: int = 0
    active: bool = False


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable release directory, `releases/{number}`."""

    app: str
    number: int
    deployment: str
    created_at: int
    commit_id: str | None = None
    tree_id: str | None = None
    environment: str | None = None
    project: str = ""
    active: bool = False
    pruned_at: int | None = None


_WITH_ACTIVE = (
    "SELECT d.*, EXISTS (SELECT 1 FROM releases r WHERE r.app = d.app"
    " AND r.deployment = d.id AND r.active = 1) AS active FROM deployments d"
)


class Deployments:
    """The table `deployments`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self, new: Deployment) -> Deployment:
        """Record a new attempt, state pending.

        A deployment of that id gets its next `attempt` and keeps `release` and
        `last_success_at`; `new.attempt` is ignored.
        """
        return await self._db.write(lambda c: _begin(c, new))

    async def begin_with_release(
        self, new: Deployment, *, tree_id: str | None
    ) -> tuple[Deployment, Release]:
        """`begin`, and take the app's next release number for it: one way to the disk for both."""

        def work(c: sqlite3.Connection) -> tuple[Deployment, Release]:
            row = _begin(c, new)
            commit = {"commit_id": new.commit_id, "tree_id": tree_id}
            return row, _add_release(c, new.app, new.id, at=new.received_at, **commit)

        return await self._db.write(work)

    async def advance(
        self,
        app: str,
        deployment: str,
        leave: DeploymentStatus,
        enter: DeploymentStatus,
        **columns: Any,
    ) -> bool:
        """Change the state; False where the deployment isn't in state `leave`."""
        values = {**columns, "status": enter}

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                f"UPDATE deployments SET {assignments(values)}"  # noqa: S608
                " WHERE app = :_app AND id = :_id AND status = :_leave",
                {**values, "_app": app, "_id": deployment, "_leave": leave},
            )
            return done.rowcount == 1

        return await self._db.write(work)

    async def update(self, app: str, deployment: str, **columns: Any) -> None:
        """Change columns that aren't the state."""
        values = {**columns, "_app": app, "_id": deployment}
        await self._db.write(
            lambda c: (
                c.execute(
                    f"UPDATE deployments SET {assignments(columns)} WHERE app = :_app AND id = :_id",  # noqa: S608
                    values,
                )
                and None
            )
        )

    async def get(self, app: str, deployment: str) -> Deployment | None:
        rows = self._db.read(
            lambda c: c.execute(
                f"{_WITH_ACTIVE} WHERE d.app = ? AND d.id = ?", (app, deployment)
            ).fetchall()
        )
        return _deployment(rows[0]) if rows else None

    async def newest(self, app: str, *, limit: int = 100) -> list[Deployment]:
        """The newest deployments by the time of their newest attempt, newest first."""
        rows = self._db.read(
            lambda c: c.execute(
                f"{_WITH_ACTIVE} WHERE d.app = ? ORDER BY d.received_at DESC, d.id LIMIT ?",
                (app, limit),
            ).fetchall()
        )
        return [_deployment(row) for row in rows]

    async def page(
        self, app: str, *, states: Collection[str] = (), skip: int = 0, limit: int = 50
    ) -> tuple[list[Deployment], int]:
        """A part of the deployments in these states (none named: in all), newest first, and how
        many there are of them."""
        only = f" AND d.status IN ({', '.join('?' * len(states))})" if states else ""

        def read(c: sqlite3.Connection) -> tuple[list[sqlite3.Row], int]:
            rows = c.execute(
                f"{_WITH_ACTIVE} WHERE d.app = ?{only}"
                " ORDER BY d.received_at DESC, d.id LIMIT ? OFFSET ?",
                (app, *states, limit, skip),
            ).fetchall()
            total = c.execute(
                f"SELECT count(*) AS n FROM deployments d WHERE d.app = ?{only}",  # noqa: S608
                (app, *states),
            ).fetchone()
            return rows, total["n"]

        rows, total = self._db.read(read)
        return [_deployment(row) for row in rows], total

    async def unfinished(self, instance: str | None = None) -> list[Deployment]:
        """Those of an instance (or of all) that haven't ended, oldest first."""
        rows = self._db.read(
            lambda c: c.execute(
                f"{_WITH_ACTIVE} WHERE d.status NOT IN ('failed', 'success')"
                " AND (? IS NULL OR d.instance = ?) ORDER BY d.received_at",
                (instance, instance),
            ).fetchall()
        )
        return [_deployment(row) for row in rows]

    async def delete(self, app: str, deployment: str) -> bool:
        """Forget a deployment that isn't active; False where there is none such."""

        def work(c: sqlite3.Connection) -> bool:
            done = c.execute(
                "DELETE FROM deployments WHERE app = ? AND id = ? AND NOT EXISTS"
                " (SELECT 1 FROM releases r WHERE r.app = deployments.app"
                " AND r.deployment = deployments.id AND r.active = 1)",
                (app, deployment),
            )
            return done.rowcount == 1

        return await self._db.write(work)

    async def prune(self, app: str, *, keep: int) -> list[str]:
        """Forget the deployments behind the newest `keep`; the ids of those that went.

        The active one stays, and so does one that hasn't ended or whose release is on the disk.
        """

        count = self._db.read(
            lambda c: c.execute(
                "SELECT count(*) AS n FROM deployments WHERE app = ?", (app,)
            ).fetchone()
        )
        if count["n"] <= keep:  # nearly always: no commit for nothing
            return []

        def work(c: sqlite3.Connection) -> list[str]:
            gone = c.execute(
                "DELETE FROM deployments WHERE app = :app AND status IN ('failed', 'success')"
                " AND id NOT IN (SELECT id FROM deployments WHERE app = :app"
                " ORDER BY received_at DESC, id LIMIT :keep)"
                " AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.app = deployments.app"
                " AND r.deployment = deployments.id AND r.pruned_at IS NULL)"
                " RETURNING id",
                {"app": app, "keep": keep},
            )
            return [row["id"] for row in gone.fetchall()]

        return await self._db.write(work)


class Releases:
    """The table `releases`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, app: str, deployment: str, *, at: int, **columns: Any) -> Release:
        """Take the app's next release number."""
        return await self._db.write(lambda c: _add_release(c, app, deployment, at=at, **columns))

    async def update(self, app: str, number: int, **columns: Any) -> None:
        """Change what the build found out (`environment`, `project`)."""
        values = {**columns, "_app": app, "_number": number}
        await self._db.write(
            lambda c: (
                c.execute(
                    f"UPDATE releases SET {assignments(columns)}"  # noqa: S608
                    " WHERE app = :_app AND number = :_number",
                    values,
                )
                and None
            )
        )

    async def get(self, app: str, number: int) -> Release | None:
        return self._one("app = ? AND number = ?", (app, number))

    async def active(self, app: str) -> Release | None:
        """The release in effect, or None before the first successful deployment."""
        return self._one("app = ? AND active = 1", (app,))

    async def tried(self, app: str, deployment: str) -> Release | None:
        """The newest release that was begun for a deployment, complete or not, kept or not."""
        return self._one("app = ? AND deployment = ?", (app, deployment))

    async def of_deployment(self, app: str, deployment: str) -> Release | None:
        """The newest release of a deployment that is still on the disk and complete."""
        return self._one(
            "app = ? AND deployment = ? AND pruned_at IS NULL"
            " AND number = (SELECT release FROM deployments d"
            " WHERE d.app = releases.app AND d.id = releases.deployment)",
            (app, deployment),
        )

    async def on_disk(self, app: str) -> list[Release]:
        """Those on the disk, newest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM releases WHERE app = ? AND pruned_at IS NULL ORDER BY number DESC",
                (app,),
            ).fetchall()
        )
        return [_release(row) for row in rows]

    async def activate(
        self, app: str, number: int, jobs: list[tuple[str, str, str]], *, at: int
    ) -> None:
        """Make a release the active one and its jobs the desired ones, in one transaction.

        `jobs` are (kind, name, body as JSON). An attempt that was too quick for its start to be
        noted has it now: `last_success_at` isn't before it.
        """

        def work(c: sqlite3.Connection) -> None:
            c.execute("UPDATE releases SET active = 0 WHERE app = ? AND active = 1", (app,))
            c.execute("UPDATE releases SET active = 1 WHERE app = ? AND number = ?", (app, number))
            c.execute(
                "UPDATE deployments SET release = ?, last_success_at = ?,"
                " started_at = coalesce(started_at, received_at) WHERE app = ? AND id ="
                " (SELECT deployment FROM releases WHERE app = ? AND number = ?)",
                (number, at, app, app, number),
            )
            c.execute("DELETE FROM jobs WHERE app = ?", (app,))
            c.executemany(
                "INSERT INTO jobs (app, kind, name, release, body) VALUES (?, ?, ?, ?, ?)",
                [(app, kind, name, number, body) for kind, name, body in jobs],
            )
            c.executemany(  # one that is back isn't being deleted any more
                "DELETE FROM job_deletions WHERE app = ? AND kind = ? AND name = ?",
                [(app, kind, name) for kind, name, _ in jobs],
            )

        await self._db.write(work)

    async def prune(self, app: str, numbers: list[int], *, at: int) -> None:
        """Mark releases as gone from the disk."""
        await self._db.write(
            lambda c: (
                c.executemany(
                    "UPDATE releases SET pruned_at = ? WHERE app = ? AND number = ? AND active = 0",
                    [(at, app, number) for number in numbers],
                )
                and None
            )
        )

    def _one(self, where: str, values: tuple[Any, ...]) -> Release | None:
        sql = f"SELECT * FROM releases WHERE {where} ORDER BY number DESC LIMIT 1"  # noqa: S608
        row = self._db.read(lambda c: c.execute(sql, values).fetchone())
        return None if row is None else _release(row)


def _begin(c: sqlite3.Connection, new: Deployment) -> Deployment:
    values = {k: v for k, v in msgspec.structs.asdict(new).items() if k != "active"}
    values["attempt"] = 1
    columns = ", ".join(values)
    places = ", ".join(f":{k}" for k in values)
    kept = ("app", "id", "attempt", "release", "last_success_at")
    again = ", ".join(f"{k} = excluded.{k}" for k in values if k not in kept)
    c.execute(
        f"INSERT INTO deployments ({columns}) VALUES ({places})"  # noqa: S608
        f" ON CONFLICT (app, id) DO UPDATE SET attempt = deployments.attempt + 1, {again}",
        values,
    )
    return _get(c, new.app, new.id)


def _add_release(
    c: sqlite3.Connection, app: str, deployment: str, *, at: int, **columns: Any
) -> Release:
    row = c.execute(
        "SELECT coalesce(max(number), 0) + 1 AS number FROM releases WHERE app = ?", (app,)
    ).fetchone()
    release = Release(
        app=app, number=row["number"], deployment=deployment, created_at=at, **columns
    )
    values = msgspec.structs.asdict(release)
    c.execute(
        f"INSERT INTO releases ({', '.join(values)})"  # noqa: S608
        f" VALUES ({', '.join(f':{k}' for k in values)})",
        values,
    )
    return release


def _get(c: sqlite3.Connection, app: str, deployment: str) -> Deployment:
    sql = f"{_WITH_ACTIVE} WHERE d.app = ? AND d.id = ?"
    return _deployment(c.execute(sql, (app, deployment)).fetchone())


def _deployment(row: sqlite3.Row) -> Deployment:
    return to_struct(Deployment, row, active=bool(row["active"]))


def _release(row: sqlite3.Row) -> Release:
    return to_struct(Release, row, active=bool(row["active"]))
