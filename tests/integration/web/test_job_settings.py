"""Settings of jobs over the API, and the secrets that are kept apart from them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.integration.web.uploading import (
    AS_JSON,
    CONTINUOUS,
    TRIGGERED,
    ZIP,
    left,
    pinging,
    script,
    zipped,
)
from tests.support import eventually

AT_THREE = {"schedule": "0 0 3 * * *"}
PING = f"{TRIGGERED}/ping"
NAME = "triggered/ping/action.request.authentication.password"


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May deploy to an app that nothing was pushed to."""
    yield await admin.token_for("deploy", apps=["shop"])


async def test_settings_are_replaced_at_once_and_restart_nothing(
    client: Client, server: Server
) -> None:
    await client.ask("PUT", f"{CONTINUOUS}/c", b"sleep 600", headers=script())
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == {}
    wanted = {"schedule": "0 0 3 * * *", "mine": {"kept": [1]}}
    put = await client.ask("PUT", f"{TRIGGERED}/a/settings", wanted)
    assert put.status == 200, put.body
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == wanted
    job = (await client.get(f"{TRIGGERED}/a")).json
    assert job["settings"] == wanted
    assert job["next_run"] is not None
    bad = await client.ask("PUT", f"{TRIGGERED}/a/settings", {"schedule": "0 0 99 * * *"})
    assert bad.status == 400
    assert "hour" in bad.json["detail"]
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == wanted

    async def pid() -> int | None:
        return (await client.get(f"{CONTINUOUS}/c")).json["pid"]

    before = await eventually(pid)
    await client.ask(
        "PUT", f"{CONTINUOUS}/c/settings", {"stopping_wait_time": 1, "is_singleton": True}
    )
    assert await pid() == before
    assert (await client.ask("PUT", f"{TRIGGERED}/nobody/settings", {})).status == 404


async def test_settings_of_a_deployed_job_count_until_its_settings_job_changes(
    client: Client, shop: Site
) -> None:
    files = {
        "App_Data/jobs/triggered/a/run.sh": "true",
        "App_Data/jobs/triggered/a/settings.job": '{"schedule": "0 0 1 * * *"}',
    }
    await shop.deploy(files)
    await client.ask("PUT", f"{TRIGGERED}/a/settings", {"schedule": "0 0 2 * * *"})
    await shop.deploy({"README.md": "another commit"})
    assert (await client.get(f"{TRIGGERED}/a/settings")).json["schedule"] == "0 0 2 * * *"
    await shop.deploy(
        {**files, "App_Data/jobs/triggered/a/settings.job": '{"schedule": "0 0 3 * * *"}'}
    )
    assert (await client.get(f"{TRIGGERED}/a/settings")).json["schedule"] == "0 0 3 * * *"


async def test_an_action_alone_is_a_job_and_its_secrets_are_never_shown(
    client: Client, server: Server
) -> None:
    request = {
        "method": "POST",
        "uri": "https://example.org/ping",
        "authentication": {"type": "basic", "username": "me", "password": "very-secret-word"},
    }
    settings = {"schedule": "0 0 3 * * *", "action": {"type": "https", "request": request}}
    made = await client.ask(
        "PUT", f"{TRIGGERED}/ping", settings, headers={"Content-Type": "application/json"}
    )
    assert made.status == 200, made.body
    assert made.json["run_command"] == "POST https://example.org/ping"
    shown = await client.get(f"{TRIGGERED}/ping/settings")
    assert "very-secret-word" not in shown.text
    again = await client.ask("PUT", f"{TRIGGERED}/ping/settings", shown.json)
    assert again.status == 200, again.body
    name = shown.json["action"]["request"]["authentication"]["password"]["secret"]
    assert await server.store.secrets.get("shop", name) == "very-secret-word"
    for file in server.home.app("shop").uploads.rglob("*"):
        assert not file.is_file() or b"very-secret-word" not in file.read_bytes()
    await client.ask("DELETE", f"{TRIGGERED}/ping")
    assert await server.store.secrets.values("shop") == []


async def test_settings_outlast_an_upload_until_it_brings_others(
    client: Client, server: Server
) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", b"echo one", headers=script())
    await client.ask("PUT", f"{TRIGGERED}/a/settings", AT_THREE)
    again = await client.ask("PUT", f"{TRIGGERED}/a", b"echo two", headers=script())
    assert again.json["settings"] == AT_THREE
    assert again.json["next_run"] is not None
    brought = zipped(run_dot_sh="echo three", settings_dot_job='{"mine": 1}')
    third = await client.ask("PUT", f"{TRIGGERED}/a", brought, headers=ZIP)
    assert third.json["settings"] == {"mine": 1}
    records = [entry.record for entry in server.events.app_journal("shop").tail(100)]
    assert [r["job"] for r in records if r["event"] == "job.settings_dropped"] == ["a"]


