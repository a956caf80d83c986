"""Tokens (by their hash), and webhook deliveries that were seen."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct

Scope = Literal["read", "run", "deploy", "admin"]

_DAY = 86_400_000_000  # microseconds


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret; `apps` None means all, `expires_at` None never."""

    id: str
    name: str
    scopes: list[Scope]
    apps: list[str] | None
    expires_at: int | None
    created_at: int


class Tokens:
    """The table `tokens`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, token: Token, secret_hash: str) -> None:
        """Keep a token; `secret_hash` is the SHA-256 of the secret in hex."""
        apps = None if token.apps is None else msgspec.json.encode(token.apps).decode()
        scopes = msgspec.json.encode(token.scopes).decode()
        values = (
            token.id,
            token.name,
            secret_hash,
            scopes,
            apps,
            token.expires_at,
            token.created_at,
        )
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT INTO tokens (id, name, hash, scopes, apps, expires_at, created_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    values,
                )
                and None
            )
        )

    async def by_hash(self, secret_hash: str) -> Token | None:
        """The token with this hash, expired ones too."""
        return self._one("hash", secret_hash)

    async def get(self, token_id: str) -> Token | None:
        return self._one("id", token_id)

    async def all(self) -> list[Token]:
        """Every token, oldest first."""
        rows = self._db.read(
            lambda c: c.execute("SELECT * FROM tokens ORDER BY created_at, id").fetchall()
        )
        return [_token(row) for row in rows]

    async def delete(self, token_id: str) -> bool:
        """Remove a token and the sessions that stand for it; False where there is none."""

        def work(c: sqlite3.Connection) -> bool:
            c.execute("DELETE FROM sessions WHERE token_id = ?", (token_id,))
            return c.execute("DELETE FROM tokens WHERE id = ?", (token_id,)).rowcount == 1

        return await self._db.write(work)

    def _one(self, column: Literal["hash", "id"], value: str) -> Token | None:
        sql = f"SELECT * FROM tokens WHERE {column} = ?"  # noqa: S608
        row = self._db.read(lambda c: c.execute(sql, (value,)).fetchone())
        return None if row is None else _token(row)


class Deliveries:
    """The table `deliveries`: webhook ids that were seen within a day."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._in_hand: set[tuple[str, str]] = set()

    @asynccontextmanager
    async def taking(self, app: str, delivery: str, *, at: int) -> AsyncIterator[bool]:
        """Take a delivery in hand: True where it is new, and then it is seen once this has ended.

        One that fails within isn't seen, so that it may come again; meanwhile it isn't new.
        """
        key = (app, delivery)
        if key in self._in_hand:
            yield False
            return
        self._in_hand.add(key)
        try:
            new = not await self.seen(app, delivery, at=at)
            yield new
            if new:
                await self.first(app, delivery, at=at)
        finally:
            self._in_hand.discard(key)

    async def seen(self, app: str, delivery: str, *, at: int) -> bool:
        """Whether this id was received within the last day."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT 1 FROM deliveries WHERE app = ? AND id = ? AND received_at >= ?",
                (app, delivery, at - _DAY),
            ).fetchone()
        )
        return row is not None

    async def first(self, app: str, delivery: str, *, at: int) -> bool:
        """True exactly once per id and day."""

        def work(c: sqlite3.Connection) -> bool:
            c.execute("DELETE FROM deliveries WHERE received_at < ?", (at - _DAY,))
            done = c.execute(
                "INSERT INTO deliveries (app, id, received_at) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (app, delivery, at),
            )
            return done.rowcount == 1

        return await self._db.write(work)


def _token(row: sqlite3.Row) -> Token:
    apps = None if row["apps"] is None else msgspec.json.decode(row["apps"])
    return to_struct(Token, row, scopes=msgspec.json.decode(row["scopes"]), apps=apps)
