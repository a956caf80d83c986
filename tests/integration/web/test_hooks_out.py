"""`/api/hooks`: what Kudu's clients do with it, and what is ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from gitdeploy.app import Server
from gitdeploy.store import Execution, Occurrence
from tests.receiver import Receiver, receiving
from tests.support import eventually

HOOKS = "/apps/shop/api/hooks"
LIMIT = 60.0


@pytest.fixture
def options() -> dict[str, Any]:
    return {"allow_private_hooks": True, "hook_retry": 0.02}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def api(admin: Any, shop: Any) -> Any:
    """The administrator's client; the app is there."""
    return admin


async def made(api: Any, url: str, event: str = "PostDeployment", **fields: Any) -> Any:
    answer = await api.ask("POST", HOOKS, {"url": url, "event": event, **fields})
    assert answer.status == 201, answer.body
    return answer.json


async def test_a_hook_is_added_listed_shown_and_removed_as_in_kudu(api: Any) -> None:
    url = "https://93.184.216.34/in?x=1"
    hook = await made(api, f" {url} ", "postdeployment", last_status=None, id=None)
    assert hook["event"] == "PostDeployment"
    assert (hook["url"], hook["insecure_ssl"], hook["last_status"]) == (url, False, None)
    assert isinstance(hook["id"], str)
    for path in (HOOKS, f"{HOOKS}/", "/apps/shop/hooks"):
        assert (await api.get(path)).json == [hook]
    for path in (f"{HOOKS}/{hook['id']}", f"{HOOKS}/{hook['id'].upper()}"):
        assert (await api.get(path)).json == hook
    assert await made(api, url, "PostDeployment") == hook
    for _ in range(2):
        gone = await api.ask("DELETE", f"{HOOKS}/{hook['id']}")
        assert (gone.status, gone.body) == (200, b"")
    assert (await api.get(HOOKS)).json == []
    missing = await api.get(f"{HOOKS}/{hook['id']}")
    assert missing.status == 404
    assert missing.json["fix"]


async def test_an_address_has_one_event_as_in_kudu_unless_the_format_is_ours(api: Any) -> None:
    url = "https://93.184.216.34/in"
    await made(api, url)
    refused = await api.ask("POST", HOOKS, {"url": url, "event": "JobCrashed"})
    assert refused.status == 409
    slack = {"format": "slack"}
    first = await made(api, f"{url}/slack", "JobCrashed", **slack)
    second = await made(api, f"{url}/slack", "DeploymentFailed", **slack)
    assert first["id"] != second["id"]
    other = {"url": f"{url}/slack", "event": "JobCrashed", "format": "cloudevents"}
    assert (await api.ask("POST", HOOKS, other)).status == 409
    secret = {"url": url, "event": "PostDeployment", "secret": "another"}
    assert (await api.ask("POST", HOOKS, secret)).status == 409


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        ({}, "url"),
        ({"url": "https://93.184.216.34/"}, "event"),
        ({"url": "/relative", "event": "E"}, "http"),
        ({"url": "ftp://93.184.216.34/", "event": "E"}, "http"),
        ({"url": "file:///etc/passwd", "event": "E"}, "http"),
        ({"url": "https://93.184.216.34/ a", "event": "E"}, "URL"),
        ({"url": "https://93.184.216.34/", "event": "a b"}, "event"),
        ({"url": "https://93.184.216.34/", "event": ""}, "event"),
        ({"url": "https://93.184.216.34/" + "a" * 3000, "event": "E"}, "url"),
        ({"url": "https://93.184.216.34/", "event": "E", "format": "xml"}, "format"),
        ({"url": "https://93.184.216.34/", "event": "E", "secret": "s" * 300}, "secret"),
        ({"url": "https://93.184.216.34/", "event": "E", "insecure_ssl": "maybe"}, "insecure_ssl"),
    ],
)
async def test_a_bad_hook_is_refused_by_name(api: Any, body: Any, word: str) -> None:
    answer = await api.ask("POST", HOOKS, body)
    assert answer.status == 400
    assert word in answer.json["detail"] + answer.json.get("fix", "")
    assert (await api.get(HOOKS)).json == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:9/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.1.2.3/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
    ],
)
async def test_an_address_of_our_own_network_is_refused_at_once(
    api: Any, server: Server, url: str
) -> None:
    server.options.allow_private_hooks = False
    answer = await api.ask("POST", HOOKS, {"url": url, "event": "PostDeployment"})
    assert answer.status == 400
    assert "allow_private_hooks" in answer.json["fix"]
    assert (await api.get(HOOKS)).json == []


