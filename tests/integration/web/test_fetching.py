"""What is accepted and waits: found by its address, bounded, gone with its app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.app import Server
from gitdeploy.web import SERVICES, Services
from gitdeploy.web.fetching import FETCHER
from tests.githost import GitHost
from tests.integration.web.conftest import ADMIN, Answer, Client, Site
from tests.support import eventually

DEPLOY = "/apps/shop/deploy"
DEPLOYMENTS = "/apps/shop/api/deployments"


@pytest.fixture
def options() -> dict[str, Any]:
    return {"allow_private_fetch": True, "fetch_retries": 3}


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    made = GitHost(tmp_path / "host")
    made.write("index.html", "one")
    made.commit()
    await made.start()
    yield made
    await made.close()


async def hook(admin: Client, url: str, commit: str) -> Answer:
    event = {
        "ref": "refs/heads/main",
        "after": commit,
        "repository": {"name": "shop", "clone_url": url, "full_name": "ada/shop"},
    }
    answer = await admin.ask("POST", DEPLOY, event, headers={"X-GitHub-Event": "push"})
    assert answer.status in (202, 409), answer.body
    return answer


async def plain(admin: Client, url: str) -> str:
    answer = await admin.ask("POST", DEPLOY, {"format": "basic", "url": f"{url}#main"})
    assert answer.status in (202, 409), answer.body
    return str(answer.headers["Location"])


async def complete(admin: Client, url: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        answer = await admin.get(url)
        return dict(answer.json) if answer.json["complete"] else None

    return await eventually(look, limit=60)


async def waits(admin: Client, url: str) -> None:
    """Until its first try has failed."""

    async def look() -> bool:
        return "Tried 1 of 4" in (await admin.get(url)).json["status_text"]

    await eventually(look)


def services_of(server: Server) -> Services:
    assert server._runner is not None
    return server._runner.app[SERVICES]


async def test_a_storm_leaves_no_more_than_a_hundred_rows(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    first = await hook(admin, host.url, "f" * 40)
    await waits(admin, first.headers["Location"])
    # what waits is asked for once more at each hook, so let the line be busy with a fetch instead
    fetcher = shop.server._runner.app[FETCHER]  # type: ignore[union-attr]
    commits = [f"{number:040x}" for number in range(1, 181)]
    await asyncio.gather(*(hook(admin, host.url, commit) for commit in commits))
    last = host.commit("the last one")
    await host.start()
    await complete(admin, (await hook(admin, host.url, last)).headers["Location"])
    await eventually(lambda: fetcher.under_way("shop") is None)
    rows = (await admin.get(DEPLOYMENTS)).json
    assert len(rows) <= 100
    assert [row["id"] for row in rows if row["active"]] == [last]
    logs = list((shop.server.home.app("shop").root / "deployments").iterdir())
    assert len(logs) <= 101


async def test_the_ids_of_plain_hooks_lead_to_what_was_deployed(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    given = [await plain(admin, host.url)]
    await waits(admin, given[0])
    given += [await plain(admin, host.url) for _ in range(5)]
    assert len(set(given)) == 6
    for url in given[1:]:
        answer = await admin.get(url)
        assert (answer.status, answer.json["is_temp"]) in ((202, True), (200, False))
    commit = host.commit()
    await host.start()
    given.append(await plain(admin, host.url))
    for url in given[-2:]:
        done = await complete(admin, url)
        assert (done["id"], done["status"]) == (commit, 4)
    for url in given:
        assert (await admin.get(url)).status == 200
        assert (await admin.get(f"{url}/log")).status == 200


async def test_a_superseded_commit_that_is_sent_again_is_deployed(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    nowhere = host.url.replace("shop", "nothing")
    await waits(admin, (await hook(admin, nowhere, "1" * 40)).headers["Location"])
    commit = host.commit()
    skipped = (await hook(admin, nowhere, commit)).headers["Location"]
    newer = (await hook(admin, nowhere, "2" * 40)).headers["Location"]
    failed = await complete(admin, skipped)
    assert failed["status_text"] == f"Superseded by {'2' * 40}."
    await waits(admin, newer)
    assert (await hook(admin, host.url, commit)).headers["Location"] == skipped
    shown = await admin.get(skipped)
    assert (shown.status, shown.json["is_temp"], shown.json["attempt"]) == (202, True, 2)
    await host.start()
    done = await complete(admin, skipped)
    assert (done["status"], done["attempt"], done["active"]) == (4, 2, True)


async def test_a_fetch_that_fails_leaves_the_deployment_in_effect_as_it_is(
    admin: Client, shop: Site, host: GitHost
) -> None:
    commit = host.commit()
    url = (await hook(admin, host.url, commit)).headers["Location"]
    assert (await complete(admin, url))["active"]
    host.status = 404
    await hook(admin, host.url, commit)
    fetcher = shop.server._runner.app[FETCHER]  # type: ignore[union-attr]
    await eventually(lambda: fetcher.under_way("shop") is None)
    shown = (await admin.get(url)).json
    assert (shown["status"], shown["active"], shown["attempt"]) == (4, True, 1)
    events = await admin.get("/apps/shop/api/events?follow=false", Accept="application/x-ndjson")
    assert "fetch.not_deployed" in events.text


async def test_an_app_that_is_deleted_takes_its_waiting_fetches_along(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    await waits(admin, (await hook(admin, host.url, "1" * 40)).headers["Location"])
    await hook(admin, host.url, "2" * 40)
    services = services_of(shop.server)
    assert (await admin.ask("DELETE", "/api/apps/shop")).status == 204
    fetcher = shop.server._runner.app[FETCHER]  # type: ignore[union-attr]
    assert fetcher.under_way("shop") is None
    assert await services.store.fact(f"fetches {services.instance}") == "{}"
    assert (await admin.ask("PUT", "/api/apps/shop")).status == 201
    assert (await admin.get(DEPLOYMENTS)).json == []


async def test_a_waiting_fetch_has_a_page_that_shows_its_tries(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    await waits(admin, (await hook(admin, host.url, "1" * 40)).headers["Location"])
    signed_in = await admin.with_token(None).ask("POST", "/ui/sign-in", f"token={ADMIN}".encode())
    cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
    page = f"/ui/shop/deployments/{'1' * 40}"
    browser = admin.with_token(None)
    assert (await browser.get(f"{page}/", Cookie=cookie)).status == 200
    log = await browser.get(f"{page}/log", Cookie=cookie)
    assert log.status == 200
    assert "can't be reached" in log.text


async def test_what_waits_can_be_cancelled_and_what_comes_behind_it_goes_on(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    first = (await hook(admin, host.url, "1" * 40)).headers["Location"]
    await waits(admin, first)
    developer = await admin.token_for("deploy")
    answer = await developer.ask("DELETE", first)
    assert answer.status == 200, answer.body
    assert (answer.json["status"], answer.json["status_text"]) == (3, "Cancelled by deploy.")
    fetcher = shop.server._runner.app[FETCHER]  # type: ignore[union-attr]
    await eventually(lambda: fetcher.under_way("shop") is None)
    log = await admin.get(f"{first}/log")
    assert "can't be reached" in log.text and "Cancelled by deploy." in log.text
    await host.start()
    host.gate.clear()
    second = (await hook(admin, host.url, "2" * 40)).headers["Location"]
    await eventually(lambda: host.asked)
    third = (await hook(admin, host.url, "3" * 40)).headers["Location"]
    assert (await developer.ask("DELETE", third)).json["complete"]
    commit = host.commit()
    fourth = (await hook(admin, host.url, commit)).headers["Location"]
    assert (await developer.ask("DELETE", second)).json["status_text"] == "Cancelled by deploy."
    host.gate.set()
    assert (await complete(admin, fourth))["active"]
    assert (await developer.ask("DELETE", third)).status == 204


async def test_a_plain_hook_can_be_cancelled_by_the_id_it_was_given(
    admin: Client, shop: Site, host: GitHost
) -> None:
    await host.stop()
    given = await plain(admin, host.url)
    await waits(admin, given)
    assert (await admin.ask("DELETE", given)).json["status"] == 3
    assert (await admin.get(given)).json["status_text"].startswith("Cancelled by")
    assert (await admin.ask("DELETE", given)).status == 204
    assert (await admin.get(given)).status == 404
