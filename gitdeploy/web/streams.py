"""A log or an event stream as text, NDJSON or Server-Sent Events, whichever `Accept` asks for.

What comes in: an async iterator of batches of what can be `Streamed`. What goes out: a response
that is flushed as batches come. A client that leaves closes the iterator; one that stops reading is cut, so that
a stalled connection costs one buffer for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Literal, Protocol

import msgspec
from aiohttp import web

from gitdeploy.web.errors import NotAcceptable
from gitdeploy.web.iterators import cancelled, close, following, mapped
from gitdeploy.web.revoked import is_revoked

Format = Literal["text", "ndjson", "sse"]
Record = dict[str, Any]

MEDIA: dict[Format, str] = {
    "text": "text/plain",
    "ndjson": "application/x-ndjson",
    "sse": "text/event-stream",
}
HEARTBEAT = 15.0
STALL = 60.0
RETRY = 2000
_PIECE = 1 << 18  # written at once; more only fills the transport's buffer
_GONE = 1.0  # seconds between two looks whether the client is still there
_PORTION = 1 << 17  # less waits for the rest of its batch

encode = msgspec.json.Encoder(enc_hook=str).encode


class Streamed(Protocol):
    """An element of a stream."""

    def encoded(self, form: Format) -> Iterable[bytes]:
        """What it is on the wire, in pieces that are made as they are asked for."""


class Item:
    """One record of a stream: its id, the record, and the bytes it is in the text form.

    The record may be given as a function, which the text form never calls.
    """

    __slots__ = ("_record", "id", "text")

    def __init__(self, id: str, record: Record | Callable[[], Record], text: bytes) -> None:
        self.id = id
        self.text = text
        self._record = record

    @property
    def record(self) -> Record:
        if callable(self._record):
            self._record = self._record()
        return self._record

    def encoded(self, form: Format) -> Iterable[bytes]:
        if form == "text":
            return (self.text,)
        record = encode(self.record)
        if form == "ndjson":
            return (record, b"\n")
        return (b"id: %b\ndata: %b\n\n" % (self.id.encode(), record),)


def negotiate(request: web.BaseRequest) -> Format:
    """The form that `Accept` prefers (RFC 9110, 12.5.1); text where it doesn't care.

    Ask before anything is done. Raises NotAcceptable naming the three.
    """
    accept = ",".join(request.headers.getall("Accept", ()))
    if not accept.strip():
        return "text"
    ranges = list(_ranges(accept))
    best: tuple[float, int, int] | None = None
    chosen: Format = "text"
    for name, media in MEDIA.items():
        wildcards = (media, media.partition("/")[0] + "/*", "*/*")
        # The most specific range that matches decides its q, not the greatest q.
        found = next(
            (
                (quality, -vague, -place)
                for vague, wildcard in enumerate(wildcards)
                for place, (asked, quality) in enumerate(ranges)
                if asked == wildcard
            ),
            None,
        )
        if found is not None and found[0] > 0 and (best is None or found > best):
            best, chosen = found, name
    if best is None:
        raise _not_acceptable(accept)
    return chosen


def resume_id(request: web.BaseRequest) -> str | None:
    """The id behind which the client wants to go on: `Last-Event-ID`, or `?last_event_id=`."""
    return request.headers.get("Last-Event-ID") or request.query.get("last_event_id") or None


async def stream(
    request: web.Request,
    batches: AsyncIterator[Sequence[Streamed]],
    *,
    form: Format | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    heartbeat: float = HEARTBEAT,
    stall: float = STALL,
) -> web.StreamResponse:
    """Send the items as they come, in the form that was asked for (`form`: decided before).

    `heartbeat`: seconds of silence after which SSE gets a comment. `stall`: seconds without any
    progress after which a reader is cut. Closes the iterator however it ends.
    """
    try:
        form = form or negotiate(request)
        response = _response(form, status, headers)
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        beat = heartbeat if form == "sse" else None
        if form == "sse":
            await write_all(request, response, f"retry: {RETRY}\n\n".encode(), stall)
        async for batch in _with_beats(request, batches, beat):
            for data in _portions(batch, form) if batch else (b":\n\n",):
                if not await write_all(request, response, data, stall):
                    return response
        if not _gone(request):
            await response.write_eof()
        return response
    except ConnectionError:  # the client left while we wrote
        return response
    finally:
        await close(batches)


async def stream_bytes(
    request: web.Request,
    chunks: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    stall: float = STALL,
) -> web.StreamResponse:
    """Send bytes untouched as they come, as `text/plain`; raises NotAcceptable."""
    if negotiate(request) != "text":
        await close(chunks)
        raise _not_acceptable(request.headers.get("Accept", ""), ("text",))
    items = mapped(chunks, lambda chunk: [Item("", {}, chunk)])
    return await stream(request, items, form="text", headers=headers, stall=stall)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media ranges and their q, in order; a range whose q can't be read is passed over."""
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = -1.0
        if media and 0 <= quality <= 1:
            yield media, quality


