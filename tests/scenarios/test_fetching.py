"""What comes by a webhook: hosts that are down, a storm of hooks, ssh, statuses back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.githost import GitHost
from tests.scenarios.actors import ADMIN, Server, basic
from tests.sshd import SSHD, Sshd
from tests.support import eventually, git

DEPLOY = "/apps/shop/deploy"
DEPLOYMENTS = "/apps/shop/api/deployments"
TAKEN = (202, 409)


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Server]:
    started = Server(
        home,
        *("--swap-grace", "0.3", "--grace", "20", "--isolation", "process"),
        *("--allow-private-fetch", "true", "--allow-private-hooks", "true"),
    )
    await started.start()
    await started.call("PUT", "/api/apps/shop")
    yield started
    await started.end()


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    made = GitHost(tmp_path / "host")
    made.write("index.html", "one")
    made.commit("The first one")
    await made.start()
    yield made
    await made.close()


def tip(host: GitHost) -> str:
    return git("rev-parse", "main", cwd=host.work).stdout.strip()


def push_event(url: str, commit: str) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": commit,
        "deleted": False,
        "repository": {"name": "shop", "clone_url": url, "full_name": "ada/shop"},
        "head_commit": {
            "id": commit,
            "message": "The first one",
            "author": {"name": "Ada Lovelace", "email": "ada@example.org"},
        },
        "pusher": {"name": "grace"},
    }


async def hook(server: Server, url: str, commit: str) -> str:
    """Say that a branch was pushed; where the deployment is."""
    headers = {"X-GitHub-Event": "push", "Content-Type": "application/json"}
    body = json.dumps(push_event(url, commit))
    await server.call("POST", DEPLOY, body, headers=headers, status=TAKEN)
    return str(server.headers["Location"])


async def look(server: Server, url: str) -> dict[str, Any]:
    return dict(await server.call("GET", url, status=(200, 202)))


async def complete(server: Server, url: str, *, limit: float = 60) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        found = await look(server, url)
        return found if found["complete"] else None

    return await eventually(ended, limit=limit, what="the deployment ends")


async def log_of(server: Server, url: str) -> str:
    entries = await server.call("GET", f"{url}/log")
    return "\n".join(entry["message"] for entry in entries)


async def events(server: Server, name: str) -> list[dict[str, Any]]:
    async with server.stream("GET", "/apps/shop/api/events?follow=false") as lines:
        records = [json.loads(line) async for line in lines]
    return [record for record in records if record["event"] == name]


async def test_a_host_that_is_down_is_asked_again_until_it_is_back(
    server: Server, host: GitHost
) -> None:
    await host.stop()
    location = await hook(server, host.url, tip(host))

    async def waits() -> dict[str, Any] | None:
        found = await look(server, location)
        return found if "Tried 1 of 7 times" in found["status_text"] else None

    waiting = await eventually(waits, what="it waits for the next try")
    assert (waiting["status"], waiting["complete"], waiting["is_temp"]) == (0, False, True)
    assert "can't be reached" in await log_of(server, location)
    await host.start()
    done = await complete(server, location)
    assert (done["status"], done["active"]) == (4, True)
    log = await log_of(server, location)
    assert "Try 1 of 7; the next one is in 5.0 s." in log
    assert "fetched" in log and "deployed" in log


async def test_a_host_that_is_busy_is_asked_again_and_a_bad_answer_is_not(
    server: Server, host: GitHost
) -> None:
    host.status = 503
    location = await hook(server, host.url, tip(host))
    await eventually(lambda: len(host.asked) == 1)
    host.status = None
    assert (await complete(server, location))["status"] == 4
    for status, words, fix in ((404, "isn't there", "private"), (401, "refuses access", "token")):
        host.status = status
        host.commit(f"for {status}")
        host.asked.clear()
        failed = await complete(server, await hook(server, host.url, tip(host)))
        assert failed["status"] == 3
        assert words in failed["status_text"]
        assert len(host.asked) == 1
        assert fix in await log_of(server, failed["url"])
    host.status = None
    good = await complete(server, await hook(server, host.url, host.commit("good")))
    assert good["active"] is True


async def test_a_newer_webhook_cuts_the_waiting_short(server: Server, host: GitHost) -> None:
    nowhere = GitHost(host.root.parent / "nowhere")
    first = await hook(server, nowhere.url, "1" * 40)

    async def waits() -> bool:
        return "Tried 1" in (await look(server, first))["status_text"]

    await eventually(waits)
    before = time.monotonic()
    second = await hook(server, host.url, tip(host))
    done = await complete(server, second)
    assert done["status"] == 4
    failed = await look(server, first)
    assert failed["status_text"] == f"Superseded by {tip(host)}."
    assert "Tried" not in failed["status_text"]
    assert [e["by"] for e in await events(server, "hook.superseded")] == [tip(host)]
    assert [e["tried"] for e in await events(server, "fetch.retrying")] == [1]
    assert time.monotonic() - before < 60
    await nowhere.close()


async def test_a_server_that_ends_while_it_waits_goes_on_at_its_next_start(
    server: Server, host: GitHost
) -> None:
    await host.stop()
    location = await hook(server, host.url, tip(host))

    async def waits() -> bool:
        return "Tried 1" in (await look(server, location))["status_text"]

    await eventually(waits)
    before = time.monotonic()
    assert await server.end() == 0
    assert time.monotonic() - before < 15, "it doesn't wait for the next try (grace is 20 s)"
    await host.start()
    await server.start()
    done = await complete(server, f"{DEPLOYMENTS}/{tip(host)}")
    assert (done["status"], done["active"]) == (4, True)


async def test_a_fetch_whose_commit_is_not_known_is_found_by_the_id_it_was_given(
    server: Server, host: GitHost
) -> None:
    await host.stop()
    body = {"format": "basic", "url": f"{host.url}#main"}
    await server.call("POST", DEPLOY, body, status=TAKEN)
    latest = await look(server, f"{DEPLOYMENTS}/latest")
    given = f"{DEPLOYMENTS}/{latest['id']}"
    assert len(latest["id"]) == 40

    async def waits() -> bool:
        return "Tried 1" in (await look(server, given))["status_text"]

    await eventually(waits)
    async with server.stream("GET", f"{given}/log?follow=true") as lines:
        await host.start()
        seen = [json.loads(line)["event"] async for line in lines]
    assert seen[:3] == ["fetch.started", "fetch.failed", "fetch.retrying"]
    assert seen[-1] == "fetch.moved"
    done = await complete(server, given)
    assert (done["id"], done["status"]) == (tip(host), 4)
    assert "Try 1 of 7" in await log_of(server, done["url"])


async def test_a_commit_that_the_branch_has_left_behind_is_told_so(
    server: Server, host: GitHost
) -> None:
    old = tip(host)
    new = host.commit("The second one")
    location = await hook(server, host.url, old)
    failed = await complete(server, location)
    assert (failed["status"], failed["status_text"]) == (3, f"Superseded by {new}.")
    done = await complete(server, f"{DEPLOYMENTS}/latest")
    assert done["id"] == new
    assert done["active"] is True
    assert (done["message"].strip(), done["author"]) == ("The second one", "Ada Lovelace")


async def test_of_a_hundred_webhooks_in_a_second_the_first_and_the_newest_deploy(
    server: Server, host: GitHost, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.05; done"
    host.write(".deployment", f"[config]\ncommand = sh -c '{script}'\n")
    first = host.commit("The first one")
    await hook(server, host.url, first)

    async def builds() -> bool:
        return (await look(server, f"{DEPLOYMENTS}/{first}"))["status"] == 1

    await eventually(builds, limit=60, what="the first one builds")
    commits = [host.commit(str(number)) for number in range(99)]
    before = memory(server)
    headers = {**basic(ADMIN), "X-GitHub-Event": "push", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def send(commit: str) -> str:
            body = json.dumps(push_event(host.url, commit))
            async with session.post(server.url + DEPLOY, data=body) as response:
                assert response.status in TAKEN
                return response.headers["Location"]

        begun = time.monotonic()
        locations = [await send(commit) for commit in commits[:50]]
        locations += await asyncio.gather(*(send(commit) for commit in commits[50:98]))
        locations.append(await send(commits[98]))
        took = time.monotonic() - begun
    grown = memory(server) - before
    waiting = await look(server, locations[-1])
    assert (waiting["status"], waiting["is_temp"]) == (0, True)
    skipped = [await look(server, location) for location in locations[:-1]]
    assert {deployment["status"] for deployment in skipped} == {3}
    for deployment in skipped:
        text = deployment["status_text"]
        by = text.removeprefix("Superseded by ").removesuffix(".")
        assert by in commits and by != deployment["id"], text
    go.touch()
    done = await complete(server, locations[-1])
    assert (done["status"], done["active"]) == (4, True)
    every = await server.call("GET", DEPLOYMENTS)
    assert {d["id"] for d in every if d["status"] == 4} == {first, commits[98]}
    assert len(every) == 100
    assert len(await events(server, "hook.superseded")) == 98
    assert grown < 24 << 20, f"{grown >> 20} MiB for a hundred hooks"
    assert took < 20, "a hundred hooks are cheap, also on a loaded machine"


def memory(server: Server) -> int:
    """Resident bytes of the server's process."""
    assert server.process is not None
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


