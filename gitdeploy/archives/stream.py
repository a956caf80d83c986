"""A packed directory for an asynchronous writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from gitdeploy.archives.pack import pack


async def stream(directory: Path) -> AsyncGenerator[bytes, None]:
    """`pack`, each piece made in a thread; raises what it raises.

    Closing the generator, or cancelling who waits for it, waits for the piece under way.
    """
    pieces = pack(directory)
    making: asyncio.Future[bytes | None] | None = None
    try:
        while True:
            making = asyncio.ensure_future(asyncio.to_thread(next, pieces, None))
            piece = await asyncio.shield(making)
            if piece is None:
                return
            yield piece
    finally:
        if making is not None and not making.done():
            await asyncio.wait([making])
        pieces.close()