async def test_good_settings_mend_the_error_of_a_job(client: Client, shop: Site) -> None:
    job = "App_Data/jobs/triggered/a"
    await shop.deploy({f"{job}/run.sh": "true", f"{job}/settings.job": '{"schedule": "noon"}'})
    assert "noon" in (await client.get(f"{TRIGGERED}/a")).json["error"]
    await client.ask("PUT", f"{TRIGGERED}/a/settings", AT_THREE)
    mended = (await client.get(f"{TRIGGERED}/a")).json
    assert mended["error"] is None
    assert mended["next_run"] is not None


async def test_a_schedule_that_is_put_is_followed_and_one_taken_away_is_not(
    client: Client,
) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    await client.ask("PUT", f"{TRIGGERED}/a/settings", {"schedule": "* * * * * *"})

    async def ran() -> Any:
        return (await client.get(f"{TRIGGERED}/a/history")).json["runs"]

    await eventually(ran, what="the next second's run")
    await client.ask("PUT", f"{TRIGGERED}/a/settings", {})
    assert (await client.get(f"{TRIGGERED}/a")).json["next_run"] is None


async def test_an_action_is_put_again_with_a_reference_and_keeps_its_secret(
    client: Client, server: Server
) -> None:
    made = await client.ask("PUT", PING, pinging("very-secret"), headers=AS_JSON)
    again = await client.ask("PUT", PING, {**made.json["settings"], **AT_THREE}, headers=AS_JSON)
    assert again.status == 200, again.body
    assert again.json["next_run"] is not None
    assert await server.store.secrets.get("shop", NAME) == "very-secret"
    other = await client.ask("PUT", PING, pinging("another"), headers=AS_JSON)
    assert other.status == 200
    assert await server.store.secrets.values("shop") == ["another"]


async def test_a_secret_of_settings_outlasts_an_upload_as_they_do(
    client: Client, server: Server
) -> None:
    await client.ask("PUT", PING, b"true", headers=script())
    await client.ask("PUT", f"{PING}/settings", pinging("very-secret"))
    await client.ask("PUT", PING, b"false", headers=script())
    assert await server.store.secrets.values("shop") == ["very-secret"]
    brought = zipped(run_dot_sh="true", settings_dot_job='{"mine": 1}')
    await client.ask("PUT", PING, brought, headers=ZIP)
    assert await server.store.secrets.values("shop") == []


@pytest.mark.parametrize("name", [NAME, "triggered/other/action.request.body"])
async def test_a_reference_to_a_secret_that_the_job_does_not_have_is_refused(
    client: Client, server: Server, name: str
) -> None:
    await client.ask("PUT", f"{TRIGGERED}/other", pinging("theirs"), headers=AS_JSON)
    before = left(server)
    refused = await client.ask("PUT", PING, pinging({"secret": name}), headers=AS_JSON)
    assert refused.status == 400
    assert name in refused.json["detail"]
    assert left(server) == before


async def test_a_secret_in_a_zip_is_neither_shown_nor_on_the_disk_whatever_else_is_wrong(
    client: Client, server: Server
) -> None:
    settings = json.dumps(pinging("very-secret", schedule="noon"))
    made = await client.ask("PUT", PING, zipped(top__settings_dot_job=settings), headers=ZIP)
    assert made.status == 200, made.body
    assert "noon" in made.json["error"]
    assert b"very-secret" not in made.body
    for file in server.home.app("shop").uploads.rglob("*"):
        assert not file.is_file() or b"very-secret" not in file.read_bytes()
    unread = json.dumps(pinging("very-secret")).replace("uri", "url")
    refused = await client.ask("PUT", PING, zipped(settings_dot_job=unread), headers=ZIP)
    assert refused.status == 400
    assert b"very-secret" not in refused.body


async def test_settings_that_leave_a_job_nothing_to_run_are_refused(client: Client) -> None:
    await client.ask("PUT", PING, pinging("x"), headers=AS_JSON)
    refused = await client.ask("PUT", f"{PING}/settings", AT_THREE)
    assert refused.status == 400
    assert "action" in refused.json["detail"]
    assert (await client.get(PING)).json["error"] is None
