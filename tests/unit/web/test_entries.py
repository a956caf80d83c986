"""A journal's records as elements of a stream: in batches, closed when left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gitdeploy.events import Entry
from gitdeploy.web.entries import from_journal


async def test_a_journal_becomes_items_in_batches() -> None:
    closed = False

    async def entries() -> AsyncIterator[Entry]:
        nonlocal closed
        try:
            for n in range(1200):
                yield Entry(n, {"event": "job.started", "n": n})
            await asyncio.sleep(0.05)
            yield Entry(1200, {"event": "job.stopped"})
        finally:
            closed = True

    batches = [b async for b in from_journal(entries(), text=lambda r: [r["event"], "more"])]
    items = [item for batch in batches for item in batch]
    assert [item.id for item in items] == [str(n) for n in range(1201)]
    assert items[0].text == b"job.started\nmore\n"
    assert len(batches) <= 4
    assert closed


async def test_leaving_a_journal_early_closes_it() -> None:
    closed = False

    async def entries() -> AsyncIterator[Entry]:
        nonlocal closed
        try:
            yield Entry(1, {"event": "job.started"})
            await asyncio.Event().wait()
        finally:
            closed = True

    items = from_journal(entries())
    assert [item.id for item in await anext(items)] == ["1"]
    await items.aclose()
    assert closed
