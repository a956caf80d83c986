"""Request bodies as a real aiohttp server gets them over a real connection."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from gitdeploy.errors import GitdeployError, TooLarge, Unavailable
from gitdeploy.web import bodies
from tests.support import eventually


class Sink:
    """Reads bodies of at most 1000 bytes and remembers what came of it."""

    def __init__(self) -> None:
        self.port = 0
        self.got = b""
        self.failure: GitdeployError | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.got = b""
        try:
            async for piece in bodies.pieces(request, limit=1000, setting="max_thing", idle=0.3):
                self.got += piece
        except GitdeployError as error:
            self.failure = error
            return web.Response(status=400)
        return web.Response(text=str(len(self.got)))


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    app = web.Application(client_max_size=1)
    app.router.add_post("/", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = cast(Any, site._server).sockets[0].getsockname()[1]
    yield made
    await runner.cleanup()


async def post(sink: Sink, data: object, **headers: str) -> str:
    url = f"http://127.0.0.1:{sink.port}/"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=headers) as response,
    ):
        return await response.text()


async def test_exactly_the_limit_passes_and_a_byte_more_does_not(sink: Sink) -> None:
    assert await post(sink, b"x" * 1000) == "1000"
    await post(sink, b"x" * 1001)
    assert isinstance(sink.failure, TooLarge)
    assert "1000" in sink.failure.what and "max_thing" in sink.failure.what
    assert sink.got == b""  # its length said it before a byte was read


async def test_the_limit_counts_what_comes_out_of_a_coding(sink: Sink) -> None:
    assert await post(sink, gzip.compress(b"x" * 1000), **{"Content-Encoding": "gzip"}) == "1000"
    await post(sink, gzip.compress(b"x" * 100_000_000), **{"Content-Encoding": "gzip"})
    assert isinstance(sink.failure, TooLarge)
    assert len(sink.got) <= 1000


async def test_a_body_without_a_length_is_counted_too(sink: Sink) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"y" * 250

    await post(sink, pieces())
    assert isinstance(sink.failure, TooLarge)


async def test_broken_gzip_is_told(sink: Sink) -> None:
    await post(sink, b"\x1f\x8b" + b"nonsense" * 10, **{"Content-Encoding": "gzip"})
    assert isinstance(sink.failure, bodies.BodyBroken)


async def test_an_unknown_coding_is_told(sink: Sink) -> None:
    await post(sink, b"abc", **{"Content-Encoding": "compress"})
    assert isinstance(sink.failure, bodies.CodingUnknown)
    assert "compress" in sink.failure.what


async def test_silence_and_leaving_end_the_body(sink: Sink) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    _, writer = await asyncio.open_connection("127.0.0.1", sink.port)
    writer.write(head)
    await eventually(lambda: isinstance(sink.failure, Unavailable))
    writer.close()
    sink.failure = None
    _, writer = await asyncio.open_connection("127.0.0.1", sink.port)
    writer.write(head)
    await eventually(lambda: sink.got == b"half")
    writer.close()
    await eventually(lambda: isinstance(sink.failure, bodies.BodyBroken))
