"""Request bodies as a stream of pieces, inflated, bounded in size and in silence.

aiohttp undoes `Transfer-Encoding: chunked` and `Content-Encoding: gzip | deflate` while it reads,
a bounded piece at a time; its `client_max_size` doesn't count here, since nothing is collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gitdeploy.errors import Invalid, TooLarge, Unavailable

IDLE = 120.0
ACCEPTED = "gzip, deflate"
_CODINGS = frozenset({"", "identity", "gzip", "deflate"})


class BodyBroken(Invalid):
    """The body ended early, or its coding can't be undone; the client is usually gone."""


class CodingUnknown(Invalid):
    """A `Content-Encoding` that isn't read here (HTTP 415)."""


def check_coding(request: web.Request) -> None:
    """Refuse a coding that would be taken for the content itself. Raises CodingUnknown."""
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in _CODINGS:
        raise coding_unknown(coding)


def coding_unknown(coding: str) -> CodingUnknown:
    """The error for a coding that isn't read here."""
    return CodingUnknown(
        f"Content-Encoding {coding[:40]!r} isn't read here.", "Send gzip, deflate or none."
    )


async def pieces(
    request: web.Request, *, limit: int, setting: str, idle: float = IDLE
) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, at most `limit` bytes after inflating.

    Raises TooLarge naming `setting`, BodyBroken where the client leaves or sends nonsense, and
    Unavailable after `idle` seconds without a byte.
    """
    check_coding(request)
    if request.content_length is not None and request.content_length > limit:
        raise too_large(limit, setting)
    total = 0
    while True:
        try:
            async with asyncio.timeout(idle):
                piece = await request.content.readany()
        except TimeoutError as error:
            raise Unavailable(f"The request's body paused for {idle:g} s.", "Try again.") from error
        except (ConnectionError, web.RequestPayloadError, HttpProcessingError) as error:
            raise BodyBroken(
                "The request's body is cut off or its coding is broken.", "Send it again."
            ) from error
        if not piece:
            return
        total += len(piece)
        if total > limit:
            raise too_large(limit, setting)
        yield piece


async def whole(request: web.Request, *, limit: int, setting: str, idle: float = IDLE) -> bytes:
    """A body that is small enough to be held in memory; raises as `pieces` does."""
    parts = [part async for part in pieces(request, limit=limit, setting=setting, idle=idle)]
    return b"".join(parts)


def too_large(limit: int, setting: str) -> TooLarge:
    """The error for a body over its limit."""
    return TooLarge(f"The request's body is over {limit} bytes ({setting}).", "Send less at once.")
