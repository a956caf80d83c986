"""Who did what, when, from where, with which result."""

from __future__ import annotations

import msgspec

from gitdeploy.store.database import Database
from gitdeploy.store.rows import to_struct


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One write through the API or git; `at` is microseconds since the epoch."""

    at: int
    who: str
    what: str
    target: str
    address: str
    result: str


class Audit:
    """The table `audit`; only ever appended to."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, entry: AuditEntry) -> None:
        """Append an entry; it is on the disk when this returns."""
        await self._db.write(
            lambda c: (
                c.execute(
                    "INSERT INTO audit (at, who, what, target, address, result)"
                    " VALUES (:at, :who, :what, :target, :address, :result)",
                    msgspec.structs.asdict(entry),
                )
                and None
            )
        )

    async def newest(self, *, limit: int = 200) -> list[AuditEntry]:
        """The newest entries, newest first."""
        rows = self._db.read(
            lambda c: c.execute("SELECT * FROM audit ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        )
        return [to_struct(AuditEntry, row) for row in rows]
