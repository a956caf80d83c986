"""Streams over real connections: three forms, resuming, heart-beats, readers that leave or stall."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gitdeploy.errors import GitdeployError
from gitdeploy.web import streams
from gitdeploy.web.errors import NotAcceptable
from gitdeploy.web.streams import Item, negotiate, resume_id, stream
from tests.support import eventually


def accepts(value: str | None) -> str:
    headers = {} if value is None else {"Accept": value}
    return negotiate(make_mocked_request("GET", "/", headers=headers))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "text"),
        ("*/*", "text"),
        ("text/*", "text"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text"),
        ("application/x-ndjson", "ndjson"),
        ("application/*", "ndjson"),
        ("text/event-stream", "sse"),
        ("TEXT/Event-Stream; charset=utf-8", "sse"),
        ("text/event-stream;q=0.5, application/x-ndjson;q=0.9", "ndjson"),
        ("application/x-ndjson, text/event-stream", "ndjson"),
        ("text/event-stream, application/x-ndjson", "sse"),
        ("text/event-stream, */*", "sse"),
        ("text/plain;q=0, */*", "ndjson"),
        ("text/plain;q=0.1, */*;q=0.5", "ndjson"),
        ("application/json, text/plain, */*", "text"),
    ],
)
def test_accept_chooses_the_form(accept: str | None, form: str) -> None:
    assert accepts(accept) == form


@pytest.mark.parametrize(
    "accept", ["application/json", "image/*", "text/plain;q=0", "text/plain;q=x"]
)
def test_what_cannot_be_had_is_refused_with_the_three(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        accepts(accept)
    assert isinstance(caught.value, GitdeployError)
    for media in ("text/plain", "application/x-ndjson", "text/event-stream"):
        assert media in caught.value.fix


def test_the_place_to_resume_is_a_header_or_a_query() -> None:
    header = make_mocked_request("GET", "/?last_event_id=o1.e2", headers={"Last-Event-ID": "o3.e4"})
    assert resume_id(header) == "o3.e4"
    assert resume_id(make_mocked_request("GET", "/?last_event_id=o1.e2")) == "o1.e2"
    assert resume_id(make_mocked_request("GET", "/")) is None


Source = Callable[[], AsyncIterator[list[Item]]]


class Feed:
    """Batches that a test puts in; knows whether its reader let go of it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[list[Item] | None] = asyncio.Queue()
        self.closed = False

    async def batches(self) -> AsyncIterator[list[Item]]:
        try:
            while (batch := await self.queue.get()) is not None:
                yield batch
        finally:
            self.closed = True

    def put(self, *numbers: int) -> None:
        self.queue.put_nowait([Item(f"id{n}", {"n": n}, b"line %d\n" % n) for n in numbers])

    def end(self) -> None:
        self.queue.put_nowait(None)


@pytest.fixture
def feed() -> Feed:
    return Feed()


async def serve(aiohttp_client, feed: Feed, **options: float):
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, feed.batches(), **options)

    app = web.Application()
    app.router.add_get("/", handler)
    return await aiohttp_client(app)


async def test_text_arrives_as_it_comes(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed)
    async with client.get("/") as response:
        assert response.status == 200  # the headers are there before any item
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Accel-Buffering"] == "no"
        feed.put(1, 2)
        assert await response.content.readline() == b"line 1\n"
        assert await response.content.readline() == b"line 2\n"
        feed.end()
        assert await response.content.read() == b""
    assert feed.closed


async def test_ndjson_is_a_record_a_line(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed)
    feed.put(1, 2)
    feed.end()
    response = await client.get("/", headers={"Accept": "application/x-ndjson"})
    lines = (await response.read()).splitlines()
    assert [msgspec.json.decode(line) for line in lines] == [{"n": 1}, {"n": 2}]


async def test_sse_has_an_id_a_record_and_beats_in_silence(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed, heartbeat=0.05)
    async with client.get("/", headers={"Accept": "text/event-stream"}) as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b"\n\n") == b"retry: 2000\n\n"
        assert await response.content.readuntil(b"\n\n") == b":\n\n"
        feed.put(7)
        while (event := await response.content.readuntil(b"\n\n")) == b":\n\n":
            pass
        assert event == b'id: id7\ndata: {"n":7}\n\n'
        feed.end()


async def test_a_client_that_leaves_in_silence_closes_the_source(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed)
    response = await client.get("/")
    feed.put(1)
    await response.content.readline()
    response.close()
    await eventually(lambda: feed.closed)


async def test_a_reader_that_stalls_is_cut(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed, stall=0.2)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((client.host, client.port))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        big = Item("1", {}, b"x" * (1 << 20))
        for _ in range(64):
            feed.queue.put_nowait([big])
        await eventually(lambda: feed.closed)
        assert not feed.queue.empty()


async def test_a_slow_reader_that_makes_progress_is_not_cut(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed, stall=1.0)
    feed.queue.put_nowait([Item("1", {}, b"x" * (8 << 20))])
    feed.end()
    async with client.get("/") as response:
        size = 0
        while chunk := await response.content.read(1 << 18):
            size += len(chunk)
            await asyncio.sleep(0.05)
    assert size == 8 << 20


async def test_head_asks_for_the_headers_alone(aiohttp_client, feed) -> None:
    client = await serve(aiohttp_client, feed)
    response = await asyncio.wait_for(client.head("/"), 20)
    assert response.status == 200


async def test_a_source_that_fails_breaks_the_stream_off(aiohttp_client) -> None:
    async def failing() -> AsyncIterator[list[Item]]:
        yield [Item("1", {}, b"one\n")]
        raise RuntimeError("boom")

    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, failing())

    app = web.Application()
    app.router.add_get("/", handler)
    client = await aiohttp_client(app)
    response = await client.get("/")
    with pytest.raises(Exception, match="payload is not completed"):
        await response.read()


async def test_bytes_pass_untouched_as_text_alone(aiohttp_client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\xff\x00"
        yield b"\r\n"

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await streams.stream_bytes(request, chunks())
        except NotAcceptable:
            return web.Response(status=406)

    app = web.Application()
    app.router.add_get("/", handler)
    client = await aiohttp_client(app)
    assert await (await client.get("/")).read() == b"\xff\x00\r\n"
    refused = await client.get("/", headers={"Accept": "application/x-ndjson"})
    assert refused.status == 406