@pytest.mark.skipif(SSHD is None, reason="openssh-server isn't installed")
async def test_a_repository_over_ssh_is_deployed_with_the_apps_key(
    server: Server, host: GitHost, tmp_path: Path
) -> None:
    sshd = Sshd(tmp_path / "sshd")
    await sshd.start()
    try:
        url = sshd.url(host.work / ".git")
        failed = await complete(server, await hook(server, url, tip(host)))
        assert "needs a deploy key" in failed["status_text"]
        keys = "/apps/shop/api/sshkey"
        assert await server.call("GET", keys) is None
        reader = await server.call(
            "POST", "/api/tokens", {"name": "r", "scopes": ["deploy"], "apps": ["shop"]}
        )
        await server.call("GET", f"{keys}?ensurePublicKey=1", token=reader["token"], status=403)
        key = await server.call("GET", f"{keys}?ensurePublicKey=1")
        assert key.startswith("ssh-ed25519 ")
        assert await server.call("GET", f"{keys}?ensurePublicKey=true") == key
        assert await server.call("GET", keys, token=reader["token"]) == key
        assert await server.call("GET", "/apps/shop/sshkey") == key
        failed = await complete(server, await hook(server, url, host.commit("two")))
        assert "refuses the app's deploy key" in failed["status_text"]
        sshd.authorize(key)
        git("tag", "v1", cwd=host.work)
        done = await complete(server, await hook(server, url, host.commit("three")))
        assert (done["status"], done["active"]) == (4, True)
        refs = git("for-each-ref", "--format=%(refname)", cwd=server.home / "apps/shop/repo.git")
        assert refs.stdout.split() == ["refs/heads/main", "refs/tags/v1"]
        private = (server.home / "apps/shop/ssh/id").read_text()
        await server.call("DELETE", keys, status=204)
        assert await server.call("GET", keys) is None
        await server.call("PUT", keys, {"key": "no key"}, status=400)
        assert (await server.call("PUT", keys, {"key": private})).split()[1] == key.split()[1]
        assert (await server.call("POST", keys, private)).split()[1] == key.split()[1]
        assert "PRIVATE KEY" not in server.words()
        done = await complete(server, await hook(server, url, host.commit("four")))
        assert done["status"] == 4
    finally:
        await sshd.stop()