async def test_who_may_only_read_sees_neither_secrets_nor_the_address(api: Any) -> None:
    url = "https://ada:pass-word@93.184.216.34/services/T0/B0/XYZ?token=abc"
    hook = await made(api, url, secret="s3cr3t-of-the-hook")
    assert hook["signed"] is True
    assert hook["url"] == url.replace("pass-word", "***")
    reader = await api.token_for("read", apps=["shop"])
    for path in (HOOKS, f"{HOOKS}/{hook['id']}", f"{HOOKS}/{hook['id']}/deliveries"):
        for client in (api, reader):
            body = (await client.get(path)).text
            assert "s3cr3t" not in body
            assert "pass-word" not in body
    body = (await reader.get(f"{HOOKS}/{hook['id']}")).text
    assert "XYZ" not in body
    assert json.loads(body)["url"] == "https://93.184.216.34/***"
    audit = (await api.get("/api/audit")).text
    events = (await api.get("/apps/shop/api/events?follow=false")).text
    assert "hook.create" in audit
    for text in (audit, events):
        assert "s3cr3t" not in text
        assert "XYZ" not in text
    for method, path in (
        ("POST", HOOKS),
        ("DELETE", f"{HOOKS}/{hook['id']}"),
        ("POST", f"{HOOKS}/publish/E"),
        ("POST", f"{HOOKS}/{hook['id']}/deliveries/1/redeliver"),
    ):
        assert (await reader.ask(method, path, {})).status == 403
    stranger = await api.token_for("admin", apps=["other"])
    assert (await stranger.get(HOOKS)).status == 404


async def test_a_deployment_is_told_as_kudus_hooks_tell_it(
    api: Any, server: Server, shop: Any, receiver: Receiver
) -> None:
    await made(api, receiver.url("/kudu"), secret="the-secret")
    await made(api, receiver.url("/events"), format="cloudevents")
    await made(api, receiver.url("/slack"), format="slack")
    await made(api, receiver.url("/failed"), "DeploymentFailed")
    commit = await shop.deploy({"App_Data/jobs/triggered/a/run.sh": "echo hi\n"}, "Sell <it>")
    await eventually(lambda: len(receiver.taken) == 3, limit=LIMIT)
    [got] = receiver.at("/kudu")
    assert got.signed_with("the-secret")
    told = got.json
    # https://github.com/projectkudu/kudu/wiki/Web-hooks
    assert told["id"] == commit
    assert (told["status"], told["complete"], told["siteName"]) == ("success", True, "shop")
    assert told["message"].startswith("Sell <it>")
    for name in ("statusText", "authorEmail", "author", "deployer", "receivedTime", "endTime"):
        assert name in told
    shown = (await api.get(f"/apps/shop/api/deployments/{commit}")).json
    assert {k: v for k, v in told.items() if k in shown} == {**shown, "status": "success"}
    assert (await api.get(told["log_url"])).status == 200
    [event] = receiver.at("/events")
    assert event.json["data"] == shown
    assert event.json["source"] == f"{server.url}/apps/shop"
    assert event.json["subject"] == f"deployments/{commit}"
    [line] = receiver.at("/slack")
    assert line.json["text"].startswith(f"shop: deployed <{server.url}/ui/shop/deployments/")
    assert "“Sell &lt;it&gt;”" in line.json["text"]
    assert receiver.at("/failed") == []
    again = await shop.deploy(message="Again")
    await eventually(lambda: len(receiver.taken) == 6, limit=LIMIT)
    assert receiver.at("/kudu")[1].json["id"] == again


async def test_the_deliveries_of_a_hook_tell_how_it_went(api: Any, receiver: Receiver) -> None:
    receiver.answer = lambda got: web.Response(status=404, text="nobody here")
    hook = await made(api, receiver.url(), "Lunch", secret="the-secret")
    one = f"{HOOKS}/{hook['id']}"
    published = await api.ask("POST", f"{HOOKS}/publish/lunch", {"what": "soup"})
    assert (published.status, published.body) == (200, b"")

    async def tried_twice() -> Any:
        rows = (await api.get(f"{one}/deliveries")).json
        return rows[0]["tries"] >= 2 and rows

    [row] = await eventually(tried_twice, limit=LIMIT)
    assert (row["n"], row["event"], row["state"]) == (1, "Lunch", "pending")
    assert (row["status"], row["reason"], row["response"]) == (404, "Not Found", "nobody here")
    assert row["first_try"] <= row["last_try"] <= row["next_try"]
    shown = (await api.get(one)).json
    assert (shown["last_status"], shown["last_reason"]) == ("NotFound", "Not Found")
    assert shown["last_context"] == '{"what": "soup"}'
    assert shown["last_datetime"] >= row["last_try"]

    receiver.answer = lambda got: 201
    hurried = await api.ask("POST", row["redeliver_url"])
    assert hurried.status == 202
    assert hurried.json["n"] == 1

    async def taken() -> Any:
        return (await api.get(one)).json["last_status"] == "Created"

    await eventually(taken, limit=LIMIT)
    [row] = (await api.get(f"{one}/deliveries")).json
    assert (row["state"], row["next_try"]) == ("delivered", None)
    count = len(receiver.got)
    again = await api.ask("POST", f"{one}/deliveries/1/redeliver")
    assert again.status == 202
    assert (again.json["n"], again.json["redelivery_of"]) == (2, 1)
    await eventually(lambda: len(receiver.got) > count, limit=LIMIT)
    assert receiver.got[-1].headers["x-gitdeploy-delivery"] == row["id"] == again.json["id"]
    assert receiver.got[-1].signed_with("the-secret")
    for n in ("7", "0", "x", "9" * 30, "²"):
        assert (await api.ask("POST", f"{one}/deliveries/{n}/redeliver")).status in (400, 404)


