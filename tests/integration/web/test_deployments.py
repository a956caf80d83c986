"""Deployments as Kudu's clients see, redeploy, roll back and record them."""

from __future__ import annotations

import asyncio
import json

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Answer, Client, Site
from tests.support import eventually

API = "/apps/shop/api/deployments"
FIELDS = {
    "id",
    "status",
    "status_text",
    "author",
    "author_email",
    "deployer",
    "message",
    "progress",
    "received_time",
    "start_time",
    "end_time",
    "last_success_end_time",
    "complete",
    "active",
    "is_temp",
    "is_readonly",
    "url",
    "log_url",
    "site_name",
    "provisioningState",
}
SLOW_BUILD = {".deployment": "[config]\ncommand = sh build.sh\n"}


async def ended(client: Client, url: str) -> Answer:
    async def look() -> Answer | None:
        answer: Answer = await client.get(url)
        return answer if answer.status < 300 and answer.json["complete"] else None

    return await eventually(look)


async def test_a_deployment_has_kudus_fields(admin: Client, shop: Site, server: Server) -> None:
    commit = await shop.deploy({"index.txt": "1"}, "First words\n\nand more")
    (row,) = (await admin.get(API)).json
    assert set(row) >= FIELDS
    assert row["id"] == commit
    assert (row["status"], row["complete"], row["active"]) == (4, True, True)
    assert row["author"] == "Ada Lovelace"
    assert row["author_email"] == "ada@example.org"
    assert row["message"].startswith("First words")
    assert row["site_name"] == "shop"
    assert row["provisioningState"] == "Succeeded"
    assert row["url"] == f"{server.url}{API}/{commit}"
    assert (await admin.get(row["url"])).json == row
    latest = await admin.get(f"{API}/latest")
    assert (latest.status, latest.json) == (200, row)


async def test_rolling_back_makes_the_older_one_active(admin: Client, shop: Site) -> None:
    first = await shop.deploy({"index.txt": "1"})
    second = await shop.deploy({"index.txt": "2"})
    started = await admin.ask("PUT", f"{API}/{first}", {"clean": False, "needFileUpdate": True})
    assert started.status == 202
    assert started.headers["Location"] == started.json["url"]
    done = (await ended(admin, started.headers["Location"])).json
    assert (done["status"], done["active"], done["attempt"]) == (4, True, 2)
    other = (await admin.get(f"{API}/{second}")).json
    assert other["active"] is False
    current = shop.server.home.app("shop").current
    assert (current / "index.txt").read_text() == "1"


async def test_a_commit_that_was_only_stored_can_be_deployed_by_any_name(
    admin: Client, shop: Site
) -> None:
    shop.write({"index.txt": "1"})
    commit = shop.commit()
    for name in (commit[:8], "main"):
        started = await admin.ask("PUT", f"{API}/{name}")
        assert started.status == 202
        assert started.json["id"] == commit
        await ended(admin, started.headers["Location"])
    assert (await admin.ask("PUT", f"{API}/{'0' * 40}")).status == 404
    assert (await admin.ask("PUT", f"{API}/no-such-thing")).status == 404


async def test_latest_answers_202_and_a_second_call_409_while_one_is_under_way(
    admin: Client, shop: Site
) -> None:
    shop.write({**SLOW_BUILD, "build.sh": "echo building\nsleep 3\n"})
    commit = shop.commit()
    started = await admin.ask("PUT", f"{API}/{commit}")
    assert started.status == 202
    latest = await admin.get(f"{API}/latest")
    assert latest.status == 202
    assert latest.json["status"] in (0, 1, 2)
    assert latest.json["provisioningState"] == "InProgress"
    busy = await admin.ask("PUT", f"{API}/{commit}")
    assert busy.status == 409
    assert "Retry-After" in busy.headers
    async with admin.stream(
        f"{API}/{commit}/log?follow=true", accept="application/x-ndjson"
    ) as response:
        records = [json.loads(line) async for line in response.content]
    assert records[0]["event"] == "deploy.started"
    assert records[-1]["event"] == "deploy.succeeded"
    assert (await admin.get(f"{API}/latest")).status == 200


async def test_the_log_leads_to_the_output_of_the_build(admin: Client, shop: Site) -> None:
    script = "echo one\necho two >&2\n"
    commit = await shop.deploy({**SLOW_BUILD, "build.sh": script})
    entries = (await admin.get(f"{API}/{commit}/log")).json
    assert {"log_time", "id", "message", "type", "details_url"} == set(entries[0])
    (build,) = [entry for entry in entries if entry["details_url"]]
    details = (await admin.get(build["details_url"])).json
    assert {entry["message"] for entry in details} == {"one", "two"}
    assert (await admin.get(f"{API}/{commit}/log/99999")).status == 404
    text = await admin.get(f"{API}/{commit}/log", Accept="text/plain")
    assert "deployed" in text.text
    latest = (await admin.get(f"{API}/latest/log")).json
    assert latest == entries


