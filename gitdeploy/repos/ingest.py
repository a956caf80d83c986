"""The pack of a push, from the request's stream into the quarantine, indexed as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from gitdeploy.repos.limits import Limits
from gitdeploy.repos.objects import Objects
from gitdeploy.repos.pack import IndexedPack, PackError, PackIndexer, PackLimits
from gitdeploy.repos.quarantine import Quarantine
from gitdeploy.repos.threads import in_thread

T = TypeVar("T")
_BATCH = 64 << 10
"""From so many bytes on the indexer's thread is given what has come."""
_HELD = 1 << 20
"""At so many bytes the sender has to wait for the indexer."""


def pack_limits(limits: Limits) -> PackLimits:
    """The indexer's part of a push's limits."""
    return PackLimits(
        max_bytes=limits.max_push_size,
        max_objects=limits.max_push_objects,
        max_object_size=limits.max_object_size,
        max_delta_depth=limits.max_delta_depth,
        max_path_length=limits.max_path_length,
        window_bytes=limits.window_bytes,
    )


async def ingest(
    chunks: AsyncIterator[bytes],
    objects: Objects,
    quarantine: Quarantine,
    limits: Limits,
    then: Callable[[IndexedPack], T],
) -> T:
    """Read the pack to its end, index it, and give it to `then` in the same thread.

    A pack that is refused is still read to its end (nothing of it is kept), so that the client
    gets its answer; twice the largest push at most. Raises PackError, and whatever the stream or
    `then` raises; the quarantine is the caller's to discard.
    """
    indexer = PackIndexer(
        quarantine.pack / "pack-incoming.pack",
        limits=pack_limits(limits),
        find_base=objects.read,
        fsck=True,
    )
    try:
        return await _feed_all(chunks, indexer, 2 * limits.max_push_size, then)
    except BaseException:
        await in_thread(indexer.abort)
        raise


async def _feed_all(
    chunks: AsyncIterator[bytes],
    indexer: PackIndexer,
    most: int,
    then: Callable[[IndexedPack], T],
) -> T:
    held: list[bytes] = []
    size = total = 0
    feeding: asyncio.Task[None] | None = None
    refused: PackError | None = None
    try:
        async for chunk in chunks:
            total += len(chunk)
            if refused is not None:
                if total > most:
                    break
                continue
            held.append(chunk)
            size += len(chunk)
            if feeding is not None and (feeding.done() or size >= _HELD):
                done, feeding = feeding, None
                try:
                    await done
                except PackError as error:
                    refused, held = error, []
                    continue
            if feeding is None and size >= _BATCH:
                work = partial(indexer.feed, b"".join(held))
                feeding = asyncio.create_task(in_thread(work), name="index-pack")
                held, size = [], 0
        if feeding is not None:
            done, feeding = feeding, None
            await done
    finally:
        if feeding is not None:  # the sender left: wait for the thread, its file goes next
            await asyncio.wait({feeding})
            if not feeding.cancelled():
                feeding.exception()
    if refused is not None:
        raise refused

    def finish() -> T:
        if held:
            indexer.feed(b"".join(held))
        pack = indexer.finish()
        try:
            return then(pack)
        finally:
            pack.close()

    return await in_thread(finish)
