"""A team whose webhook deploys: fetched from another git server, really over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import Developer, Server
from tests.support import eventually, git

SECRET = "it's a secret to everybody"


@pytest.fixture
async def origin(tmp_path: Path) -> Any:
    """The team's own host: another gitdeploy, whose repository is fetched from."""
    server = Server(tmp_path / "origin", "--swap-grace", "0.5")
    await server.start()
    yield server
    await server.end()


@pytest.fixture
async def target(tmp_path: Path) -> Any:
    server = Server(tmp_path / "target", "--swap-grace", "0.5", "--allow-private-fetch", "true")
    await server.start()
    await server.call("PUT", "/api/apps/shop")
    yield server
    await server.end()


@pytest.fixture
async def team(origin: Server, tmp_path: Path) -> Developer:
    developer = Developer(tmp_path / "team", origin, app="shop")
    developer.job("triggered/report", "run.sh", "echo fetched and deployed\n")
    await developer.push("-o", "gitdeploy.deploy=skip", "deploy", "main")
    return developer


def tip(developer: Developer) -> str:
    return git("rev-parse", "HEAD", cwd=developer.path).stdout.strip()


def github(origin: Server, commit: str, ref: str = "refs/heads/main") -> bytes:
    url = origin.remote("shop")
    return json.dumps(
        {
            "ref": ref,
            "after": commit,
            "deleted": False,
            "repository": {"name": "shop", "clone_url": url, "url": url, "private": False},
            "head_commit": {"id": commit, "message": "x"},
            "pusher": {"name": "ada"},
        }
    ).encode()


def signed(body: bytes, secret: str = SECRET, **headers: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": headers.pop("delivery", "d-1"),
        "X-Hub-Signature-256": f"sha256={digest}",
        **headers,
    }


async def deployed(server: Server, commit: str) -> None:
    async def success() -> bool:
        found = await server.call(
            "GET", f"/apps/shop/api/deployments/{commit}", status=(200, 202, 404)
        )
        return bool(found.get("status") == 4 and found.get("active"))

    await eventually(success, what="the deployment succeeds")


async def test_the_plain_form_with_a_token_deploys(
    target: Server, origin: Server, team: Developer
) -> None:
    body = {"format": "basic", "url": origin.remote("shop") + "#main"}
    await target.call("POST", "/apps/shop/deploy", body, status=202)
    await deployed(target, tip(team))
    assert (await target.job("report", app="shop", kind="triggered"))["error"] is None


async def test_a_signed_github_push_deploys_and_a_replay_does_nothing(
    target: Server, origin: Server, team: Developer
) -> None:
    await target.call("PATCH", "/api/apps/shop", {"webhook_secret": SECRET})
    body = github(origin, tip(team))
    await target.call(
        "POST", "/apps/shop/deploy", body, headers=signed(body), token=None, status=202
    )
    await deployed(target, tip(team))
    await target.call(
        "POST", "/apps/shop/deploy", body, headers=signed(body), token=None, status=200
    )
    assert len(await target.call("GET", "/apps/shop/api/deployments")) == 1


async def test_a_wrong_or_missing_signature_is_401_with_one_text(
    target: Server, origin: Server, team: Developer
) -> None:
    await target.call("PATCH", "/api/apps/shop", {"webhook_secret": SECRET})
    body = github(origin, tip(team))
    wrong = signed(body, "another secret")
    missing = {k: v for k, v in signed(body).items() if k != "X-Hub-Signature-256"}
    changed = signed(body)
    texts = [
        (
            await target.call(
                "POST", "/apps/shop/deploy", data, headers=headers, token=None, status=401
            )
        )["detail"]
        for data, headers in ((body, wrong), (body, missing), (body + b" ", changed))
    ]
    assert len(set(texts)) == 1
    assert await target.call("GET", "/apps/shop/api/deployments") == []


async def test_other_branches_deletions_and_pings_do_nothing_and_say_why(
    target: Server, origin: Server, team: Developer
) -> None:
    await target.call("PATCH", "/api/apps/shop", {"webhook_secret": SECRET, "branch": "main"})
    other = github(origin, tip(team), "refs/heads/topic")
    gone = github(origin, "0" * 40)
    for number, (body, event) in enumerate(((other, "push"), (gone, "push"), (b"{}", "ping"))):
        headers = signed(body, delivery=f"d-{number}") | {"X-GitHub-Event": event}
        answer = await target.call(
            "POST", "/apps/shop/deploy", body, headers=headers, token=None, status=200
        )
        assert answer
    assert await target.call("GET", "/apps/shop/api/deployments") == []


async def test_private_addresses_are_refused_unless_allowed(
    origin: Server, team: Developer, server: Server
) -> None:
    await server.call("PUT", "/api/apps/shop")
    for url in (
        origin.remote("shop"),
        "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]/x.git",
        "file:///etc",
        "ext::sh -c id",
        "--upload-pack=id",
        "/etc",
    ):
        answer = await server.call(
            "POST",
            "/apps/shop/deploy",
            {"format": "basic", "url": url},
            status=(202, 400, 409),  # 409: it waits behind the one before
        )
        if isinstance(answer, dict) and answer.get("status") == 400:
            continue

    async def all_failed() -> bool:
        found = await server.call("GET", "/apps/shop/api/deployments")
        return all(d["status"] == 3 for d in found)

    await eventually(all_failed)
    assert git("for-each-ref", cwd=server.home / "apps/shop/repo.git").stdout == ""
