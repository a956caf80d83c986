"""A log or an event stream as text, NDJSON or Server-Sent Events, whichever `Accept` asks for.

What comes in: an async iterator of batches of `Item`. What goes out: a response that is flushed
as batches come. A client that leaves closes the iterator; one that stops reading is cut, so that
a stalled connection costs one buffer for a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from functools import partial
from typing import Any, Literal, TypeVar

import msgspec
from aiohttp import web

from gitdeploy.events import Entry
from gitdeploy.logs import OutputLine, event_text, output_record
from gitdeploy.web.errors import NotAcceptable

Format = Literal["text", "ndjson", "sse"]
Record = dict[str, Any]
T = TypeVar("T")

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
_BATCH = 500

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Item:
    """One element of a stream: its id, the record, and the bytes it is in the text form.

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
    batches: AsyncIterator[list[Item]],
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
        encode = _ENCODERS[form]
        beat = heartbeat if form == "sse" else None
        if form == "sse":
            await _send(request, response, f"retry: {RETRY}\n\n".encode(), stall)
        async for batch in _with_beats(request, batches, beat):
            data = b"".join(map(encode, batch)) if batch else b":\n\n"
            if data and not await _send(request, response, data, stall):
                return response
        if not _gone(request):
            await response.write_eof()
        return response
    except ConnectionError:  # the client left while we wrote
        return response
    finally:
        await _close(batches)


async def stream_bytes(
    request: web.Request,
    chunks: AsyncIterator[bytes],
    *,
    headers: Mapping[str, str] | None = None,
    stall: float = STALL,
) -> web.StreamResponse:
    """Send bytes untouched as they come, as `text/plain`; raises NotAcceptable."""
    if negotiate(request) != "text":
        await _close(chunks)
        raise _not_acceptable(request.headers.get("Accept", ""), ("text",))
    items = _map(chunks, lambda chunk: [Item("", {}, chunk)])
    return await stream(request, items, form="text", headers=headers, stall=stall)


def from_journal(
    entries: AsyncIterator[Entry],
    *,
    text: Callable[[Record], Iterable[str]] = lambda record: [event_text(record)],
) -> AsyncGenerator[list[Item], None]:
    """Records of a journal as items; `text` gives a record's lines in the text form."""

    def item(entry: Entry) -> Item:
        lines = "".join(f"{line}\n" for line in text(entry.record))
        return Item(str(entry.id), entry.record, lines.encode("utf-8", "backslashreplace"))

    return _map(_gathered(entries), lambda batch: [item(entry) for entry in batch])


def from_output(
    batches: AsyncIterator[list[OutputLine]], **bound: object
) -> AsyncGenerator[list[Item], None]:
    """Lines of output as items; `bound` are the records' fields such as app, job, run."""

    def item(line: OutputLine) -> Item:
        text = line.line if line.cut else line.line + b"\n"
        return Item(line.cursor, partial(output_record, line, **bound), text)

    return _map(batches, lambda batch: [item(line) for line in batch])


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


def _ndjson(item: Item) -> bytes:
    return _encode(item.record) + b"\n"


def _sse(item: Item) -> bytes:
    return b"id: %b\ndata: %b\n\n" % (item.id.encode(), _encode(item.record))


_ENCODERS: dict[Format, Callable[[Item], bytes]] = {
    "text": lambda item: item.text,
    "ndjson": _ndjson,
    "sse": _sse,
}


def _gone(request: web.Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


async def _with_beats(
    request: web.Request, batches: AsyncIterator[list[Item]], heartbeat: float | None
) -> AsyncIterator[list[Item]]:
    """The batches; an empty one for each `heartbeat` seconds of silence; ends with the client.

    aiohttp doesn't say that a client left while nothing is written, so it is looked for.
    """
    clock = asyncio.get_running_loop().time
    pending: asyncio.Task[list[Item]] | None = None
    last = clock()
    try:
        while not _gone(request):
            if pending is None:
                pending = asyncio.ensure_future(_next(batches))
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
            await _cancelled(pending)


async def _send(
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
                    _cut(request)
                    return False
                left = size
            writing.result()
        finally:
            if not writing.done():
                await _cancelled(writing)
    return True


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _next(batches: AsyncIterator[T]) -> T:
    return await anext(batches)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it was about to fail: nobody is left to hear of it


async def _map(
    source: AsyncIterator[T], change: Callable[[T], list[Item]]
) -> AsyncGenerator[list[Item], None]:
    try:
        async for element in source:
            yield change(element)
    finally:
        await _close(source)


async def _gathered(entries: AsyncIterator[Entry]) -> AsyncIterator[list[Entry]]:
    """Batches of what is there without waiting, so that a long journal isn't a write a record."""
    pending: asyncio.Task[Entry] | None = None
    batch: list[Entry] = []
    try:
        while True:
            pending = asyncio.ensure_future(_next(entries))
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
            await _cancelled(pending)
        await _close(entries)


async def _close(iterator: AsyncIterator[Any]) -> None:
    close: Callable[[], Awaitable[None]] | None = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