def _not_acceptable(accept: str, forms: Iterable[Format] = MEDIA) -> NotAcceptable:
    names = ", ".join(MEDIA[form] for form in forms)
    return NotAcceptable(
        f"This stream can't be had as {accept[:200]!r}.", f"Send Accept with one of: {names}."
    )


def _response(form: Format, status: int, headers: Mapping[str, str] | None) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = MEDIA[form]
    response.charset = "utf-8"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx passes each write on at once
    return response


def _portions(batch: Sequence[Streamed], form: Format) -> Iterator[bytes]:
    """What the batch is on the wire, put together to what is worth a write."""
    portion: list[bytes] = []
    size = 0
    for item in batch:
        for encoded in item.encoded(form):
            portion.append(encoded)
            size += len(encoded)
            if size >= _PORTION:
                yield b"".join(portion)
                portion, size = [], 0
    if size:
        yield b"".join(portion)


def _gone(request: web.Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


async def _with_beats(
    request: web.Request, batches: AsyncIterator[Sequence[Streamed]], heartbeat: float | None
) -> AsyncIterator[Sequence[Streamed]]:
    """The batches; an empty one for each `heartbeat` seconds of silence; ends with the client,
    and with what let the client in.

    aiohttp doesn't say that a client left while nothing is written, so it is looked for.
    """
    clock = asyncio.get_running_loop().time
    pending: asyncio.Task[Sequence[Streamed]] | None = None
    last = clock()
    try:
        while not _gone(request) and not is_revoked(request):
            if pending is None:
                pending = asyncio.ensure_future(following(batches))
            wait = _GONE if heartbeat is None else min(_GONE, max(0.0, last + heartbeat - clock()))
            done, _ = await asyncio.wait({pending}, timeout=wait)
            if done:
                try:
                    batch = pending.result()
                except StopAsyncIteration:
                    return
                finally:
                    pending = None
                if batch:
                    yield batch
                    last = clock()
            elif heartbeat is not None and clock() >= last + heartbeat:
                yield []
                last = clock()
    finally:
        if pending is not None:
            await cancelled(pending)


async def write_all(
    request: web.Request, response: web.StreamResponse, data: bytes, stall: float
) -> bool:
    """Write it all; False where the client left or took nothing for `stall` seconds."""
    for at in range(0, len(data), _PIECE):
        writing = asyncio.ensure_future(response.write(data[at : at + _PIECE]))
        try:
            left = None
            while not (await asyncio.wait({writing}, timeout=stall))[0]:
                transport = request.transport
                size = 0 if transport is None else transport.get_write_buffer_size()
                if transport is None or (left is not None and size >= left):
                    cut(request)
                    return False
                left = size
            writing.result()
        finally:
            if not writing.done():
                await cancelled(writing)
    return True


def cut(request: web.Request) -> None:
    """Break the connection off, so that the client sees that it hasn't got everything."""
    if request.transport is not None:
        request.transport.abort()
