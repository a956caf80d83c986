"""Uploads beside deployments, what stands in for what, and what is left on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.integration.web.uploading import (
    CONTINUOUS,
    TRIGGERED,
    ZIP,
    left,
    pid,
    run,
    script,
    zipped,
)
from tests.support import eventually

SLEEP = b"echo uploaded; sleep 600"


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May deploy to an app that nothing was pushed to."""
    yield await admin.token_for("deploy", apps=["shop"])


def started(server: Server, job: str) -> int:
    """How often a process of the job was started."""
    records = [entry.record for entry in server.events.app_journal("shop").tail(400)]
    return len([r for r in records if r["event"] == "job.started" and r.get("job") == job])


async def test_a_job_says_where_it_comes_from(client: Client, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/triggered/a/run.sh": "true"})
    assert (await client.get(f"{TRIGGERED}/a")).json["origin"] == "release"
    made = await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    assert made.json["origin"] == "upload"
    await client.ask("PUT", f"{CONTINUOUS}/c", SLEEP, headers=script())
    listed = (await client.get("/apps/shop/api/webjobs")).json
    assert {job["name"]: job["origin"] for job in listed} == {"a": "upload", "c": "upload"}


async def test_the_deployed_continuous_job_comes_back_with_nothing_of_the_uploaded_one(
    client: Client, shop: Site, server: Server
) -> None:
    await shop.deploy({"App_Data/jobs/continuous/t/run.sh": "echo deployed; exec sleep 600"})
    writes = b'echo uploaded; touch "$WEBJOBS_DATA_PATH/mine"; exec sleep 600'
    await client.ask("PUT", f"{CONTINUOUS}/t", writes, headers=script())
    data = server.home.app("shop").job_data("continuous", "t")
    await eventually(lambda: (data / "mine").exists())
    async with asyncio.timeout(20):
        assert (await client.ask("DELETE", f"{CONTINUOUS}/t")).status == 200
    await pid(client, "t")

    async def output() -> str:
        return str((await client.get(f"{CONTINUOUS}/t/log")).text)

    assert await eventually(output) == "deployed\n"
    assert not (data / "mine").exists()
    assert left(server) == []


async def test_a_deleted_job_that_was_stopped_comes_again_started(
    admin: Client, client: Client
) -> None:
    operator = await admin.token_for("run", apps=["shop"])
    await client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script())
    assert (await operator.ask("POST", f"{CONTINUOUS}/t/stop")).status == 200
    again = await client.ask("PUT", f"{CONTINUOUS}/t", b"sleep 601", headers=script())
    assert again.json["enabled"] is False
    await client.ask("DELETE", f"{CONTINUOUS}/t")
    made = await client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script())
    assert made.json["enabled"] is True
    await pid(client, "t")


async def test_an_upload_during_a_deployment_knows_of_it(
    client: Client, shop: Site, server: Server
) -> None:
    server.options.swap_grace = 1.0
    job = {"App_Data/jobs/continuous/t/run.sh": "sleep 600"}
    await shop.deploy(job)
    deploying = asyncio.create_task(
        shop.deploy({**job, "App_Data/jobs/continuous/other/run.sh": "sleep 600"})
    )
    await eventually(lambda: started(server, "other"), what="the deployment's swap")
    put = await client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script())
    await deploying
    assert put.status == 200, put.body
    jobs = (await client.get(CONTINUOUS)).json
    assert [(j["name"], j["origin"]) for j in jobs] == [("other", "release"), ("t", "upload")]
    assert started(server, "other") == 1, "the old release didn't come back for a moment"


async def test_a_deployment_during_an_upload_knows_of_it(
    client: Client, shop: Site, server: Server
) -> None:
    server.options.swap_grace = 1.0
    job = {"App_Data/jobs/continuous/t/run.sh": "sleep 600"}
    await shop.deploy(job)
    putting = asyncio.create_task(client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script()))
    await eventually(lambda: started(server, "t") == 2, what="the upload's swap")
    await shop.deploy({**job, "App_Data/jobs/continuous/other/run.sh": "sleep 600"})
    assert (await putting).status == 200
    jobs = (await client.get(CONTINUOUS)).json
    assert [(j["name"], j["origin"]) for j in jobs] == [("other", "release"), ("t", "upload")]
    assert started(server, "t") == 2, "the upload's process goes on"


