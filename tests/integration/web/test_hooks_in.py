"""`POST /apps/{app}/deploy`: signed events, plain forms, and those that aren't meant."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from gitdeploy.web import SERVICES
from tests.integration.web.conftest import Answer, Client, Site
from tests.integration.web.origin import Origin, served
from tests.support import eventually

SECRET = "a-webhook-secret"
DEPLOY = "/apps/shop/deploy"
DEPLOYMENTS = "/apps/shop/api/deployments"


@pytest.fixture
def options() -> dict[str, Any]:
    return {"allow_private_fetch": True}


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[Origin]:
    async with served(tmp_path / "origin") as made:
        yield made


@pytest.fixture
async def secret(admin: Client, shop: Site) -> None:
    await admin.ask("PATCH", "/api/apps/shop", {"webhook_secret": SECRET})


def event(origin: Origin, commit: str, ref: str = "refs/heads/main") -> dict[str, Any]:
    return {
        "ref": ref,
        "before": "0" * 40,
        "after": commit,
        "deleted": commit == "0" * 40,
        "repository": {"name": "origin", "clone_url": origin.url, "private": False},
        "pusher": {"name": "ada"},
    }


async def send(
    client: Client,
    payload: Any,
    *,
    key: str | None = SECRET,
    kind: str | None = "push",
    **headers: str,
) -> Answer:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    sent = {"Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/x"}
    if kind:
        sent["X-GitHub-Event"] = kind
    if key:
        digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        sent["X-Hub-Signature-256"] = f"sha256={digest}"
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    return await client.ask("POST", DEPLOY, body, headers=sent)


async def until_complete(admin: Client, url: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        answer = await admin.get(url)
        complete = answer.status == 200 and answer.json["complete"]
        return dict(answer.json) if complete else None

    return await eventually(look)


async def test_a_signed_push_event_is_fetched_and_deployed(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    commit = origin.commit("hello")
    answer = await send(admin.with_token(None), event(origin, commit))
    assert answer.status == 202, answer.body
    assert answer.headers["Location"].endswith(f"{DEPLOYMENTS}/{commit}")
    assert (answer.json["id"], answer.json["is_temp"]) == (commit, True)
    done = await until_complete(admin, answer.headers["Location"])
    assert (done["status"], done["active"], done["trigger"]) == (4, True, "fetch")
    assert done["deployer"] == "GitHub"
    assert (shop.server.home.app("shop").current / "index.txt").read_text() == "hello"
    audit = (await admin.get("/api/audit?limit=1")).json[0]
    assert (audit["who"], audit["what"], audit["on"]) == ("webhook", "hook.deploy", "shop")


async def test_the_payload_may_be_a_form_field(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    commit = origin.commit("hello")
    body = f"payload={quote(json.dumps(event(origin, commit)))}".encode()
    answer = await send(
        admin.with_token(None), body, Content_Type="application/x-www-form-urlencoded"
    )
    assert answer.status == 202
    await until_complete(admin, answer.headers["Location"])


async def test_every_bad_signature_is_refused_in_the_same_words(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    stranger = admin.with_token(None)
    payload = event(origin, origin.commit("x"))
    answers = [
        await send(stranger, payload, key=None),
        await send(stranger, payload, key="another-secret"),
        await send(stranger, payload, key=None, X_Hub_Signature_256="sha256="),
        await send(stranger, payload, key=None, X_Hub_Signature_256="sha1=abc"),
        await stranger.ask("POST", "/apps/unknown/deploy", payload),
        await admin.ask("POST", DEPLOY, payload, headers={"X-Hub-Signature-256": "sha256=00"}),
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert (await admin.get(DEPLOYMENTS)).json == []


async def test_without_a_secret_only_a_token_deploys(
    admin: Client, shop: Site, origin: Origin
) -> None:
    payload = event(origin, origin.commit("x"))
    assert (await send(admin.with_token(None), payload, key="")).status == 401
    assert (await send(admin.with_token(None), payload, key="no secret")).status == 401
    assert (await send(await admin.token_for("run"), payload, key=None)).status == 403
    answer = await send(await admin.token_for("deploy"), payload, key=None)
    assert answer.status == 202
    await until_complete(admin, answer.headers["Location"])


async def test_guessing_signatures_is_slowed_down(admin: Client, shop: Site, secret: None) -> None:
    stranger = admin.with_token(None)
    statuses = [(await send(stranger, {}, key="guess")).status for _ in range(12)]
    assert statuses[-1] == 429


async def test_what_is_not_meant_is_answered_with_a_sentence(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    stranger = admin.with_token(None)
    commit = origin.commit("x")
    shop.write({"a.txt": "1"})
    shop.commit()  # main is there, so it is the deployment branch
    cases: list[tuple[Any, str | None, str]] = [
        ({"zen": "Keep it logically awesome."}, "ping", "works"),
        ({"action": "opened"}, "issues", "deploys nothing"),
        (event(origin, commit, "refs/heads/topic"), "push", "deployment branch (main)"),
        (event(origin, commit, "refs/tags/v1"), "push", "isn't a branch"),
        (event(origin, "0" * 40), "push", "was deleted"),
    ]
    for payload, kind, sentence in cases:
        answer = await send(stranger, payload, kind=kind)
        assert answer.status == 200, answer.body
        assert sentence in answer.text
    assert (await admin.get(DEPLOYMENTS)).json == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"payload=",
        {},
        {"repository": {}},
        {"repository": {"clone_url": "http://x/y"}},
        {"url": "ssh://-oProxyCommand=x/y"},
        {"url": "--upload-pack=x"},
        {"url": "ext::sh -c x"},
        {"url": "file:///etc/passwd"},
        {"format": "other", "url": "http://x/y"},
    ],
)
async def test_a_payload_that_cannot_be_read_is_refused(
    admin: Client, shop: Site, secret: None, payload: Any
) -> None:
    answer = await send(admin.with_token(None), payload, kind=None)
    assert answer.status == 400, answer.body
    assert answer.json["fix"]


async def test_a_delivery_counts_once(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    payload = event(origin, origin.commit("x"))
    first = await send(admin.with_token(None), payload, X_GitHub_Delivery="d-1")
    again = await send(admin.with_token(None), payload, X_GitHub_Delivery="d-1")
    assert first.status == 202
    assert again.status == 200
    assert "received before" in again.text
    done = await until_complete(admin, first.headers["Location"])
    assert done["attempt"] == 1


async def test_the_plain_form_names_a_branch_behind_the_hash(
    admin: Client, shop: Site, origin: Origin
) -> None:
    client = await admin.token_for("deploy")
    origin.commit("main")
    commit = origin.commit("topic", branch="topic")
    body = {"format": "basic", "url": f"{origin.url}#topic"}
    answer = await client.ask("POST", DEPLOY, body)
    assert answer.status == 202
    assert (await admin.get(f"{DEPLOYMENTS}/latest")).status in (200, 202)
    done = await until_complete(admin, f"{DEPLOYMENTS}/{commit}")
    assert done["ref"] == "refs/heads/topic"
    # The first branch that came in is the deployment branch now.
    assert (await admin.get("/api/apps/shop")).json["branch"] == "topic"
    other = await client.ask("POST", DEPLOY, {"format": "basic", "url": f"{origin.url}#main"})
    assert other.status == 200
    assert "isn't the deployment branch (topic)" in other.text


async def test_a_fetch_that_fails_is_a_failed_deployment(
    admin: Client, shop: Site, origin: Origin
) -> None:
    origin.commit("x")
    body = {"format": "basic", "url": f"{origin.url}#missing"}
    assert (await admin.ask("POST", DEPLOY, body)).status == 202
    done = await until_complete(admin, f"{DEPLOYMENTS}/latest")
    assert done["status"] == 3
    assert "missing" in done["status_text"]
    entries = (await admin.get(done["log_url"])).json
    assert entries[-1]["type"] == 2
    assert "missing" in entries[-1]["message"]


async def test_while_one_is_under_way_the_newest_follow_up_wins(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    stranger = admin.with_token(None)
    first = origin.commit("one")
    origin.gate.clear()
    started = await send(stranger, event(origin, first))
    assert started.status == 202
    polled = await admin.get(started.headers["Location"])
    assert (polled.status, polled.json["status"], polled.json["is_temp"]) == (202, 0, True)
    assert (await admin.get(f"{DEPLOYMENTS}/latest")).status == 202
    second = await send(stranger, event(origin, origin.commit("two")))
    commit = origin.commit("three")
    third = await send(stranger, event(origin, commit))
    assert (second.status, third.status) == (409, 409)
    assert "Retry-After" in third.headers
    origin.gate.set()
    done = await until_complete(admin, f"{DEPLOYMENTS}/{commit}")
    assert done["active"] is True
    assert (shop.server.home.app("shop").current / "index.txt").read_text() == "three"


async def test_a_body_over_the_limit_is_refused(
    admin: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["gitdeploy.web.hooks_in"], "LIMIT", 1000)
    answer = await admin.ask("POST", DEPLOY, b"x" * 2000)
    assert answer.status == 413


async def test_credentials_of_a_fetch_are_kept_until_it_is_a_deployment_and_no_longer(
    admin: Client, shop: Site, origin: Origin
) -> None:
    origin.commit("hello")
    origin.gate.clear()
    url = origin.url.replace("http://", "http://ada:open-sesame@")
    client = await admin.token_for("deploy")
    answer = await client.ask("POST", DEPLOY, {"format": "basic", "url": url})
    assert answer.status == 202
    services = shop.server._runner.app[SERVICES]  # type: ignore[union-attr]
    fact = f"fetches {services.instance}"
    assert "open-sesame" in (await services.store.fact(fact) or ""), "docs/security.md says so"
    origin.gate.set()
    done = await until_complete(admin, answer.headers["Location"])
    await eventually(lambda: services.deployer.busy("shop") is False)
    assert "open-sesame" not in (await services.store.fact(fact) or "")
    log = await admin.get(f"{DEPLOYMENTS}/{done['id']}/log")
    events = await admin.get("/apps/shop/api/events?follow=false", Accept="application/x-ndjson")
    audit = await admin.get("/api/audit")
    for shown in (answer.text, json.dumps(done), log.text, events.text, audit.text):
        assert "open-sesame" not in shown
