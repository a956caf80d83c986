"""What has happened lately to any app, in memory, for those who look at all of them at once."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

MOST = 1000
"""Records that are kept."""

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


class Happened(NamedTuple):
    """A record, the app it is about, and its id; `app` is None where records were missed before
    it: then there is no record."""

    id: str
    app: str | None
    record: dict[str, Any]


class Recent:
    """The newest records of all apps, numbered. An id is of this server's run alone: one of an earlier
    run, or one that is too old, goes on with the word that something was missed."""

    def __init__(self, most: int = MOST) -> None:
        self._run = secrets.token_hex(4)
        self._count = 0
        self._kept: deque[Happened] = deque(maxlen=most)
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def end(self) -> str:
        """The id of the newest record."""
        return self._id(self._count)

    def add(self, app: str, record: dict[str, Any]) -> None:
        """Keep a record and wake the readers."""
        self._count += 1
        self._kept.append(Happened(self._id(self._count), app, record))
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def read(self, after: str | None = None) -> AsyncGenerator[list[Happened], None]:
        """What comes behind an id, in batches, without an end; None is from now on."""
        at: int | None = self._count if after is None else self._number(after)
        while True:
            oldest = self._count - len(self._kept)
            if at is None or at < oldest:
                at = self._count
                yield [Happened(self._id(at), None, {})]
            elif at < self._count:
                batch = list(self._kept)[at - oldest :]
                at = self._count
                yield batch
            else:
                await self._more()

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _number(self, after: str) -> int | None:
        """The place of an id; None for one that isn't of this run."""
        found = _ID.fullmatch(after)
        if found is None or found[1] != self._run or int(found[2]) > self._count:
            return None
        return int(found[2])

    async def _more(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