async def test_what_is_published_must_be_json_of_a_bounded_size(api: Any) -> None:
    assert (await api.ask("POST", f"{HOOKS}/publish/E", b"{")).status == 400
    assert (await api.ask("POST", f"{HOOKS}/publish/E", b"")).status == 400
    assert (await api.ask("POST", f"{HOOKS}/publish/E", "x" * 70_000)).status == 413
    assert (await api.ask("POST", f"{HOOKS}/publish/a%20b", {})).status == 400
    assert (await api.ask("POST", f"{HOOKS}/publish/Nobody", {})).status == 200


async def test_an_app_has_fifty_hooks_at_most(api: Any) -> None:
    for n in range(50):
        await made(api, f"https://93.184.216.34/{n}")
    one_more = {"url": "https://93.184.216.34/x", "event": "PostDeployment"}
    assert (await api.ask("POST", HOOKS, one_more)).status == 409


async def test_runs_crashes_and_missed_schedules_are_told_in_their_shapes(
    api: Any, server: Server, receiver: Receiver
) -> None:
    for event in ("TriggeredJobFinished", "JobCrashed", "ScheduleMissed"):
        await made(api, receiver.url(f"/{event}"), event)
    store = server.store
    kinds: tuple[tuple[Any, str], ...] = (("triggered", "report"), ("continuous", "ticker"))
    for kind, job in kinds:
        row = Execution(
            app="shop",
            kind=kind,
            job=job,
            id="2026",
            status="initializing",
            instance="i",
            created_at=1_000_000,
        )
        await store.executions.add(row)
        await store.executions.advance(row, "initializing", "running", started_at=2_000_000)
        await store.executions.advance(row, "running", "failed", ended_at=5_000_000, exit_code=137)
    missed = Occurrence(app="shop", job="report", due_at=7, state="missed", note="Missed 1")
    await store.occurrences.claim(missed)
    await eventually(lambda: len(receiver.taken) == 3, limit=LIMIT)
    [run] = receiver.at("/TriggeredJobFinished")
    shown = (await api.get("/apps/shop/api/triggeredwebjobs/report/history/2026")).json
    assert run.json["job_name"] == "report"
    assert (run.json["status"], run.json["exit_code"]) == ("Failed", 137)
    assert run.json["duration"] == "00:00:03.0000000"
    if "id" in shown:
        assert run.json == shown
    [crash] = receiver.at("/JobCrashed")
    assert (crash.json["job_name"], crash.json["signal"]) == ("ticker", "SIGKILL")
    assert crash.json["log_url"].endswith("/apps/shop/api/continuouswebjobs/ticker/log")
    [late] = receiver.at("/ScheduleMissed")
    assert (late.json["job_name"], late.json["note"]) == ("report", "Missed 1")
    assert late.json["due"] == "1970-01-01T00:00:00.000007Z"


async def test_links_lead_in_by_the_way_that_the_hook_was_made(
    api: Any, server: Server, receiver: Receiver
) -> None:
    proxied = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "deploy.example.org",
        "X-Forwarded-Prefix": "/gd",
    }
    answer = await api.ask(
        "POST", HOOKS, {"url": receiver.url(), "event": "ScheduleMissed"}, headers=proxied
    )
    assert answer.status == 201
    missed = Occurrence(app="shop", job="a b", due_at=7, state="missed", note="Missed 1")
    await server.store.occurrences.claim(missed)
    [got] = await eventually(lambda: receiver.taken, limit=LIMIT)
    base = "https://deploy.example.org/gd"
    assert got.json["url"] == f"{base}/apps/shop/api/triggeredwebjobs/a%20b"
    assert got.json["extra_info_url"] == f"{base}/ui/shop/jobs/a%20b/"


async def test_the_description_has_every_path_of_hooks(api: Any) -> None:
    document = (await api.get("/openapi.json")).json
    paths = {path for path in document["paths"] if "/api/hooks" in path}
    assert len(paths) == 5
    assert msgspec.json.encode(document)
