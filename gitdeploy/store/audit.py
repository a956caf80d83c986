"""Who did what, when, from where, with which result."""

from __future__ import annotations

from typing import Literal, NamedTuple

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


class Recorded(NamedTuple):
    """An entry and its number, which grows."""

    number: int
    entry: AuditEntry


_LAST = (1 << 63) - 1
# Every value once, by a step in the index each, however many entries have it.
_EACH = (
    "WITH RECURSIVE each(value) AS (SELECT min({0}) FROM audit UNION ALL"
    " SELECT (SELECT min({0}) FROM audit WHERE {0} > each.value) FROM each"
    " WHERE each.value IS NOT NULL)"
    " SELECT value FROM each WHERE value IS NOT NULL LIMIT ?"
)


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

    async def page(
        self, *, who: str | None, what: str | None, before: int = _LAST, limit: int
    ) -> list[Recorded]:
        """The newest entries of this caller and this kind (None: any) numbered below `before`."""
        asked = {"who": who, "what": what}
        given = [f"{key} = :{key} AND " for key, value in asked.items() if value is not None]
        rows = self._db.read(
            lambda c: c.execute(
                f"SELECT * FROM audit WHERE {''.join(given)} id < :before"  # noqa: S608
                " ORDER BY id DESC LIMIT :limit",
                {**asked, "before": before, "limit": limit},
            ).fetchall()
        )
        return [Recorded(row["id"], to_struct(AuditEntry, row)) for row in rows]

    async def values(self, column: Literal["who", "what"], *, limit: int = 500) -> list[str]:
        """Who or what there is in the log, sorted."""
        rows = self._db.read(lambda c: c.execute(_EACH.format(column), (limit,)).fetchall())
        return [str(row["value"]) for row in rows]
