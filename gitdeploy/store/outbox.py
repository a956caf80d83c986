"""The outbox: events on their way to hooks, and what became of each.

Rows come into being by triggers (migrations/0003_hooks.sql), in the transaction of what they tell.
"""

from __future__ import annotations

import sqlite3
from typing import Literal, NamedTuple

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct

DeliveryState = Literal["pending", "delivered", "failed"]
SubjectKind = Literal["deployment", "execution", "occurrence", "published"]

HOLDS = 3
"""A delivery keeps those behind it waiting until it has been tried this often, so that a short
outage doesn't change their order and a long one, or one bad delivery, doesn't hold up the rest."""

KEPT = 100
"""Ended deliveries that a hook's history has."""

WAITING_MOST = 10_000
"""Behind this many newer ones a delivery is forgotten, whatever its state."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one hook. Times are microseconds; `next_at` is None once it has ended.

    `status`, `reason`, `error`, `response` and `duration_ms` are those of the newest try.
    """

    app: str
    hook: str
    n: int
    id: str
    event: str
    kind: SubjectKind
    subject: str
    at: int
    state: DeliveryState = "pending"
    next_at: int | None = 0
    tries: int = 0
    first_at: int | None = None
    last_at: int | None = None
    status: int | None = None
    reason: str | None = None
    error: str | None = None
    response: str | None = None
    duration_ms: float | None = None
    redelivery_of: int | None = None


class Head(NamedTuple):
    """The delivery of a hook that is to be tried next, and when."""

    app: str
    hook: str
    n: int
    next_at: int


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """How a try went: `next_at` is None where it was the last one."""

    at: int
    state: DeliveryState
    next_at: int | None
    status: int | None
    reason: str | None
    error: str | None
    response: str | None
    duration_ms: float


_LAST = (1 << 63) - 1
_KEY = "app = :app AND hook = :hook AND n = :n"
_WAITS = "app = :app AND hook = :hook AND next_at IS NOT NULL"
_HOLDING = f"SELECT n FROM outbox WHERE {_WAITS} AND tries < :holds ORDER BY n LIMIT 1"  # noqa: S608
_OPEN = f"{_WAITS} AND n <= coalesce(:holding, n)"
_FIRST_DUE = f"SELECT n, next_at FROM outbox WHERE {_OPEN} AND next_at <= :now ORDER BY n LIMIT 1"  # noqa: S608
_SOONEST = f"SELECT n, next_at FROM outbox WHERE {_OPEN} ORDER BY next_at, n LIMIT 1"  # noqa: S608
_NEXT_HOOK = (
    "SELECT app, hook FROM outbox WHERE next_at IS NOT NULL AND (app, hook) > (?, ?)"
    " ORDER BY app, hook LIMIT 1"
)
_NUMBER = "SELECT coalesce(max(o.n), 0) + 1 FROM outbox o WHERE o.app = h.app AND o.hook = h.id"


