"""Who may send webhooks, and what is told of those that may not or that can't be read."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.store import StoreError
from gitdeploy.web import SERVICES
from tests.integration.web.conftest import ADMIN, Client, Site
from tests.integration.web.origin import Origin, served
from tests.integration.web.test_hooks_in import DEPLOYMENTS, event, send, until_complete

SECRET = "a-webhook-secret"
DEPLOY = "/apps/shop/deploy"


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


def plain(origin: Origin, branch: str = "main") -> dict[str, str]:
    return {"format": "basic", "url": f"{origin.url}#{branch}"}


def basic(password: str) -> dict[str, str]:
    """What a host makes of `https://$site:PASSWORD@…`."""
    encoded = base64.b64encode(f"$site:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


async def log_of(admin: Client) -> list[dict[str, Any]]:
    answer = await admin.get("/apps/shop/api/events?follow=false", Accept="application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def refusals(admin: Client) -> list[dict[str, Any]]:
    return [record for record in await log_of(admin) if record["event"] == "hook.refused"]


async def test_the_apps_secret_is_a_password_for_senders_that_sign_nothing(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    stranger = admin.with_token(None)
    commit = origin.commit("x")
    answer = await stranger.ask("POST", DEPLOY, plain(origin), headers=basic(SECRET))
    assert answer.status == 202, answer.body
    await until_complete(admin, f"{DEPLOYMENTS}/{commit}")
    for path, password in ((DEPLOY, "another"), ("/apps/other/deploy", SECRET), (DEPLOY, "")):
        wrong = await stranger.ask("POST", path, plain(origin), headers=basic(password))
        assert wrong.status == 401
    elsewhere = await stranger.ask("GET", "/apps/shop/api/settings", headers=basic(SECRET))
    assert elsewhere.status == 401
    (audited,) = [r for r in (await admin.get("/api/audit")).json if r["what"] == "hook.deploy"]
    assert audited["who"] == "webhook"


async def test_an_app_without_a_secret_has_no_password(admin: Client, shop: Site) -> None:
    for password in ("", "no secret", "None"):
        answer = await admin.with_token(None).ask("POST", DEPLOY, {}, headers=basic(password))
        assert answer.status == 401


async def test_a_token_for_the_app_may_stand_in_the_address_and_is_told_nowhere(
    admin: Client, shop: Site, origin: Origin, capfd: pytest.CaptureFixture[str]
) -> None:
    commit = origin.commit("x")
    stranger = admin.with_token(None)
    token = (await admin.token_for("deploy", apps=["shop"])).token
    answer = await stranger.ask("POST", f"{DEPLOY}?token={token}", plain(origin))
    assert answer.status == 202, answer.body
    done = await until_complete(admin, f"{DEPLOYMENTS}/{commit}")
    assert done["status"] == 4
    other = await stranger.get(f"/apps/shop/api/settings?token={token}")
    assert other.status == 401
    shown = [answer.text, json.dumps(done), json.dumps(await log_of(admin))]
    shown += [(await admin.get("/api/audit")).text, *capfd.readouterr()]
    assert token is not None
    assert not [text for text in shown if token in text]


async def test_a_token_that_may_do_more_is_refused_in_an_address(
    admin: Client, shop: Site, origin: Origin
) -> None:
    stranger = admin.with_token(None)
    everywhere = (await admin.token_for("deploy")).token
    reader = (await admin.token_for("read", apps=["shop"])).token
    statuses = {}
    for name, token in {
        "admin": ADMIN,
        "everywhere": everywhere,
        "reader": reader,
        "wrong": "gd_wrong",
        "empty": "",
    }.items():
        answer = await stranger.ask("POST", f"{DEPLOY}?token={token}", plain(origin))
        statuses[name] = answer.status
    assert statuses == {"admin": 403, "everywhere": 403, "reader": 403, "wrong": 401, "empty": 401}
    assert (await admin.get(DEPLOYMENTS)).json == []


async def test_guessing_the_secret_is_slowed_down(admin: Client, shop: Site, secret: None) -> None:
    stranger = admin.with_token(None)
    statuses = [
        (await stranger.ask("POST", DEPLOY, {}, headers=basic(f"guess {n}"))).status
        for n in range(12)
    ]
    assert statuses[-1] == 429
    right = await stranger.ask("POST", DEPLOY, {}, headers=basic(SECRET))
    assert right.status == 429, "or a guesser would see which guess was right"


async def test_what_is_refused_is_told_in_the_apps_log_with_its_cause(
    admin: Client,
    shop: Site,
    secret: None,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = admin.with_token(None)
    assert (await send(stranger, event(origin, "1" * 40), key="wrong")).status == 401
    assert (await send(stranger, b'{"ref": ')).status == 400
    assert (await send(stranger, {"hello": 1}, kind=None)).status == 400
    monkeypatch.setattr(sys.modules["gitdeploy.web.hooks_in"], "LIMIT", 1000)
    assert (await send(stranger, b"x" * 2000)).status == 413
    await admin.ask("PATCH", "/api/apps/shop", {"locked": "a feast day"})
    assert (await send(stranger, event(origin, "1" * 40))).status == 409
    told = await refusals(admin)
    assert [(r["status"], r.get("sender"), r["level"]) for r in told] == [
        (401, "github", "warning"),
        (400, "github", "warning"),
        (400, None, "warning"),
        (413, "github", "warning"),
        (409, "github", "warning"),
    ]
    for record, word in zip(
        told, ("signature", "JSON", "GitLab", "1000 bytes", "feast"), strict=True
    ):
        assert word in record["what"]
        assert record["fix"]
    assert (await admin.get(DEPLOYMENTS)).json == []


async def test_an_app_without_a_secret_says_in_its_log_what_is_missing(
    admin: Client, shop: Site
) -> None:
    assert (await send(admin.with_token(None), {}, key="guess")).status == 401
    (told,) = await refusals(admin)
    assert "no webhook_secret" in told["what"]


async def test_what_is_ignored_is_told_with_its_reason(
    admin: Client, shop: Site, secret: None
) -> None:
    await send(admin.with_token(None), {}, kind="ping", X_GitHub_Delivery="d-7")
    (told,) = [r for r in await log_of(admin) if r["event"] == "hook.ignored"]
    assert (told["sender"], told["delivery"]) == ("github", "d-7")
    assert told["reason"] == "The webhook works."


async def test_one_delivery_that_comes_ten_times_at_once_deploys_once(
    admin: Client, shop: Site, secret: None, origin: Origin
) -> None:
    payload = event(origin, origin.commit("x"))
    answers = await asyncio.gather(
        *(send(admin.with_token(None), payload, X_GitHub_Delivery="d-1") for _ in range(10))
    )
    assert sorted(answer.status for answer in answers) == [200] * 9 + [202]
    (started,) = [answer for answer in answers if answer.status == 202]
    done = await until_complete(admin, started.headers["Location"])
    assert done["attempt"] == 1


async def test_a_delivery_that_could_not_be_kept_may_come_again(
    admin: Client, shop: Site, secret: None, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = event(origin, origin.commit("x"))
    services = shop.server._runner.app[SERVICES]  # type: ignore[union-attr]

    async def full(key: str, value: str) -> None:
        raise StoreError("The disk is full.", "Free some space.")

    with monkeypatch.context() as disk:
        disk.setattr(services.store, "remember", full)
        failed = await send(admin.with_token(None), payload, X_GitHub_Delivery="d-1")
    assert failed.status == 503
    again = await send(admin.with_token(None), payload, X_GitHub_Delivery="d-1")
    assert again.status == 202
    await until_complete(admin, again.headers["Location"])
