"""Which change of a push is deployed, and where it is fetched from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.web.conftest import Client, Site
from tests.integration.web.origin import Origin, served
from tests.integration.web.test_hooks_in import (
    DEPLOY,
    DEPLOYMENTS,
    SECRET,
    event,
    send,
    until_complete,
)


@pytest.fixture
def options() -> dict[str, Any]:
    return {"allow_private_fetch": True}


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[Origin]:
    async with served(tmp_path / "origin") as made:
        yield made


def bitbucket(origin: Origin, **branches: str) -> dict[str, Any]:
    """A push of Bitbucket Cloud that moved these branches to these commits."""
    changes = [
        {"new": {"type": "branch", "name": name, "target": {"hash": commit}}, "old": None}
        for name, commit in branches.items()
    ]
    return {
        "push": {"changes": changes},
        "repository": {"links": {"html": {"href": origin.url}}},
        "actor": {"display_name": "Ada"},
    }


async def test_of_several_branches_the_deployment_branch_counts(
    admin: Client, shop: Site, origin: Origin
) -> None:
    topic = origin.commit("topic", branch="topic")
    main = origin.commit("main", branch="main")
    answer = await admin.ask("POST", DEPLOY, bitbucket(origin, main=main, topic=topic))
    assert answer.status == 202, answer.body
    assert answer.json["id"] == main
    done = await until_complete(admin, answer.headers["Location"])
    assert (done["status"], done["deployer"]) == (4, "Bitbucket")
    other = await admin.ask("POST", DEPLOY, bitbucket(origin, topic=topic, more=main))
    assert other.status == 200
    assert "topic, more aren't the deployment branch (main)" in other.text


async def test_several_branches_of_which_none_is_chosen_deploy_nothing(
    admin: Client, shop: Site, origin: Origin
) -> None:
    commit = origin.commit("x", branch="a")
    answer = await admin.ask("POST", DEPLOY, bitbucket(origin, a=commit, b=commit))
    assert answer.status == 200
    assert "set the app's branch" in answer.text
    first = await admin.ask("POST", DEPLOY, bitbucket(origin, a=commit))
    assert first.status == 202
    await until_complete(admin, first.headers["Location"])
    assert (await admin.get("/api/apps/shop")).json["branch"] == "a"


async def test_nothing_fetches_from_where_it_was_fetched_last(
    admin: Client, shop: Site, origin: Origin
) -> None:
    unknown = await admin.ask("POST", DEPLOY)
    assert unknown.status == 400
    assert "wasn't fetched from anywhere" in unknown.json["detail"]
    first = origin.commit("one")
    await admin.ask("POST", DEPLOY, {"format": "basic", "url": origin.url})
    await until_complete(admin, f"{DEPLOYMENTS}/{first}")
    second = origin.commit("two")
    answer = await admin.ask("POST", DEPLOY)
    assert answer.status == 202, answer.body
    assert (await until_complete(admin, f"{DEPLOYMENTS}/{second}"))["active"]
    third = origin.commit("three")
    image = {"push_data": {"tag": "latest"}, "repository": {"repo_name": "a/b"}}
    assert (await admin.ask("POST", DEPLOY, image)).status == 202
    await until_complete(admin, f"{DEPLOYMENTS}/{third}")


async def test_the_setting_goes_before_what_a_host_says_but_not_before_an_express_url(
    admin: Client, shop: Site, origin: Origin
) -> None:
    commit = origin.commit("x")
    nowhere = "https://host.invalid/r.git"
    settings = "/apps/shop/api/settings"
    await admin.ask("POST", settings, {"RepoUrl": origin.url})
    body = {**event(origin, commit), "repository": {"clone_url": nowhere}}
    answer = await admin.ask("POST", DEPLOY, body)
    assert answer.status == 202
    assert (await until_complete(admin, answer.headers["Location"]))["status"] == 4
    commit = origin.commit("y")
    await admin.ask("POST", settings, {"RepoUrl": nowhere})
    express = {"format": "basic", "url": f"{origin.url}#main"}
    await admin.ask("POST", DEPLOY, express)
    assert (await until_complete(admin, f"{DEPLOYMENTS}/{commit}"))["status"] == 4


async def test_who_has_the_secret_alone_cannot_leave_the_repository_of_the_setting(
    admin: Client, shop: Site, origin: Origin
) -> None:
    await admin.ask("PATCH", "/api/apps/shop", {"webhook_secret": SECRET, "branch": "main"})
    await admin.ask("POST", "/apps/shop/api/settings", {"RepoUrl": origin.url})
    stranger = admin.with_token(None)
    commit = origin.commit("x")
    express = {"format": "basic", "url": "https://host.invalid/evil.git#main"}
    assert (await send(stranger, express, kind=None)).status == 202
    assert (await until_complete(admin, f"{DEPLOYMENTS}/{commit}"))["active"]


async def test_ssh_is_asked_for_in_the_address_of_the_webhook(
    admin: Client, shop: Site, origin: Origin
) -> None:
    body = event(origin, origin.commit("x"))
    without = await admin.ask("POST", f"{DEPLOY}?ssh=true", body)
    assert without.status == 400
    assert "no ssh address" in without.json["detail"]
    body["repository"]["ssh_url"] = "git@127.0.0.1:-oProxyCommand=id"
    evil = await admin.ask("POST", f"{DEPLOY}?ssh=true", body)
    assert evil.status == 400, "what looks like an option is no path"
    assert (await admin.get(DEPLOYMENTS)).json == []


async def test_a_deployment_shows_author_message_and_deployer_before_it_is_fetched(
    admin: Client, shop: Site, origin: Origin
) -> None:
    commit = origin.commit("x")
    origin.gate.clear()
    body = event(origin, commit)
    body["head_commit"] = {
        "id": commit,
        "message": "Say x\n\nat length",
        "author": {"name": "Ada", "email": "ada@example.com"},
    }
    answer = await admin.ask("POST", DEPLOY, body, headers={"X-GitHub-Event": "push"})
    assert answer.status == 202
    polled = (await admin.get(answer.headers["Location"])).json
    for shown in (answer.json, polled):
        assert shown["author"] == "Ada"
        assert shown["author_email"] == "ada@example.com"
        assert shown["message"].startswith("Say x")
        assert shown["deployer"] == "GitHub"
    origin.gate.set()
    await until_complete(admin, answer.headers["Location"])