class Outbox:
    """The table `outbox`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def heads(self, now: int) -> list[Head]:
        """One a hook that has something to send: the oldest that is due, else the next one due.

        A few steps in the index for each such hook, however much waits behind.
        """

        def work(c: sqlite3.Connection) -> list[Head]:
            heads: list[Head] = []
            hook = c.execute(_NEXT_HOOK, ("", "")).fetchone()
            while hook is not None:
                values = {"app": hook["app"], "hook": hook["hook"], "now": now, "holds": HOLDS}
                holding = c.execute(_HOLDING, values).fetchone()
                values["holding"] = None if holding is None else holding["n"]
                head = c.execute(_FIRST_DUE, values).fetchone()
                head = head or c.execute(_SOONEST, values).fetchone()
                heads.append(Head(hook["app"], hook["hook"], head["n"], head["next_at"]))
                hook = c.execute(_NEXT_HOOK, (hook["app"], hook["hook"])).fetchone()
            return sorted(heads, key=lambda head: head.next_at)

        return self._db.read(work)

    async def get(self, app: str, hook: str, n: int) -> Delivery | None:
        row = self._db.read(
            lambda c: c.execute(
                f"SELECT * FROM outbox WHERE {_KEY}",  # noqa: S608
                {"app": app, "hook": hook, "n": n},
            ).fetchone()
        )
        return None if row is None else to_struct(Delivery, row)

    async def newest(
        self, app: str, hook: str, *, limit: int = KEPT, before: int = _LAST
    ) -> list[Delivery]:
        """The newest deliveries of a hook (numbered below `before`), newest first."""
        rows = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM outbox WHERE app = ? AND hook = ? AND n < ? ORDER BY n DESC LIMIT ?",
                (app, hook, before, limit),
            ).fetchall()
        )
        return [to_struct(Delivery, row) for row in rows]

    async def last_tried(self, app: str, hook: str) -> Delivery | None:
        """The delivery whose try is the hook's newest one."""
        row = self._db.read(
            lambda c: c.execute(
                "SELECT * FROM outbox WHERE app = ? AND hook = ? AND last_at IS NOT NULL"
                " ORDER BY last_at DESC, n DESC LIMIT 1",
                (app, hook),
            ).fetchone()
        )
        return None if row is None else to_struct(Delivery, row)

    async def settle(self, delivery: Delivery, tried: Try) -> None:
        """Record a try, and forget what is too old where it was the last one."""
        key = {"app": delivery.app, "hook": delivery.hook, "n": delivery.n}
        values = {**msgspec.structs.asdict(tried), **key}

        def work(c: sqlite3.Connection) -> None:
            c.execute(
                "UPDATE outbox SET tries = tries + 1, first_at = coalesce(first_at, :at),"  # noqa: S608
                " last_at = :at, state = :state, next_at = :next_at, status = :status,"
                " reason = :reason, error = :error, response = :response,"
                f" duration_ms = :duration_ms WHERE {_KEY}",
                values,
            )
            if tried.next_at is None:
                _prune(c, delivery.app, delivery.hook)

        await self._db.write(work)

    async def publish(self, app: str, event: str, body: str, *, at: int) -> int:
        """Put an event of somebody else's into the outbox; how many hooks it goes to."""

        def work(c: sqlite3.Connection) -> int:
            done = c.execute(
                "INSERT INTO outbox (app, hook, n, id, event, kind, at, subject)"  # noqa: S608
                f" SELECT h.app, h.id, ({_NUMBER}), lower(hex(randomblob(16))), h.event,"
                " 'published', ?, ? FROM hooks h WHERE h.app = ? AND h.event = ?",
                (at, body, app, event),
            )
            return done.rowcount

        return await self._db.write(work)

    async def redeliver(self, app: str, hook: str, n: int) -> Delivery | None:
        """Send it again: at once where it still waits, else as a new delivery; None without it."""

        def work(c: sqlite3.Connection) -> Delivery | None:
            key = {"app": app, "hook": hook, "n": n}
            done = c.execute(
                f"UPDATE outbox SET next_at = 0 WHERE {_KEY} AND next_at IS NOT NULL RETURNING *",  # noqa: S608
                key,
            ).fetchone()
            if done is None:
                done = c.execute(
                    "INSERT INTO outbox"  # noqa: S608
                    " (app, hook, n, id, event, kind, at, subject, redelivery_of)"
                    f" SELECT h.app, h.id, ({_NUMBER}), s.id, s.event, s.kind, s.at, s.subject, s.n"
                    " FROM outbox s JOIN hooks h ON h.app = s.app AND h.id = s.hook"
                    " WHERE s.app = :app AND s.hook = :hook AND s.n = :n RETURNING *",
                    key,
                ).fetchone()
            return None if done is None else to_struct(Delivery, done)

        return await self._db.write(work)


def _prune(c: sqlite3.Connection, app: str, hook: str) -> None:
    """The newest `KEPT` ended ones stay, and what waits among the newest `WAITING_MOST`."""
    for condition, keep in (("AND next_at IS NULL", KEPT), ("", WAITING_MOST)):
        c.execute(
            f"DELETE FROM outbox WHERE app = :app AND hook = :hook {condition} AND n <="  # noqa: S608
            f" (SELECT n FROM outbox WHERE app = :app AND hook = :hook {condition}"
            " ORDER BY n DESC LIMIT 1 OFFSET :keep)",
            {"app": app, "hook": hook, "keep": keep},
        )
