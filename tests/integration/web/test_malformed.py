"""What isn't proper HTTP, or asks for what HTTP hasn't here, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import ADMIN

HOST = "Host: localhost"
AUTH = f"Authorization: Bearer {ADMIN}"
POST = f"POST /api/tokens HTTP/1.1\r\n{HOST}\r\n{AUTH}\r\n"
CHUNKED = f"{POST}Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the server writes to its standard error."""
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    return stderr


@pytest.fixture
def options(logged: io.StringIO) -> dict[str, Any]:
    """The server's, made after its log has somewhere to go."""
    return {}


async def answer(server: Server, *pieces: str | bytes) -> tuple[int, dict[str, str], Any, bytes]:
    """Status, headers, document, and what came behind where the server closes."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for number, piece in enumerate(pieces):
        if number:
            await asyncio.sleep(0.05)  # so that they come one by one; no harm if they don't
        writer.write(piece.encode("latin-1") if isinstance(piece, str) else piece)
        await writer.drain()
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        closes = head[0].startswith("HTTP/1.0") or len(pieces) > 1
        rest = await reader.read() if closes else b""
    writer.close()
    return int(head[0].split()[1]), headers, json.loads(body), rest


@pytest.mark.parametrize(
    ("status", "names", "pieces"),
    [
        (400, "hello", ["hello\r\n\r\n"]),
        (400, "HTTPS", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]),
        (400, "HTTP/9.9", [f"GET / HTTP/9.9\r\n{HOST}\r\n\r\n"]),
        (400, "FROB /healthz", [f"FROB /healthz HTTP/1.1\r\n{HOST}\r\n\r\n"]),
        (400, "address", [f"GET http://[::1/healthz HTTP/1.1\r\n{HOST}\r\n\r\n"]),
        (400, "Host", ["GET /healthz HTTP/1.1\r\n\r\n"]),
        (400, "Bad Header", [f"GET / HTTP/1.1\r\n{HOST}\r\nBad Header: x\r\n\r\n"]),
        (400, "Content-Length", [f"{POST}Content-Length: abc\r\n\r\n"]),
        (400, "Content-Length", [f"{POST}Content-Length: -1\r\n\r\n"]),
        (400, "Content-Length", [f"{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"]),
        (
            400,
            "Transfer-Encoding",
            [f"{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        ),
        (431, "8190", [f"GET /{'a' * 9000} HTTP/1.1\r\n{HOST}\r\n\r\n"]),
        (431, "8190", [f"GET / HTTP/1.1\r\n{HOST}\r\nX: {'a' * 9000}\r\n\r\n"]),
        (
            431,
            "headers",
            [
                f"GET / HTTP/1.1\r\n{HOST}\r\n" + "".join(f"X-{n}: 1\r\n" for n in range(200)),
                "\r\n",
            ],
        ),
        (415, "'br'", [f"{POST}Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc"]),
        (415, "'zstd'", [f"{POST}Content-Encoding: zstd\r\nContent-Length: 3\r\n\r\nabc"]),
        (415, "'foo'", [f"{POST}Content-Encoding: foo\r\nContent-Length: 3\r\n\r\nabc"]),
        (400, "body", [f"{POST}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"]),
        (400, "zz", [f"{CHUNKED}zz\r\nabc\r\n"]),
        (400, "body", [f"{CHUNKED}3\r\nabc\r\n", "zz\r\n", "more\r\n"]),
        (417, "foo", [f"{POST}Expect: foo\r\nContent-Length: 2\r\n\r\n{{}}"]),
        (417, "foo", [f"POST /nothing HTTP/1.1\r\n{HOST}\r\nExpect: foo\r\n\r\n"]),
        (413, "1048576", [f"{POST}Content-Length: 5000000\r\n\r\n"]),
        (404, "path", [f"GET /nothing HTTP/1.1\r\n{HOST}\r\n\r\n"]),
        (404, "path", [f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n\r\n"]),
        (405, "DELETE", [f"DELETE /healthz HTTP/1.1\r\n{HOST}\r\n\r\n"]),
    ],
)
async def test_what_is_refused_before_a_handler_is_a_problem_document_and_no_trace_is_logged(
    server: Server,
    logged: io.StringIO,
    caplog: pytest.LogCaptureFixture,
    status: int,
    names: str,
    pieces: list[str | bytes],
) -> None:
    got, headers, document, rest = await answer(server, *pieces)
    assert got == status, document
    assert headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= document.keys()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert names in document["detail"], document
    assert "\n" not in document["detail"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["server"] == "gitdeploy"
    assert rest == b"", "one request has one answer"
    if status == 405:
        assert headers["allow"] == "GET, HEAD"
    assert document["fix"].endswith(".")
    if status == 415:
        assert headers["accept-encoding"] == "gzip, deflate"
    assert [r for r in caplog.records if r.name.startswith("aiohttp")] == []
    assert "server.ready" in logged.getvalue(), "this is where the log goes"
    assert "Traceback" not in logged.getvalue()


async def test_a_body_that_breaks_later_is_answered_at_once(server: Server) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    status, _, document, _ = await answer(server, f"{CHUNKED}3\r\nabc\r\n", "zz\r\n")
    assert (status, document["fix"]) == (400, "Send it again.")
    assert loop.time() - began < 5, "not after the time for a silent body"


async def test_a_refused_request_is_counted(server: Server) -> None:
    from gitdeploy.web import SERVICES

    await answer(server, "hello\r\n\r\n")
    application = server._runner.app  # type: ignore[union-attr]
    page = application[SERVICES].metrics.page().decode()
    assert 'requests_total{method="-",operation="none",status="400"} 1' in page


async def test_what_fails_outside_the_handlers_shows_an_id_and_no_trace(
    server: Server, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = server._runner.app  # type: ignore[union-attr]

    async def fail(_: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr(application.router, "resolve", fail)
    status, headers, document, _ = await answer(server, f"GET / HTTP/1.1\r\n{HOST}\r\n\r\n")
    assert status == 500
    assert headers["content-type"] == "application/problem+json"
    assert "secret cause" not in json.dumps(document)
    assert document["error_id"] in logged.getvalue()
    assert "the secret cause" in logged.getvalue()


async def test_an_expectation_of_http_1_0_is_passed_over(server: Server) -> None:
    head = f"POST /api/tokens HTTP/1.0\r\n{HOST}\r\n{AUTH}\r\nExpect: foo\r\n"
    status, _, document, _ = await answer(server, f"{head}Content-Length: 2\r\n\r\n{{}}")
    assert status == 400
    assert "name" in document["detail"]
