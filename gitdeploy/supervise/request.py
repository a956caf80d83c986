"""How a run of a triggered job was asked for."""

from __future__ import annotations

import msgspec


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`trigger` is Kudu's text, `who` the name of the token behind it, if any.

    `body` is what the script gets on its standard input. The same `key` within a day is the same
    run (Idempotency-Key). `scheduled_for` is the due time in microseconds; an `overlapping` run
    may start beside others of its job.
    """

    trigger: str
    arguments: str | None = None
    who: str = ""
    body: bytes | None = None
    key: str | None = None
    scheduled_for: int | None = None
    overlapping: bool = False
