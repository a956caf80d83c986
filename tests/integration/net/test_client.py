"""Requests to real servers on loopback: answers, refusals, limits."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gitdeploy.net import LookUp, Outcome, OutgoingRequest, send, system_look_up

Start = Callable[[Callable[..., Awaitable[None]]], Awaitable[int]]


async def ask(url: str, *, allow_private: bool = True, **changes: Any) -> Outcome:
    return await send(OutgoingRequest(url=url, **changes), allow_private=allow_private)


def naming(**names: str) -> LookUp:
    """A resolver that knows these names; `_` stands for a dot."""
    table = {name.replace("_", "."): address for name, address in names.items()}

    async def look_up(host: str, port: int) -> list[str]:
        return [table[host]]

    return look_up


async def test_a_request_arrives_as_it_was_given(peer: Any) -> None:
    headers = {"X-Key": "k1", "Content-Type": "application/json"}
    outcome = await ask(peer.url("/hook?a=1%2F2"), method="POST", headers=headers, body=b'{"a": 1}')
    assert outcome.ok and outcome.status == 200 and outcome.reason == "OK"
    assert outcome.body == b"hello" and not outcome.cut and outcome.error is None
    assert dict(outcome.headers)["Content-Type"].startswith("text/plain")
    assert 0 < outcome.duration < 10
    (seen,) = peer.seen
    assert (seen.method, seen.body) == ("POST", b'{"a": 1}')
    assert seen.headers["x-key"] == "k1" and seen.headers["content-length"] == "8"
    assert seen.headers["user-agent"].startswith("gitdeploy/")
    assert seen.headers["accept-encoding"] == "identity"


async def test_nothing_of_the_environment_takes_part(
    peer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("default login ada password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert (await ask(peer.url())).ok
    assert "authorization" not in peer.seen[0].headers
    assert "content-type" not in peer.seen[0].headers


async def test_credentials_in_the_url_become_a_header_and_stay_untold(peer: Any) -> None:
    url = peer.url("/x").replace("//", "//ada:p%3Aw@")
    outcome = await ask(url)
    assert peer.seen[0].headers["authorization"] == "Basic YWRhOnA6dw=="
    assert "p:w" not in repr(outcome) and "p%3Aw" not in repr(outcome)
    await ask(url, headers={"authorization": "Bearer mine"})
    assert peer.seen[1].headers["authorization"] == "Bearer mine"


PRIVATE = (
    *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0.0.0.0"),
    *("[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"),
    *("169.254.169.254", "10.0.0.1", "100.64.0.1", "224.0.0.1"),
)


@pytest.mark.parametrize("host", PRIVATE)
async def test_a_private_address_is_refused_before_anything_is_sent(peer: Any, host: str) -> None:
    outcome = await ask(peer.url(host=host), allow_private=False, connect_timeout=2)
    assert not outcome.ok and outcome.status is None
    assert outcome.refused and outcome.error is not None
    assert "allow_private_hooks" in outcome.error
    assert peer.seen == []


async def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address(peer: Any) -> None:
    answers = ["127.0.0.1", "192.0.2.1"]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return [answers.pop(0)]

    peer.redirect("/a", "/b")
    request = OutgoingRequest(url=peer.url("/a", host="peer.example"), redirects=3)
    outcome = await send(request, allow_private=True, look_up=rebinding)
    assert outcome.ok and outcome.body == b"hello"
    assert asked == ["peer.example"]
    assert [seen.headers["host"] for seen in peer.seen] == [f"peer.example:{peer.port}"] * 2


async def test_a_redirect_is_an_answer_unless_it_is_to_be_followed(peer: Any) -> None:
    peer.redirect("/a", "/b")
    outcome = await ask(peer.url("/a"))
    assert (outcome.status, outcome.error, outcome.ok) == (302, None, False)
    assert len(peer.seen) == 1
    assert (await ask(peer.url("/a"), redirects=1)).body == b"hello"


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (302, "PUT", "PUT", b"x"),
        (307, "POST", "POST", b"x"),
        (308, "POST", "POST", b"x"),
    ],
)
async def test_a_redirect_changes_the_method_as_in_a_browser(
    peer: Any, status: int, method: str, then: str, body: bytes
) -> None:
    peer.redirect("/a", "/b", status)
    await ask(peer.url("/a"), method=method, body=b"x", redirects=3)
    assert [(s.method, s.body) for s in peer.seen] == [(method, b"x"), (then, body)]


async def test_the_fourth_redirect_is_one_too_many(peer: Any) -> None:
    for number in range(5):
        peer.redirect(f"/{number}", f"/{number + 1}")
    assert (await ask(peer.url("/2"), redirects=99)).ok
    outcome = await ask(peer.url("/1"), redirects=99)
    assert outcome.error is not None and "more than 3 times" in outcome.error
    assert len(peer.seen) == 4 + 4


async def test_headers_stay_with_their_host(peer: Any) -> None:
    peer.redirect("/same", "/b")
    peer.redirect("/away", peer.url("/b", host="localhost"))
    secret = {"Authorization": "Bearer hush", "X-Api-Key": "hush", "Accept": "text/plain"}
    await ask(peer.url("/same"), headers=secret, redirects=3)
    assert peer.seen[-1].headers["x-api-key"] == "hush"
    assert peer.seen[-1].headers["authorization"] == "Bearer hush"
    await ask(peer.url("/away"), headers=secret, redirects=3)
    assert peer.seen[-1].path == "/b" and peer.seen[-1].headers["accept"] == "text/plain"
    assert "hush" not in str(peer.seen[-1].headers)


async def test_a_redirect_into_the_private_network_is_refused(
    peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first address is held for public, so that only what the redirect leads to is judged."""
    from gitdeploy.net import addresses

    judge = addresses.refusal
    monkeypatch.setattr(addresses, "refusal", lambda a: None if a == "127.0.0.1" else judge(a))
    inside = naming(out_example="127.0.0.1", in_example="127.0.0.2")
    targets = ["http://127.0.0.2:1/", "http://[::1]:1/", "http://in.example:1/", "http://10.0.0.1/"]
    for to in (*targets, "http://169.254.169.254/latest/meta-data"):
        peer.redirect("/a", to)
        request = OutgoingRequest(url=peer.url("/a", host="out.example"), redirects=3)
        outcome = await send(request, allow_private=False, look_up=inside)
        assert outcome.refused and outcome.error is not None
        assert "allow_private_hooks" in outcome.error, outcome
    for to in ("file:///etc/passwd", "ftp://out.example/", "http://[", "//"):
        peer.redirect("/a", to)
        request = OutgoingRequest(url=peer.url("/a", host="out.example"), redirects=3)
        outcome = await send(request, allow_private=False, look_up=inside)
        assert outcome.refused and outcome.status == 302, outcome
    assert {seen.path for seen in peer.seen} == {"/a"}


