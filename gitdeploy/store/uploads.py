"""What was changed over the API beside deployments: uploaded jobs, removed ones, their settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from gitdeploy.home import Kind
from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct
from gitdeploy.store.secrets import replace_secrets


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded job as it is now; `body` is the JSON of `jobs.Job`."""

    app: str
    kind: Kind
    name: str
    generation: int
    body: str
    uploaded_at: int
    who: str


class RemovedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A deployed job that was deleted: gone while `release` is the active one."""

    app: str
    kind: Kind
    name: str
    release: int


class SettingsRow(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that stand in for a job's settings.job while that has the hash `base`."""

    app: str
    kind: Kind
    name: str
    base: str
    body: str


class Uploads:
    """The tables `uploads`, `removed_jobs`, `job_settings` and `job_deletions`.

    A change and the job's secrets (those below `kind/name/`) are written together: `secrets` are
    set, those in `keep` stay, others of the job go.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    async def all(self, app: str) -> list[Upload]:
        """The app's uploaded jobs by kind and name."""
        return [to_struct(Upload, row) for row in self._rows("uploads", app)]

    async def removed(self, app: str) -> list[RemovedJob]:
        """The deployed jobs that were deleted, those of earlier releases too."""
        return [to_struct(RemovedJob, row) for row in self._rows("removed_jobs", app)]

    async def settings(self, app: str) -> list[SettingsRow]:
        """Settings given over the API, those that no longer count too."""
        return [to_struct(SettingsRow, row) for row in self._rows("job_settings", app)]

    async def put(
        self,
        upload: Upload,
        *,
        keep_settings: bool = False,
        secrets: Mapping[str, str] = {},
        keep: Iterable[str] = (),
    ) -> None:
        """Make it the job; settings given over the API are dropped unless `keep_settings`."""
        values = msgspec.structs.asdict(upload)

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO uploads (app, kind, name, generation, body, uploaded_at, who)"
                " VALUES (:app, :kind, :name, :generation, :body, :uploaded_at, :who)"
                " ON CONFLICT (app, kind, name) DO UPDATE SET generation = excluded.generation,"
                " body = excluded.body, uploaded_at = excluded.uploaded_at, who = excluded.who",
                values,
            )
            tables = ("removed_jobs",) if keep_settings else ("removed_jobs", "job_settings")
            _forget(c, tables, upload.app, upload.kind, upload.name)
            replace_secrets(c, upload.app, below(upload.kind, upload.name), secrets, keep)

        await self._db.write(work)

    async def remove(self, app: str, kind: Kind, name: str, *, release: int | None) -> None:
        """Delete a job: the uploaded one, else the deployed one while `release` is active.

        It is one of `deletions` until `Executions.forget_job`.
        """

        def work(c: sqlite3.Connection) -> None:
            gone = c.execute(
                "DELETE FROM uploads WHERE app = ? AND kind = ? AND name = ?", (app, kind, name)
            )
            _forget(c, ("job_settings", "disabled_jobs"), app, kind, name)
            replace_secrets(c, app, below(kind, name), {}, ())
            c.execute(
                "INSERT INTO job_deletions (app, kind, name) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (app, kind, name),
            )
            if gone.rowcount == 0 and release is not None:
                c.execute(
                    "INSERT INTO removed_jobs (app, kind, name, release) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (app, kind, name) DO UPDATE SET release = excluded.release",
                    (app, kind, name, release),
                )

        await self._db.write(work)

    async def deletions(self, app: str) -> list[tuple[Kind, str]]:
        """Jobs that were deleted and whose data and history aren't all gone yet."""
        return [(row["kind"], row["name"]) for row in self._rows("job_deletions", app)]

    async def put_settings(
        self, row: SettingsRow, *, secrets: Mapping[str, str] = {}, keep: Iterable[str] = ()
    ) -> None:
        """Have these settings stand in for the job's settings.job."""
        values = msgspec.structs.asdict(row)

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "INSERT INTO job_settings (app, kind, name, base, body)"
                " VALUES (:app, :kind, :name, :base, :body) ON CONFLICT (app, kind, name)"
                " DO UPDATE SET base = excluded.base, body = excluded.body",
                values,
            )
            replace_secrets(c, row.app, below(row.kind, row.name), secrets, keep)

        await self._db.write(work)

    async def drop_settings(self, app: str, kind: Kind, name: str) -> None:
        """Let the job's settings.job count again."""
        await self._db.write(lambda c: _forget(c, ("job_settings",), app, kind, name))

    def _rows(self, table: str, app: str) -> list[sqlite3.Row]:
        sql = f"SELECT * FROM {table} WHERE app = ? ORDER BY kind, name"  # noqa: S608
        rows: list[sqlite3.Row] = self._db.read(lambda c: c.execute(sql, (app,)).fetchall())
        return rows


def below(kind: Kind, name: str) -> str:
    """What the names of a job's secrets begin with."""
    return f"{kind}/{name}/"


def _forget(c: sqlite3.Connection, tables: tuple[str, ...], app: str, kind: str, name: str) -> None:
    for table in tables:
        c.execute(
            f"DELETE FROM {table} WHERE app = ? AND kind = ? AND name = ?",  # noqa: S608
            (app, kind, name),
        )