async def test_a_failed_deployment_is_never_active_and_says_why(admin: Client, shop: Site) -> None:
    await shop.deploy({"index.txt": "1"})
    shop.write({**SLOW_BUILD, "build.sh": "exit 3\n"})
    commit = shop.commit()
    started = await admin.ask("PUT", f"{API}/{commit}")
    done = (await ended(admin, started.headers["Location"])).json
    assert (done["status"], done["active"]) == (3, False)
    assert done["provisioningState"] == "Failed"
    assert done["status_text"]
    entries = (await admin.get(done["log_url"])).json
    assert [entry["type"] for entry in entries][-1] == 2


async def test_a_deployment_made_elsewhere_is_recorded(admin: Client, shop: Site) -> None:
    """As azure/webapps-deploy does it."""
    deployment_id = f"{'a' * 40}1764000000000"
    body = {
        "id": deployment_id,
        "active": True,
        "status": 4,
        "message": '{"type":"deployment","sha":"aaa"}',
        "author": "ada",
        "deployer": "GitHub",
    }
    recorded = await admin.ask("PUT", f"{API}/{deployment_id}", body)
    assert recorded.status == 200
    assert recorded.json["id"] == deployment_id
    assert recorded.json["url"].endswith(f"/deployments/{deployment_id}")
    found = (await admin.get(f"{API}/{deployment_id}")).json
    assert (found["status"], found["deployer"], found["author"]) == (4, "GitHub", "ada")
    assert found["message"] == body["message"]
    assert found["active"] is False
    assert (await admin.get(found["log_url"])).status == 200
    again = await admin.ask("PUT", f"{API}/{deployment_id}", {"status": 3})
    assert again.json["status"] == 3
    assert (await admin.ask("PUT", f"{API}/{deployment_id}")).status == 409


@pytest.mark.parametrize(
    ("deployment_id", "body", "status"),
    [
        ("latest", {"status": 4}, 400),
        ("a b", {"status": 4}, 400),
        ("x" * 101, {"status": 4}, 400),
        ("ok", {"status": 1}, 400),
        ("ok", {"status": "four"}, 400),
        ("ok", [], 400),
    ],
)
async def test_what_cannot_be_recorded_is_refused(
    admin: Client, shop: Site, deployment_id: str, body: object, status: int
) -> None:
    answer = await admin.ask("PUT", f"{API}/{deployment_id}", body)
    assert answer.status == status, answer.body
    assert (await admin.get(API)).json == []


async def test_a_deployment_is_forgotten_unless_it_is_active(
    admin: Client, shop: Site, server: Server
) -> None:
    first = await shop.deploy({"index.txt": "1"})
    second = await shop.deploy({"index.txt": "2"})
    assert (await admin.ask("DELETE", f"{API}/{second}")).status == 409
    assert (await admin.ask("DELETE", f"{API}/{first}")).status == 204
    assert (await admin.get(f"{API}/{first}")).status == 404
    assert (await admin.ask("DELETE", f"{API}/{first}")).status == 404
    assert not server.home.app("shop").deployment_log(first).exists()


async def test_urls_are_those_of_the_way_in(admin: Client, shop: Site) -> None:
    commit = await shop.deploy({"index.txt": "1"})
    (plain,) = (await admin.get(API, Host="deploy.example.org:81")).json
    assert plain["url"] == f"http://deploy.example.org:81{API}/{commit}"
    (proxied,) = (
        await admin.get(
            API,
            X_Forwarded_Proto="https",
            X_Forwarded_Host="evil.example, paas.example.org",
            X_Forwarded_Prefix="/git",
        )
    ).json
    assert proxied["log_url"] == f"https://paas.example.org/git{API}/{commit}/log"
    assert (await admin.get(API, Host="a b")).status == 400
    assert (await admin.get(API, X_Forwarded_Host="x/y")).status == 400


async def test_two_calls_at_once_start_one_deployment(admin: Client, shop: Site) -> None:
    shop.write({**SLOW_BUILD, "build.sh": "sleep 1\n"})
    commit = shop.commit()
    answers = await asyncio.gather(*(admin.ask("PUT", f"{API}/{commit}") for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409]
    await ended(admin, f"{API}/{commit}")