async def test_a_generation_goes_when_its_last_run_has_left_it(
    client: Client, server: Server
) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", zipped(run_dot_sh="cat end", end="x"), headers=ZIP)
    slow = b'until [ -e "$WEBJOBS_DATA_PATH/end" ]; do sleep 0.05; done'
    await client.ask("PUT", f"{TRIGGERED}/a", slow, headers=script())
    assert len(left(server)) == 1
    await client.ask("POST", f"{TRIGGERED}/a/run")
    await client.ask("PUT", f"{TRIGGERED}/a", b"echo new", headers=script())
    assert len(left(server)) == 2, "a run still lives in the old one"
    (server.home.app("shop").job_data("triggered", "a") / "end").touch()
    await eventually(lambda: len(left(server)) == 1, what="the old generation goes")

    async def output() -> Any:
        jobs = (await client.get(f"{TRIGGERED}/a")).json
        return jobs["latest_run"]["end_time"]

    await eventually(output)
    assert (await run(client, "a"))["output"] == "new\n"


async def test_a_job_made_again_runs_its_new_script_with_a_fresh_data_directory(
    client: Client,
) -> None:
    count = b'echo $(($(cat "$WEBJOBS_DATA_PATH/n" 2>/dev/null) + 1)) | tee "$WEBJOBS_DATA_PATH/n"'
    for _ in range(2):
        await client.ask(
            "PUT", f"{TRIGGERED}/a", b'echo old; echo 5 > "$WEBJOBS_DATA_PATH/n"', headers=script()
        )
        assert (await run(client, "a"))["output"] == "old\n"
        await client.ask("DELETE", f"{TRIGGERED}/a")
        await client.ask("PUT", f"{TRIGGERED}/a", count, headers=script())
        assert (await run(client, "a"))["output"].endswith("1\n")
        await client.ask("DELETE", f"{TRIGGERED}/a")


async def test_deleting_where_there_is_no_job_takes_what_an_earlier_one_left(
    client: Client, shop: Site, server: Server
) -> None:
    await shop.deploy({"App_Data/jobs/triggered/a/run.sh": "true"})
    await run(client, "a")
    (shop.path / "App_Data/jobs/triggered/a/run.sh").unlink()
    await shop.deploy({"App_Data/jobs/triggered/b/run.sh": "true"})
    executions = server.home.app("shop").executions("triggered", "a")
    assert executions.exists()
    for name in ("a", "a.b", "A%20b"):
        assert (await client.ask("DELETE", f"{TRIGGERED}/{name}")).status == 200
    assert not executions.exists()
    assert (server.home.app("shop").root / "executions").exists()


async def test_what_a_crash_left_goes_at_the_next_start(client: Client, server: Server) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    home = server.home.app("shop")
    for stray in ("2", "3.new"):
        (home.upload("triggered", "a", 1).with_name(stray) / "App_Data").mkdir(parents=True)
    (home.upload("continuous", "b", 1) / "App_Data").mkdir(parents=True)
    server.uploads.incoming("shop", "cut-off").write_bytes(b"PK")
    await server.uploads.start()
    kept = home.upload("triggered", "a", 1)
    assert list(home.uploads.glob("*/*/*")) == [kept]
    assert [p.name for p in home.uploads.iterdir() if p.is_file()] == []


async def test_an_app_that_is_deleted_takes_its_uploads_along(
    admin: Client, client: Client, server: Server
) -> None:
    server.options.swap_grace = 1.0
    await client.ask("PUT", f"{CONTINUOUS}/t", b"sleep 600", headers=script())
    putting = asyncio.create_task(client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script()))
    waiting = asyncio.create_task(client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script()))
    await eventually(lambda: started(server, "t") == 2, what="the upload's swap")
    assert (await admin.ask("DELETE", "/api/apps/shop")).status == 204
    await putting
    assert (await waiting).status in (200, 404)
    assert server.supervisor.uploads_in_use("shop") == set()
    assert not server.home.app("shop").root.exists()


async def test_an_upload_that_is_cancelled_is_all_there_or_not_at_all(
    client: Client, server: Server
) -> None:
    server.options.swap_grace = 1.0
    await client.ask("PUT", f"{CONTINUOUS}/t", b"sleep 600", headers=script())
    first = await pid(client, "t")
    putting = asyncio.create_task(client.ask("PUT", f"{CONTINUOUS}/t", SLEEP, headers=script()))
    await eventually(lambda: started(server, "t") == 2, what="the new process")
    running = [t for t in asyncio.all_tasks() if "JobUploads.put" in repr(t) or "take" in repr(t)]
    assert running
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    assert await pid(client, "t") == first
    assert len(left(server)) == 1