async def test_a_huge_body_is_read_up_to_its_limit_and_its_start_kept(raw: Start) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    port = await raw(flood)
    outcome = await ask(f"http://127.0.0.1:{port}/", keep=1000, most=300_000)
    assert outcome.ok and outcome.cut and outcome.body == b"x" * 1000
    assert sent < 20 << 20


async def test_a_body_longer_than_what_is_kept_is_read_to_its_end(peer: Any) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"a" * 600 + b"b" * 600, status=500)

    peer.answers["/"] = answer
    outcome = await ask(peer.url(), keep=700)
    assert outcome.body == b"a" * 600 + b"b" * 100 and outcome.cut
    assert outcome.status == 500 and outcome.error is None and not outcome.ok
    assert not (await ask(peer.url(), keep=1200)).cut


async def test_a_compressed_body_is_not_blown_up(raw: Start) -> None:
    import gzip

    bomb = gzip.compress(b"0" * (50 << 20))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)

    port = await raw(answer)
    outcome = await ask(f"http://127.0.0.1:{port}/", keep=100)
    assert outcome.ok and outcome.body == bomb[:100]


async def test_a_server_that_hangs_is_left_after_the_time_limit(raw: Start) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    port = await raw(hang)
    started = time.monotonic()
    outcome = await ask(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert outcome.error == "127.0.0.1 didn't answer whole within 0.3 s."
    assert time.monotonic() - started < 5 and outcome.duration >= 0.3
    assert not outcome.refused


async def test_a_body_that_drips_for_ever_is_left_too(raw: Start) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    port = await raw(drip)
    outcome = await ask(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert outcome.status == 200 and not outcome.ok
    assert outcome.error is not None and "didn't answer whole" in outcome.error
    assert outcome.body.startswith(b"x")


async def test_a_name_whose_server_is_slow_to_take_connections_is_left(peer: Any) -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    request = OutgoingRequest(url="http://slow.example/", connect_timeout=0.2)
    outcome = await send(request, allow_private=True, look_up=never)
    assert outcome.error == "slow.example didn't take the connection within 0.2 s."


GARBAGE = [
    (b"\x00\xff garbage \r\n\r\n", "isn't HTTP"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "isn't HTTP"),
    (b"HTTP/1.1 banana\r\n\r\n", "isn't HTTP"),
    (b"HTTP/1.1 200 OK\r\nA" + b"a" * 100_000 + b": b\r\n\r\n", "isn't HTTP"),
    (b"", "ended the connection without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Len", "ended the connection without an answer"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "broke off in the middle"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "isn't HTTP|broke off"),
]


@pytest.mark.parametrize(("answer", "words"), GARBAGE)
async def test_a_server_that_answers_garbage_is_told_and_asked_once(
    raw: Start, answer: bytes, words: str
) -> None:
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    port = await raw(talk)
    outcome = await ask(f"http://127.0.0.1:{port}/", timeout=20)
    assert outcome.error is not None and re.search(words, outcome.error)
    assert not outcome.ok and not outcome.refused
    assert asked == 1


async def test_a_refused_connection_and_an_unknown_name_are_told(unused_tcp_port: int) -> None:
    outcome = await ask(f"http://127.0.0.1:{unused_tcp_port}/")
    assert outcome.error == "127.0.0.1 can't be reached: connection refused."

    async def unknown(host: str, port: int) -> list[str]:
        import socket

        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    request = OutgoingRequest(url="http://nowhere.example/")
    outcome = await send(request, allow_private=True, look_up=unknown)
    assert outcome.error == "nowhere.example isn't a name that can be found."


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example", ".", "*.invalid"])
async def test_what_can_not_be_a_name_is_told_by_the_systems_resolver(host: str) -> None:
    outcome = await ask(f"http://{host}/", allow_private=False)
    assert outcome.error == f"{host} isn't a name that can be found."
    with pytest.raises(OSError):
        await system_look_up(host, 80)


async def test_an_evil_header_never_leaves(peer: Any) -> None:
    outcome = await ask(peer.url(), headers={"X-A": "hush\r\nX-B: 1"})
    assert outcome.refused and outcome.error is not None
    assert "hush" not in outcome.error and peer.seen == []


async def test_cancelling_closes_the_connection(raw: Start) -> None:
    gone = asyncio.Event()
    came = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await reader.read()
        gone.set()

    port = await raw(hang)
    task = asyncio.create_task(ask(f"http://127.0.0.1:{port}/"))
    await asyncio.wait_for(came.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone.wait(), 10)


async def test_a_certificate_that_nobody_signed_is_refused_unless_told_otherwise(
    secure: Any,
) -> None:
    url = secure.url(scheme="https", host="peer.example")
    look_up = naming(peer_example="127.0.0.1")
    outcome = await send(OutgoingRequest(url=url), allow_private=True, look_up=look_up)
    assert outcome.error is not None and "certificate that isn't trusted: self-signed" in (
        outcome.error.replace("self signed", "self-signed")
    )
    assert secure.seen == [] and not outcome.ok
    request = OutgoingRequest(url=url, insecure_ssl=True)
    assert (await send(request, allow_private=True, look_up=look_up)).ok
    request = OutgoingRequest(url=url, insecure_ssl=True)
    assert (await send(request, allow_private=False, look_up=look_up)).refused


async def test_http_where_https_was_expected_is_told(peer: Any) -> None:
    outcome = await ask(peer.url(scheme="https"))
    assert outcome.error is not None and "doesn't speak TLS" in outcome.error


async def test_https_does_not_lead_to_http(secure: Any, peer: Any) -> None:
    secure.redirect("/a", peer.url("/b"))
    outcome = await ask(secure.url("/a", scheme="https"), insecure_ssl=True, redirects=3)
    assert outcome.error is not None and "from https to http" in outcome.error
    assert peer.seen == []


PROGRAM = """
import asyncio, sys
from gitdeploy.net import OutgoingRequest, send

async def look_up(host, port):
    return ["127.0.0.1"]

for host in ("peer.example", "other.example"):
    request = OutgoingRequest(url=f"https://{host}:{sys.argv[1]}/")
    outcome = asyncio.run(send(request, allow_private=True, look_up=look_up))
    print(outcome.status, outcome.error)
"""


async def test_a_trusted_certificate_counts_for_its_own_name_only(
    secure: Any, certificate: Path
) -> None:
    """In a process of its own: which certificates are trusted is read once, at its start."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(secure.port)),
        stdout=subprocess.PIPE,
        env={**os.environ, "SSL_CERT_FILE": str(certificate)},
    )
    out, _ = await asyncio.wait_for(child.communicate(), 60)
    right, wrong = out.decode().splitlines()
    assert right == "200 None"
    assert wrong.startswith("None other.example has a certificate that isn't trusted: Hostname")
