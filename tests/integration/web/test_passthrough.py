"""A continuous job's own HTTP port, reached through the API."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

BASE = "/apps/shop/api/continuouswebjobs/web/passthrough"
PROBLEM = "application/problem+json"

# what listens is written with the standard library alone: it runs in the job's own Python
ECHO = textwrap.dedent(
    """
    import base64, hashlib, http.server, json, os, struct, time

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.headers.get("Upgrade") == "websocket":
                return self.socket()
            if self.path.startswith("/slow"):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for n in range(3):
                    self.wfile.write(b"3\\r\\nn=%d\\r\\n" % n)
                    self.wfile.flush()
                    if n == 0:
                        gate = os.path.join(os.environ["WEBJOBS_DATA_PATH"], "gate")
                        while not os.path.exists(gate):
                            time.sleep(0.01)
                self.wfile.write(b"0\\r\\n\\r\\n")
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            answer = json.dumps({
                "method": self.command, "path": self.path, "body": len(body),
                "headers": {k.lower(): v for k, v in self.headers.items()},
            }).encode()
            self.send_response(418 if "teapot" in self.path else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Set-Cookie", "a=1; Path=/; Domain=example.org; HttpOnly")
            self.send_header("Keep-Alive", "timeout=5")
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

        def socket(self):
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", accept)
            self.send_header("Sec-WebSocket-Protocol", "chat")
            self.end_headers()
            while True:
                head = self.rfile.read(2)
                size = head[1] & 127
                if size == 126:
                    size, = struct.unpack(">H", self.rfile.read(2))
                mask = self.rfile.read(4)
                data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
                opcode = head[0] & 15
                if opcode == 8:
                    self.wfile.write(b"\\x88\\x02\\x03\\xe8")
                    break
                frame = bytes([0x80 | opcode])
                frame += bytes([size]) if size < 126 else b"\\x7e" + struct.pack(">H", size)
                self.wfile.write(frame + data[::-1])
                self.wfile.flush()
            self.close_connection = True

    http.server.ThreadingHTTPServer(
        ("127.0.0.1", int(os.environ["WEBJOBS_PORT"])), Handler
    ).serve_forever()
    """
)


def bearer(client: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May run the shop's jobs, one of which listens."""
    await shop.deploy(
        {
            "App_Data/jobs/continuous/web/run.py": ECHO,
            "App_Data/jobs/continuous/deaf/run.sh": "sleep 600",
        }
    )
    token = await admin.token_for("run", apps=["shop"])

    async def listens() -> bool:
        return (await token.get(BASE)).status == 200

    await eventually(listens)
    yield token


async def test_a_request_goes_to_the_job_as_it_came(client: Client, server: Server) -> None:
    answer = await client.ask(
        "POST",
        f"{BASE}/a%20b/teapot?x=%20y&z",
        body=b"12345",
        headers={"X-Mine": "1", "Connection": "X-Hop", "X-Hop": "gone", "User-Agent": "me/1"},
    )
    assert answer.status == 418
    seen = answer.json
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/a%20b/teapot?x=%20y&z", 5)
    assert seen["headers"]["x-mine"] == "1"
    assert seen["headers"]["user-agent"] == "me/1"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-prefix"] == BASE
    assert not {"x-hop", "authorization"} & seen["headers"].keys()
    assert "Keep-Alive" not in answer.headers
    assert answer.headers["Location"] == "/elsewhere"
    assert answer.headers["Set-Cookie"] == f"a=1; HttpOnly; Path={BASE}"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox ")


async def test_every_verb_and_every_spelling_leads_there(client: Client) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert (await client.ask(method, f"{BASE}/x")).json["method"] == method
    head = await client.ask("HEAD", f"{BASE}/x")
    assert (head.status, head.body) == (200, b"")
    for older in ("jobs/continuous", "continuousjobs", "api/continuousjobs"):
        assert (await client.get(f"/apps/shop/{older}/web/passthrough/x")).json["path"] == "/x"
    assert (await client.get(BASE)).json["path"] == "/"


async def test_a_body_without_a_length_is_streamed(client: Client) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(10_000)

    async with client.session.post(
        client.url + f"{BASE}/up", data=parts(), headers=bearer(client)
    ) as answer:
        assert (await answer.json())["body"] == 1_000_000


async def test_an_answer_arrives_while_the_job_still_writes(client: Client, server: Server) -> None:
    url = client.url + f"{BASE}/slow"
    async with client.session.get(url, headers=bearer(client)) as answer:
        assert await answer.content.readexactly(3) == b"n=0"
        gate = server.home.app("shop").job_data("continuous", "web") / "gate"
        gate.touch()
        assert await answer.content.read() == b"n=1n=2"


async def test_a_web_socket_goes_through_with_its_protocol(client: Client) -> None:
    url = client.url + f"{BASE}/socket"
    async with client.session.ws_connect(
        url, headers=bearer(client), protocols=("chat", "other")
    ) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("abc")
        assert await socket.receive_str() == "cba"
        await socket.send_bytes(bytes(range(200)))
        assert await socket.receive_bytes() == bytes(reversed(range(200)))
        await socket.close()
        assert socket.close_code == 1000


async def test_a_web_socket_needs_the_scope_run(client: Client, admin: Client) -> None:
    reader = await admin.token_for("read", apps=["shop"])
    assert (await reader.get(f"{BASE}/x")).status == 200
    assert (await reader.ask("POST", f"{BASE}/x")).status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await reader.session.ws_connect(reader.url + f"{BASE}/socket", headers=bearer(reader))
    assert refused.value.status == 403


async def test_a_job_that_does_not_listen_is_a_502_with_the_reason(client: Client) -> None:
    deaf = await client.get("/apps/shop/api/continuouswebjobs/deaf/passthrough/x")
    assert deaf.status == 502
    assert deaf.headers["Content-Type"].startswith(PROBLEM)
    assert "WEBJOBS_PORT" in deaf.json["fix"]
    await client.ask("POST", "/apps/shop/api/continuouswebjobs/web/stop")
    stopped = await client.get(f"{BASE}/x")
    assert stopped.status == 502
    assert "isn't running" in stopped.json["detail"]
    missing = await client.get("/apps/shop/api/continuouswebjobs/nobody/passthrough/x")
    assert missing.status == 404


async def test_both_processes_of_a_swap_have_a_port_of_their_own(
    client: Client, shop: Site, server: Server
) -> None:
    def ports() -> dict[str, int | None]:
        return {view.job.name: view.port for view in server.supervisor.jobs("shop")}

    before = ports()
    assert None not in before.values()
    assert len(set(before.values())) == 2
    await shop.deploy({"App_Data/jobs/continuous/web/run.py": ECHO + "\n# new\n"})
    after = ports()
    assert after["deaf"] == before["deaf"]
    assert after["web"] not in (None, *before.values())
