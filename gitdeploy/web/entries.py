"""Records of a journal as what `streams.stream` sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

from gitdeploy.events import Entry
from gitdeploy.logs import event_text
from gitdeploy.web.iterators import cancelled, close, following, mapped
from gitdeploy.web.streams import Item, Record

_BATCH = 500


def from_journal(
    entries: AsyncIterator[Entry],
    *,
    text: Callable[[Record], Iterable[str]] = lambda record: [event_text(record)],
) -> AsyncGenerator[list[Item], None]:
    """Records of a journal as items; `text` gives a record's lines in the text form."""

    def item(entry: Entry) -> Item:
        lines = "".join(f"{line}\n" for line in text(entry.record))
        return Item(str(entry.id), entry.record, lines.encode("utf-8", "backslashreplace"))

    return mapped(_gathered(entries), lambda batch: [item(entry) for entry in batch])


async def _gathered(entries: AsyncIterator[Entry]) -> AsyncIterator[list[Entry]]:
    """Batches of what is there without waiting, so that a long journal isn't a write a record."""
    pending: asyncio.Task[Entry] | None = None
    batch: list[Entry] = []
    try:
        while True:
            pending = asyncio.ensure_future(following(entries))
            await asyncio.sleep(0)
            if batch and (not pending.done() or len(batch) >= _BATCH):
                yield batch
                batch = []
            try:
                batch.append(await pending)
            except StopAsyncIteration:
                break
        if batch:
            yield batch
    finally:
        if pending is not None and not pending.done():
            await cancelled(pending)
        await close(entries)
