"""The server as strangers, operators and confused clients meet it."""

from __future__ import annotations

import asyncio

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site


async def test_a_stranger_sees_that_the_server_lives_and_little_else(admin: Client) -> None:
    stranger = admin.with_token(None)
    assert (await stranger.get("/healthz")).text == "ok\n"
    ready = await stranger.get("/readyz")
    assert ready.status == 200
    assert ready.json == {"status": "ready"}, "a stranger hears no more"
    refused = await stranger.get("/api/apps")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="gitdeploy"'
    assert refused.headers["Content-Type"] == "application/problem+json"


async def test_readiness_with_a_token_has_the_details(admin: Client) -> None:
    ready = (await admin.get("/readyz")).json
    assert ready["store"] == "ok"
    assert ready["disk_free"] > 0
    assert set(ready["levels"]) == {"none", "process", "sandbox"}


async def test_a_server_that_is_stopping_says_so(server: Server, admin: Client) -> None:
    application = server._runner.app  # type: ignore[union-attr]
    from gitdeploy.web import SERVICES

    application[SERVICES].draining = True
    answer = await admin.with_token(None).get("/readyz")
    assert answer.status == 503
    assert answer.json["detail"] == "The server is stopping."
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no/such/path", 404),
        ("GET", "/api/nothing", 404),
        ("POST", "/healthz", 405),
        ("GET", "/apps/shop/api/settings/a%2fb", 400),
        ("GET", "/apps/shop/api/settings/%00", 400),
        ("GET", "/apps/shop/api/settings/a%5cb", 400),
        ("GET", "/apps/shop/api/settings/%ff", 400),
        ("GET", "/apps/shop/api/settings/MISSING", 404),
        ("GET", "/apps/shop/api/triggeredwebjobs/missing", 404),
        ("GET", "/apps/shop/api/deployments/latest", 404),
        ("POST", "/apps/shop/api/settings", 400),
        ("GET", "/apps/shop/api/continuouswebjobs/x/log?follow=perhaps", 404),
        ("GET", "/apps/shop/api/events?follow=perhaps", 400),
        ("GET", "/apps/shop/api/events?after=x", 400),
        ("GET", "/apps/other/api/settings", 404),
    ],
)
async def test_every_refusal_is_a_problem_document(
    admin: Client, shop: Site, method: str, path: str, status: int
) -> None:
    answer = await admin.ask(method, path)
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["detail"]


async def test_a_wrong_method_is_told_which_ones_there_are(admin: Client) -> None:
    answer = await admin.ask("DELETE", "/api/apps")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "GET" in answer.json["fix"]


async def test_a_bug_shows_an_id_and_no_trace(
    server: Server, admin: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr(server.store.apps, "settings", fail)
    answer = await admin.get("/apps/shop/api/settings")
    assert answer.status == 500
    assert answer.json["error_id"] in answer.json["fix"]
    assert b"secret cause" not in answer.body
    assert b"Traceback" not in answer.body


async def test_every_answer_carries_the_guarding_headers(admin: Client) -> None:
    for path in ("/healthz", "/api/apps", "/nothing", "/ui/sign-in"):
        headers = (await admin.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert "no-store" in headers["Cache-Control"]
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Server"] == "gitdeploy"


async def test_head_answers_as_get_without_a_body(admin: Client) -> None:
    answer = await admin.ask("HEAD", "/api/apps")
    assert answer.status == 200
    assert answer.body == b""
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_a_slash_at_the_end_changes_nothing(admin: Client, shop: Site) -> None:
    for path in ("/api/apps", "/healthz", "/apps/shop/api/settings", "/apps/shop/settings"):
        without, with_slash = await admin.get(path), await admin.get(path + "/")
        assert without.status == with_slash.status == 200
        assert without.body == with_slash.body


async def test_a_body_is_asked_for_only_from_who_may_send_it(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /apps/shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 500000000\r\nExpect: 100-continue\r\n\r\n"
    )
    async with asyncio.timeout(10):
        status = await reader.readline()
    assert status.startswith(b"HTTP/1.1 401")
    writer.close()


async def test_metrics_count_requests_and_name_no_app(admin: Client, shop: Site) -> None:
    await admin.get("/apps/shop/api/settings")
    page = await admin.get("/metrics")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    wanted = 'gitdeploy_http_requests_total{method="GET",operation="settings.list",status="200"} 1'
    assert wanted in page.text
    assert "gitdeploy_jobs_running" in page.text
    assert "process_resident_memory_bytes" in page.text
    assert "shop" not in page.text
    assert (await admin.with_token(None).get("/metrics")).status == 401