class StatusApi:
    """A listening server that is told statuses; the first `busy` requests get 503."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any], str]] = []
        self.busy = 0
        self.answer = 201
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if self.busy > 0:
            self.busy -= 1
            return web.Response(status=503)
        body = await request.json()
        self.told.append((request.path, body, request.headers.get("Authorization", "")))
        return web.json_response({}, status=self.answer)


@pytest.fixture
async def api() -> AsyncIterator[StatusApi]:
    made = StatusApi()
    await made.start()
    yield made
    await made.stop()


async def test_the_host_is_told_what_became_of_a_commit(
    server: Server, host: GitHost, api: StatusApi
) -> None:
    token = "status-token-of-ada"
    await complete(server, await hook(server, host.url, tip(host)))
    assert api.told == [], "off by default"
    changes = {"status_token": token, "status_url": f"{api.url}/api/v1"}
    shown = await server.call("PATCH", "/api/apps/shop", changes)
    assert (shown["status_token"], shown["status_url"]) == (True, f"{api.url}/api/v1")
    good = host.commit("good")
    await complete(server, await hook(server, host.url, good))
    await eventually(lambda: len(api.told) == 2, what="two states are told")
    assert {path for path, _, _ in api.told} == {f"/api/v1/repos/ada/shop/statuses/{good}"}
    assert [body["state"] for _, body, _ in api.told] == ["pending", "success"]
    assert {header for _, _, header in api.told} == {f"token {token}"}
    link = api.told[-1][1]["target_url"]
    assert link == f"{server.url}/ui/shop/deployments/{good}/log"
    api.told.clear()
    api.busy = 1
    host.write(".deployment", "[config]\ncommand = sh -c 'exit 3'\n")
    bad = host.commit("bad")
    assert (await complete(server, await hook(server, host.url, bad)))["status"] == 3
    await eventually(lambda: api.told and api.told[-1][1]["state"] == "failure", limit=60)
    assert token not in server.words()


async def test_a_status_that_cannot_be_told_is_an_event_and_fails_nothing(
    server: Server, host: GitHost, api: StatusApi
) -> None:
    api.answer = 403
    changes = {"status_token": "status-token-of-ada", "status_url": f"{api.url}/api/v1"}
    await server.call("PATCH", "/api/apps/shop", changes)
    await server.call("PATCH", "/api/apps/shop", {"status_url": "ftp://x"}, status=400)
    done = await complete(server, await hook(server, host.url, tip(host)))
    assert (done["status"], done["active"]) == (4, True)

    async def told() -> bool:
        return len(await events(server, "status.failed")) == 2

    await eventually(told)
    record = (await events(server, "status.failed"))[0]
    assert "403" in record["what"] and "status_token" in record["fix"]
    await server.call("PATCH", "/api/apps/shop", {"status_token": None})
    await complete(server, await hook(server, host.url, host.commit("two")))
    assert len(await events(server, "status.failed")) == 2
