"""Statuses told to a real listening server: in order, again while it is down, the newest alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gitdeploy.app import Server
from gitdeploy.clock import SystemClock
from gitdeploy.web import SERVICES, Services
from gitdeploy.web.commit_status import CommitStatuses
from gitdeploy.web.wanted import Wanted
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture
def options() -> dict[str, Any]:
    return {"allow_private_hooks": True}


class Clock(SystemClock):
    """Passes at once, or never, and remembers."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.passes = asyncio.Event()
        self.passes.set()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.passes.wait()


class Api:
    """Takes statuses; each answer is the next of `answers`, then 201."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.asked.append((request.path[-40:], body["state"]))
        status = self.answers.pop(0) if self.answers else 201
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    application = web.Application()
    application.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def services(server: Server, admin: Client, shop: Site, api: Api) -> Services:
    changes = {"status_token": "a-token-of-ada", "status_url": f"{api.url}/api/v3"}
    assert (await admin.ask("PATCH", "/api/apps/shop", changes)).status == 200
    assert server._runner is not None
    found = server._runner.app[SERVICES]
    found.clock = Clock()
    return found


@pytest.fixture
def clock(services: Services) -> Clock:
    assert isinstance(services.clock, Clock)
    return services.clock


def wanted(url: str = "https://git.example/ada/shop.git") -> Wanted:
    return Wanted(url=url, branch="main", commit=ONE, deployer="x", received_at=0)


async def failures(admin: Client) -> list[dict[str, Any]]:
    answer = await admin.get("/apps/shop/api/events?follow=false", Accept="application/x-ndjson")
    records = [json.loads(line) for line in answer.text.splitlines()]
    return [record for record in records if record["event"] == "status.failed"]


async def test_states_of_a_commit_are_told_in_order(services: Services, api: Api) -> None:
    statuses = CommitStatuses(services)
    statuses.report("shop", wanted(), ONE, "pending", "Fetching.")
    await eventually(lambda: len(api.asked) == 1)
    statuses.report("shop", wanted(), ONE, "success", "Deployed.")
    statuses.report("shop", wanted(), None, "success", "Nobody knows which.")
    await eventually(lambda: len(api.asked) == 2)
    await services.background.idle()
    assert api.asked == [(ONE, "pending"), (ONE, "success")]


async def test_an_api_that_is_down_is_asked_again_and_then_given_up(
    services: Services, api: Api, clock: Clock, admin: Client
) -> None:
    statuses = CommitStatuses(services)
    api.answers = [500, 429, 503]
    statuses.report("shop", wanted(), ONE, "success", "Deployed.")
    await services.background.idle()
    assert (len(api.asked), clock.slept) == (4, [2.0, 10.0, 30.0])
    assert await failures(admin) == []
    api.answers = [502] * 9
    statuses.report("shop", wanted(), ONE, "failure", "It broke.")
    await services.background.idle()
    assert len(api.asked) == 9
    assert "502" in (await failures(admin))[0]["what"]


async def test_what_is_old_when_the_api_is_back_is_not_told(
    services: Services, api: Api, clock: Clock
) -> None:
    statuses = CommitStatuses(services)
    api.answers = [503]
    clock.passes.clear()
    statuses.report("shop", wanted(), ONE, "pending", "Fetching.")
    await eventually(lambda: clock.slept)
    statuses.report("shop", wanted(), ONE, "success", "Deployed.")
    statuses.report("shop", wanted(), TWO, "pending", "Fetching.")
    clock.passes.set()
    await services.background.idle()
    assert api.asked == [(ONE, "pending"), (ONE, "success"), (TWO, "pending")]


@pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
async def test_a_refusal_is_told_once_and_no_redirect_followed(
    services: Services, api: Api, admin: Client, status: int
) -> None:
    api.answers = [status]
    CommitStatuses(services).report("shop", wanted(), ONE, "success", "Deployed.")
    await services.background.idle()
    assert len(api.asked) == 1
    (failed,) = await failures(admin)
    assert str(status) in failed["what"] and failed["fix"]


async def test_a_private_address_is_refused_unless_allowed(
    services: Services, api: Api, admin: Client
) -> None:
    services.options.allow_private_hooks = False
    CommitStatuses(services).report("shop", wanted(), ONE, "success", "Deployed.")
    await services.background.idle()
    assert api.asked == []
    assert "allow_private_hooks" in str((await failures(admin))[0])


async def test_a_server_that_ends_waits_for_no_further_try(
    services: Services, api: Api, clock: Clock, admin: Client
) -> None:
    statuses = CommitStatuses(services)
    clock.passes.clear()
    api.answers = [503] * 9
    statuses.report("shop", wanted(), ONE, "success", "Deployed.")
    await eventually(lambda: clock.slept)
    statuses.stop()
    await services.background.idle()
    assert len(api.asked) == 2
    assert len(await failures(admin)) == 1


async def test_no_more_than_twenty_commits_of_an_app_wait(
    services: Services, api: Api, clock: Clock, admin: Client
) -> None:
    statuses = CommitStatuses(services)
    clock.passes.clear()
    api.answers = [503]
    statuses.report("shop", wanted(), ONE, "pending", "Fetching.")
    await eventually(lambda: clock.slept)
    for number in range(100):
        statuses.report("shop", wanted(), f"{number:040x}", "success", "Deployed.")
    clock.passes.set()
    await services.background.idle()
    assert len(await failures(admin)) == 80
    assert api.asked[-1] == (f"{99:040x}", "success")
    assert len(api.asked) == 22
