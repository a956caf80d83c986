"""Sessions of pages: kept by their cookie's hash, named by a public id of their own."""

from __future__ import annotations

import secrets
import sqlite3

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct


def _new_id() -> str:
    return secrets.token_hex(8)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A signed-in browser: the token that it stands for and the token of its forms.

    `id` names it where sessions are shown; `address` and `agent` are those it was opened from.
    """

    token_id: str
    form_token: str
    created_at: int
    expires_at: int
    id: str = msgspec.field(default_factory=_new_id)
    address: str = ""
    agent: str = ""


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as it is listed; `token` is its token's name, None for the administrator's."""

    id: str
    token_id: str
    token: str | None
    created_at: int
    expires_at: int
    address: str
    agent: str


_VALID = (
    "s.expires_at > :at AND (:token IS NULL OR s.token_id = :token)"
    " AND (s.token_id = :admin OR t.expires_at > :at OR (t.id IS NOT NULL AND t.expires_at IS NULL))"
)
_FROM = f"FROM sessions s LEFT JOIN tokens t ON t.id = s.token_id WHERE {_VALID}"


class Sessions:
    """The table `sessions`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, cookie_hash: str, session: Session) -> None:
        """Keep a session; those that have expired by its creation are removed."""
        values = {"hash": cookie_hash, **msgspec.structs.asdict(session)}

        def work(c: sqlite3.Connection) -> None:
            c.execute("DELETE FROM sessions WHERE expires_at <= ?", (session.created_at,))
            c.execute(
                f"INSERT INTO sessions ({', '.join(values)})"  # noqa: S608
                f" VALUES ({', '.join(f':{key}' for key in values)})",
                values,
            )

        await self._db.write(work)

    async def get(self, cookie_hash: str, *, at: int) -> Session | None:
        """The session, unless it has expired at that time."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM sessions WHERE hash = ? AND expires_at > ?", (cookie_hash, at)
            ).fetchone()
        )
        return None if row is None else to_struct(Session, row)

    async def open(
        self, *, at: int, admin: str, token: str | None = None, limit: int, skip: int = 0
    ) -> list[OpenSession]:
        """Those that count at that time, newest first; with `token` only those of that token.

        `admin` is what sessions of the administrator's token of today stand for.
        """
        values = {"at": at, "admin": admin, "token": token, "limit": limit, "skip": skip}
        rows = self._db.read(
            lambda c: c.execute(
                f"SELECT s.*, t.name AS token {_FROM}"
                " ORDER BY s.created_at DESC, s.id LIMIT :limit OFFSET :skip",
                values,
            ).fetchall()
        )
        return [to_struct(OpenSession, row) for row in rows]

    async def delete(self, cookie_hash: str) -> None:
        await self._db.write(
            lambda c: c.execute("DELETE FROM sessions WHERE hash = ?", (cookie_hash,)) and None
        )

    async def end(
        self, *, session: str | None = None, token: str | None = None, but: str | None = None
    ) -> list[str]:
        """End the session of that id, or all; only those of `token`, never the one called `but`.

        The hashes of the cookies that don't count any more.
        """

        def work(c: sqlite3.Connection) -> list[str]:
            rows = c.execute(
                "DELETE FROM sessions WHERE (:session IS NULL OR id = :session)"
                " AND (:token IS NULL OR token_id = :token) AND (:but IS NULL OR id <> :but)"
                " RETURNING hash",
                {"session": session, "token": token, "but": but},
            ).fetchall()
            return [str(row["hash"]) for row in rows]

        return await self._db.write(work)
