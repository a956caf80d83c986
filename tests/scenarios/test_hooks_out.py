"""A team that has its chat and its monitoring told what happens, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.receiver import Receiver, receiving
from tests.scenarios.actors import Developer, Server
from tests.support import eventually

HOOKS = "/apps/demo/api/hooks"
SECRET = "only the team and its monitoring know it"
LIMIT = 90.0


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


def new_server(home: Path, *arguments: str) -> Server:
    return Server(home, "--swap-grace", "0.5", "--grace", "5", *arguments)


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Server]:
    started = new_server(home, "--allow-private-hooks", "true", "--hook-retry", "0.05")
    await started.start()
    await started.call("PUT", "/api/apps/demo")
    yield started
    await started.end()


async def hook(server: Server, url: str, event: str, **fields: Any) -> Any:
    return await server.call("POST", HOOKS, {"url": url, "event": event, **fields}, status=201)


async def deliveries(server: Server, one: Any) -> Any:
    return await server.call("GET", f"{HOOKS}/{one['id']}/deliveries")


async def ended(server: Server, one: Any) -> Any:
    """The newest delivery, once it has ended."""

    async def newest() -> Any:
        rows = await deliveries(server, one)
        return rows and rows[0]["state"] != "pending" and rows[0]

    return await eventually(newest, limit=LIMIT, what="a delivery that has ended")


async def test_a_receiver_that_fails_five_times_learns_of_the_deployment(
    server: Server, repo: Developer, receiver: Receiver
) -> None:
    receiver.answer = lambda got: 503 if len(receiver.got) <= 5 else 200
    one = await hook(server, receiver.url(), "PostDeployment", secret=SECRET)
    assert SECRET not in str(one)
    repo.job("triggered/report", "run.sh", "echo reported\n")
    commit = repo.commit("Report <daily>")
    await repo.push(commit=False)
    [taken] = await eventually(lambda: receiver.taken, limit=LIMIT)
    assert len(receiver.got) == 6
    for got in receiver.got:
        assert got.signed_with(SECRET)
        assert got.body == taken.body
        assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert (taken.json["id"], taken.json["status"]) == (commit, "success")
    assert taken.json["message"].strip() == "Report <daily>"
    assert (await server.call("GET", taken.json["url"]))["id"] == commit
    row = await ended(server, one)
    assert (row["state"], row["tries"], row["status"]) == ("delivered", 6, 200)
    shown = await server.call("GET", f"{HOOKS}/{one['id']}")
    assert (shown["last_status"], shown["last_context"].encode()) == ("OK", taken.body)
    for path in (HOOKS, f"{HOOKS}/{one['id']}", f"{HOOKS}/{one['id']}/deliveries"):
        assert SECRET not in str(await server.call("GET", path))
    assert SECRET not in server.words()


async def test_what_happened_before_a_kill_is_told_after_the_restart(
    server: Server, repo: Developer, tmp_path: Path
) -> None:
    async with receiving() as away:
        port = away.port
    one = await hook(server, f"http://127.0.0.1:{port}/hook", "PostDeployment", secret=SECRET)
    await hook(server, f"http://127.0.0.1:{port}/slack", "DeploymentFailed", format="slack")
    repo.job("triggered/report", "run.sh", "echo reported\n")
    commit = repo.commit()
    await repo.push(commit=False)

    async def tried() -> Any:
        rows = await deliveries(server, one)
        return rows and rows[0]["tries"] > 0 and rows[0]

    row = await eventually(tried, limit=LIMIT)
    assert (row["state"], row["status"]) == ("pending", None)
    await server.kill()
    async with receiving(port) as back:
        await server.start(f"127.0.0.1:{server.port}")
        await eventually(lambda: back.at("/hook"), limit=LIMIT)
        got = back.at("/hook")[0]
        assert got.json["id"] == commit
        assert got.signed_with(SECRET)
        assert got.headers["x-gitdeploy-delivery"] == row["id"]
        assert (await ended(server, one))["state"] == "delivered"
        assert back.at("/slack") == []
        repo.write(".deployment", "[config]\ncommand = exit 3\n")
        assert "failed" in await repo.push(check=False)
        [failure] = await eventually(lambda: back.at("/slack"), limit=LIMIT)
        assert failure.json["text"].startswith("demo: the deployment of <http://")
        assert "failed:" in failure.json["text"]


async def test_a_job_that_crashes_and_a_run_that_fails_are_told(
    server: Server, repo: Developer, receiver: Receiver
) -> None:
    await hook(server, receiver.url("/crash"), "JobCrashed", format="cloudevents")
    await hook(server, receiver.url("/run"), "TriggeredJobFinished")
    script = "trap 'exit 0' TERM\necho up\nwhile :; do sleep 0.1; done\n"
    repo.job("continuous/ticker", "run.sh", script, {"stopping_wait_time": 2})
    repo.job("triggered/report", "run.sh", "exit 3\n")
    await repo.push()
    await server.says("ticker", "up")
    await server.call("POST", "/apps/demo/api/continuouswebjobs/ticker/stop")
    await server.call("POST", "/apps/demo/api/continuouswebjobs/ticker/start")
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run")
    [run] = await eventually(lambda: receiver.at("/run"), limit=LIMIT)
    assert (run.json["job_name"], run.json["status"]) == ("report", "Failed")
    assert run.json["exit_code"] == 3
    assert await server.call("GET", run.json["url"]) == run.json
    assert receiver.at("/crash") == []
    repo.job("continuous/ticker", "run.sh", "sleep 1.5\nexit 7\n")
    await repo.push()
    [crash, *_] = await eventually(lambda: receiver.at("/crash"), limit=LIMIT)
    event = crash.json
    assert crash.headers["content-type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["type"]) == ("1.0", "gitdeploy.JobCrashed")
    assert event["source"] == f"{server.url}/apps/demo"
    assert (event["data"]["job_name"], event["data"]["exit_code"]) == ("ticker", 7)


async def test_a_private_address_is_refused_and_told_by_hand_once_it_is_allowed(
    home: Path, tmp_path: Path, receiver: Receiver
) -> None:
    allowing = new_server(home, "--allow-private-hooks", "true")
    await allowing.start()
    await allowing.call("PUT", "/api/apps/demo")
    one = await hook(allowing, receiver.url(), "Lunch", secret=SECRET)
    await allowing.end()
    strict = new_server(home)
    await strict.start()
    try:
        refused = await strict.call(
            "POST", HOOKS, {"url": receiver.url("/x"), "event": "Lunch"}, status=400
        )
        assert "loopback" in refused["detail"]
        assert "allow_private_hooks" in refused["fix"]
        await strict.call("POST", f"{HOOKS}/publish/Lunch", {"what": "soup"})
        row = await ended(strict, one)
        assert (row["state"], row["tries"]) == ("failed", 1)
        assert "allow_private_hooks" in row["error"]
        assert receiver.got == []
    finally:
        await strict.end()
    again = new_server(home, "--allow-private-hooks", "true")
    await again.start()
    try:
        sent = await again.call("POST", f"{HOOKS}/{one['id']}/deliveries/1/redeliver", status=202)
        assert (sent["n"], sent["redelivery_of"]) == (2, 1)
        [got] = await eventually(lambda: receiver.taken, limit=LIMIT)
        assert got.json == {"what": "soup"}
        assert got.signed_with(SECRET)
        assert got.headers["x-gitdeploy-delivery"] == row["id"]
    finally:
        await again.end()
