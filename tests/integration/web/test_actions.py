"""Jobs that are an HTTP action: run, followed, aborted and scheduled like any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

API = "/apps/shop/api/triggeredwebjobs"


class Target:
    """A real server that is asked; fails the first `failures` times."""

    def __init__(self) -> None:
        self.failures = 0
        self.hang = False
        self.seen: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(
            {
                "method": request.method,
                "path": request.path,
                "body": await request.text(),
                "authorization": request.headers.get("Authorization"),
            }
        )
        if self.hang:
            await asyncio.sleep(3600)
        if self.failures > 0:
            self.failures -= 1
            return web.Response(status=503, text="not now")
        return web.Response(text="pong")


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    made = Target()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def action(target: Target, **more: Any) -> dict[str, str]:
    settings = {
        "action": {
            "type": "http",
            "request": {
                "method": "POST",
                "uri": f"{target.url}/ping",
                "body": "hello",
                "authentication": {"type": "bearer", "token": {"setting": "PING_TOKEN"}},
            },
            "retryPolicy": {"retryType": "fixed", "retryCount": 2, "retryInterval": "PT1S"},
            **more.pop("action", {}),
        },
        **more,
    }
    return {"App_Data/jobs/triggered/ping/settings.job": json.dumps(settings)}


async def run(client: Client) -> Any:
    started = await client.ask("POST", f"{API}/ping/run")
    assert started.status == 202, started.body

    async def ended() -> Any:
        found = (await client.get(started.headers["Location"])).json
        return found if found["end_time"] else None

    return await eventually(ended)


@pytest.fixture
async def allowed(server: Server, admin: Client, shop: Site) -> None:
    server.options.allow_private_hooks = True
    await admin.ask("POST", "/apps/shop/api/settings", {"PING_TOKEN": "s3cret-token"})


async def test_an_action_is_a_run_with_history_and_output(
    allowed: None, admin: Client, shop: Site, target: Target
) -> None:
    target.failures = 1
    await shop.deploy(action(target))
    job = (await admin.get(f"{API}/ping")).json
    assert job["error"] is None
    found = await run(admin)
    assert (found["status"], found["exit_code"]) == ("Success", 0)
    assert [each["method"] for each in target.seen] == ["POST", "POST"]
    assert target.seen[0]["body"] == "hello"
    assert target.seen[0]["authorization"] == "Bearer s3cret-token"
    log = (await admin.get(found["url"] + "/log")).text
    assert "503" in log
    assert "200" in log
    assert "s3cret" not in log


async def test_a_script_beside_an_action_runs_once_the_settings_have_none(
    allowed: None, admin: Client, shop: Site, target: Target
) -> None:
    script = {"App_Data/jobs/triggered/ping/run.sh": "echo the script"}
    await shop.deploy(action(target) | script)
    assert (await admin.get(f"{API}/ping")).json["run_command"] == f"POST {target.url}/ping"
    assert (await run(admin))["status"] == "Success"
    assert len(target.seen) == 1
    settings = (await admin.get(f"{API}/ping/settings")).json
    for given, command, seen in (({}, "run.sh", 1), (settings, f"POST {target.url}/ping", 2)):
        put = await admin.ask("PUT", f"{API}/ping/settings", given)
        assert put.status == 200, put.body
        assert (await admin.get(f"{API}/ping")).json["run_command"] == command
        found = await run(admin)
        assert found["status"] == "Success"
        log = (await admin.get(found["url"] + "/log")).text
        assert ("the script" in log) == (given == {})
        assert len(target.seen) == seen


async def test_an_action_whose_tries_all_fail_does_its_error_action(
    allowed: None, admin: Client, shop: Site, target: Target
) -> None:
    target.failures = 99
    other = {"type": "http", "request": {"method": "PUT", "uri": f"{target.url}/failed"}}
    policy = {"retryPolicy": {"retryType": "none"}, "errorAction": other}
    await shop.deploy(action(target, action=policy))
    found = await run(admin)
    assert (found["status"], found["exit_code"]) == ("Failed", 1)
    assert [each["path"] for each in target.seen] == ["/ping", "/failed"]


async def test_an_action_under_way_is_aborted(
    allowed: None, admin: Client, shop: Site, target: Target
) -> None:
    target.hang = True
    await shop.deploy(action(target))
    location = (await admin.ask("POST", f"{API}/ping/run")).headers["Location"]
    await eventually(lambda: target.seen)
    assert (await admin.ask("POST", f"{API}/ping/run")).status == 409
    aborted = await admin.ask("DELETE", location)
    assert aborted.status == 200
    assert aborted.json["status"] == "Stopped"


async def test_an_action_has_a_schedule(
    allowed: None, admin: Client, shop: Site, target: Target
) -> None:
    await shop.deploy(action(target, schedule="* * * * * *"))
    await eventually(lambda: len(target.seen) >= 2)
    newest = (await admin.get(f"{API}/ping")).json["latest_run"]
    assert newest["trigger"] == "Schedule - * * * * * *"


async def test_a_private_address_is_refused_unless_it_is_allowed(
    admin: Client, shop: Site, target: Target
) -> None:
    await admin.ask("POST", "/apps/shop/api/settings", {"PING_TOKEN": "s3cret-token"})
    await shop.deploy(action(target))
    found = await run(admin)
    assert found["status"] == "Failed"
    log = (await admin.get(found["url"] + "/log")).text
    assert "allow_private_hooks" in log
    assert target.seen == []
