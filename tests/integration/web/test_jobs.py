"""Jobs as Kudu's clients see, start, stop and run them."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.support import eventually

API = "/apps/shop/api"


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May run the jobs of the shop, where they are deployed."""
    await shop.deploy(SITE)
    yield await admin.token_for("run", apps=["shop"])


async def test_a_continuous_job_has_kudus_fields(client: Client, server: Server) -> None:
    await eventually(lambda: _state(server, "ticker") == "Running")
    (job,) = (await client.get(f"{API}/continuouswebjobs")).json
    assert job["name"] == "ticker"
    assert job["type"] == "continuous"
    assert job["run_command"] == "run.py"
    assert job["status"] == "Running"
    assert re.fullmatch(r"[0-9a-f]{6} - Running", job["detailed_status"])
    assert job["error"] is None
    assert job["using_sdk"] is False
    assert job["url"] == f"{server.url}{API}/continuouswebjobs/ticker"
    assert job["extra_info_url"] == f"{server.url}/ui/shop/jobs/ticker/"
    assert (await client.get(job["url"])).json["pid"] == job["pid"]

    async def log() -> str:
        text = str((await client.get(job["log_url"])).text)
        return text if "tick 1\n" in text else ""

    base = f"{server.url}/apps/shop/vfs/data/jobs"
    assert job["log_url"] == f"{base}/continuous/ticker/job_log.txt"
    assert re.search(r"^\[[^]]+: INFO\] tick 1$", await eventually(log), re.M)


async def test_stop_ends_the_process_and_start_brings_a_new_one(
    client: Client, server: Server
) -> None:
    await eventually(lambda: _state(server, "ticker") == "Running")
    before = (await client.get(f"{API}/continuouswebjobs/ticker")).json["pid"]
    stopped = await client.ask("POST", f"{API}/continuouswebjobs/TICKER/stop")
    assert stopped.status == 200
    assert stopped.json["status"] == "Stopped"
    assert stopped.json["enabled"] is False
    assert stopped.json["pid"] is None
    started = await client.ask("POST", f"{API}/continuouswebjobs/ticker/start")
    assert started.status == 200
    await eventually(lambda: _state(server, "ticker") == "Running")
    after = (await client.get(f"{API}/continuouswebjobs/ticker")).json["pid"]
    assert after not in (None, before)


async def test_a_triggered_job_has_kudus_fields(client: Client, server: Server) -> None:
    jobs = {job["name"]: job for job in (await client.get(f"{API}/triggeredwebjobs")).json}
    assert set(jobs) == {"nightly", "report", "slow"}
    report, nightly = jobs["report"], jobs["nightly"]
    assert report["latest_run"] is None
    assert report["scheduler_logs_url"] is None
    assert report["history_url"] == f"{server.url}{API}/triggeredwebjobs/report/history"
    assert nightly["settings"] == {"schedule": "0 0 3 * * *", "mine": 1}
    assert nightly["next_run"] is not None
    data = f"{server.url}/apps/shop/vfs/data/jobs/triggered/nightly"
    assert nightly["scheduler_logs_url"] == f"{data}/job_scheduler.log"
    log = await client.get(nightly["scheduler_logs_url"])
    assert re.search(r": SYS INFO\] Next schedule expected in \d{4}-", log.text)
    assert (await client.get(f"{API}/triggeredwebjobs/nightly/scheduler_log")).text == log.text


async def test_a_run_is_accepted_recorded_and_readable(client: Client, server: Server) -> None:
    started = await client.ask(
        "POST",
        f"{API}/triggeredwebjobs/report/run?arguments=3%20%27two%20words%27",
        headers={"User-Agent": "tester/1"},
    )
    assert started.status == 202
    location = started.headers["Location"]
    assert location.startswith(f"{server.url}{API}/triggeredwebjobs/report/history/")

    async def ended() -> dict[str, object] | None:
        run = (await client.get(location)).json
        return run if run["end_time"] else None

    run = await eventually(ended)
    assert run["status"] == "Failed"
    assert run["exit_code"] == 3
    assert run["trigger"] == "External - tester/1"
    assert re.fullmatch(r"\d{18}", str(run["id"]))
    assert run["name"] == run["id"]
    assert re.fullmatch(r"00:\d\d:\d\d\.\d{7}", str(run["duration"]))
    assert str(run["start_time"]).endswith("Z")
    assert run["url"] == location
    data = f"{server.url}/apps/shop/vfs/data/jobs/triggered/report/{run['id']}"
    assert (run["output_url"], run["error_url"]) == (f"{data}/output_log.txt", None)
    log = await client.get(f"{location}/log")
    assert set(log.text.splitlines()) == {"reporting 3 two words", "trouble"}
    runs = (await client.get(f"{API}/triggeredwebjobs/report/history")).json["runs"]
    assert runs == [run]
    job = (await client.get(f"{API}/triggeredwebjobs/report")).json
    assert job["latest_run"] == run


async def test_both_kinds_come_in_one_list(client: Client) -> None:
    for path in ("/apps/shop/api/webjobs", "/apps/shop/jobs"):
        jobs = (await client.get(path)).json
        assert [(job["type"], job["name"]) for job in jobs] == [
            ("continuous", "ticker"),
            ("triggered", "nightly"),
            ("triggered", "report"),
            ("triggered", "slow"),
        ]
    one = (await client.get(f"{API}/triggeredwebjobs/nightly")).json
    assert jobs[1] == one


async def test_a_second_run_at_once_is_a_conflict(client: Client) -> None:
    assert (await client.ask("POST", f"{API}/triggeredwebjobs/slow/run")).status == 202
    second = await client.ask("POST", f"{API}/triggeredwebjobs/slow/run")
    assert second.status == 409
    assert "Retry-After" in second.headers


async def test_unbalanced_quotes_start_nothing(client: Client) -> None:
    refused = await client.ask("POST", f"{API}/triggeredwebjobs/report/run?arguments=%27open")
    assert refused.status == 400
    assert (await client.get(f"{API}/triggeredwebjobs/report/history")).json == {"runs": []}


async def test_an_unchanged_list_is_not_sent_again(client: Client) -> None:
    for path in ("triggeredwebjobs", "triggeredwebjobs/report/history", "deployments"):
        first = await client.get(f"{API}/{path}")
        again = await client.get(f"{API}/{path}", If_None_Match=first.headers["ETag"])
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        other = await client.get(f"{API}/{path}", If_None_Match='"other"')
        assert (other.status, other.body) == (200, first.body)


@pytest.mark.parametrize(
    "base",
    [
        "/api/triggeredwebjobs",
        "/triggeredwebjobs",
        "/jobs/triggered",
        "/api/jobs/triggered",
        "/triggeredjobs",
        "/api/triggeredjobs",
    ],
)
async def test_older_spellings_answer_the_same(client: Client, base: str) -> None:
    path = f"/apps/shop{base}/report"
    assert (await client.get(path)).json["name"] == "report"
    assert (await client.ask("POST", f"{path}/run/")).status == 202


async def test_a_followed_run_ends_with_its_status_and_exit_code(client: Client) -> None:
    path = f"{API}/triggeredwebjobs/report/run?follow=true&arguments=7"
    async with client.stream(path, method="POST", accept="application/x-ndjson") as response:
        assert response.status == 200
        assert "/history/" in response.headers["Location"]
        records = [json.loads(line) async for line in response.content]
    assert {r["line"] for r in records[:-1]} == {"reporting 7", "trouble"}
    assert {r["event"] for r in records[:-1]} == {"job.output"}
    last = records[-1]
    assert (last["event"], last["status"], last["exit_code"]) == ("run.ended", "Failed", 7)
    assert {r["run"] for r in records} == {last["run"]}
    assert {r["job"] for r in records} == {"report"}


async def test_a_followed_run_goes_on_when_its_client_leaves(client: Client, admin: Client) -> None:
    path = f"{API}/triggeredwebjobs/slow/run?follow=true"
    async with client.stream(path, method="POST", accept="text/plain") as response:
        assert await response.content.readline() == b"slow begins\n"
        response.close()
    (run,) = (await client.get(f"{API}/triggeredwebjobs/slow/history")).json["runs"]
    assert run["status"] == "Running"
    (entry,) = [e for e in (await admin.get("/api/audit")).json if e["what"] == "triggered.run"]
    assert (entry["who"], entry["on"], entry["result"]) == ("run", "shop/slow", "200 OK")


async def test_a_live_log_is_resumed_without_loss_or_repetition(client: Client) -> None:
    path = f"{API}/continuouswebjobs/ticker/log?follow=true"
    seen: list[int] = []
    last_id: str | None = None
    for _ in range(3):
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with client.stream(path, accept="text/event-stream", headers=headers) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            taken = 0
            async for line in response.content:
                if line.startswith(b"id: "):
                    last_id = line[4:].decode().strip()
                elif line.startswith(b"data: "):
                    record = json.loads(line[6:])
                    seen.append(int(record["line"].split()[1]))
                    taken += 1
                    if taken == 4:
                        break
            response.close()
    assert seen == list(range(1, 13))


async def test_a_forged_place_in_a_log_is_refused(client: Client) -> None:
    path = f"{API}/continuouswebjobs/ticker/log"
    assert (await client.get(path, Last_Event_ID="nonsense")).status == 400
    assert (await client.get(f"{path}?tail=many")).status == 400
    assert (await client.get(path, Accept="image/png")).status == 406


async def test_the_log_stream_has_kudus_lines_of_every_job(client: Client) -> None:
    async with client.stream(f"{API}/logstream", accept="text/plain") as response:
        await client.ask("POST", f"{API}/triggeredwebjobs/report/run")
        wanted = {b"tick", b"reporting", b"trouble"}
        async with asyncio.timeout(20):
            assert (await response.content.readline()).endswith(b"log-streaming service.\n")
            async for line in response.content:
                match = re.match(rb"\[\d\d/\d\d/\d{4} [\d:]{8} > \w{6}: (INFO|ERR )\] (\w+)", line)
                assert match, line
                wanted.discard(match[2])
                if not wanted:
                    break
        response.close()


async def test_the_log_stream_of_one_job_resumes_where_it_was(client: Client) -> None:
    path = f"{API}/logstream/jobs/continuous/ticker"
    assert (await client.get(f"{API}/logstream/else/where")).status == 404
    numbers: list[int] = []
    place = ""
    for _ in range(2):
        async with client.stream(
            f"{path}?tail=1", accept="text/event-stream", headers={"Last-Event-ID": place}
        ) as response:
            taken = 0
            async for line in response.content:
                if line.startswith(b"id: "):
                    place = line[4:].decode().strip()
                elif line.startswith(b"data: "):
                    numbers.append(int(json.loads(line[6:])["line"].split()[1]))
                    taken += 1
                    if taken == 3:
                        break
            response.close()
    assert numbers == list(range(numbers[0], numbers[0] + 6))


async def test_events_come_as_they_happen(client: Client) -> None:
    async with client.stream(f"{API}/events", accept="application/x-ndjson") as response:
        await client.ask("POST", f"{API}/triggeredwebjobs/report/run")
        async with asyncio.timeout(20):
            async for line in response.content:
                record = json.loads(line)
                assert record["app"] == "shop"
                if record["event"] == "run.ended":
                    break
        response.close()
    told = await client.get(f"{API}/events?follow=false", Accept="application/x-ndjson")
    events = [json.loads(line)["event"] for line in told.text.splitlines()]
    assert "deploy.succeeded" in events
    assert events[-1] == "run.ended"
    text = await client.get(f"{API}/events?follow=false&tail=1")
    assert " run.ended " in text.text
    assert len(text.text.splitlines()) == 1


async def test_a_stopping_server_ends_streams_in_good_order(client: Client, server: Server) -> None:
    async with client.stream(
        f"{API}/continuouswebjobs/ticker/log?follow=true", accept="text/plain"
    ) as response:
        assert (await response.content.readline()).startswith(b"tick")
        runner, server._runner = server._runner, None
        assert runner is not None
        async with asyncio.timeout(4):  # far below the grace of 5 s and the job's life
            await runner.cleanup()
            await response.content.read()  # ends without an error


def _state(server: Server, name: str) -> str:
    return next(v.status for v in server.supervisor.jobs("shop") if v.job.name == name)


async def test_a_run_takes_a_body_a_key_and_who_asked(client: Client, server: Server) -> None:
    url = f"{API}/triggeredwebjobs/report/run"
    headers = {"Idempotency-Key": '"8e03978e"', "User-Agent": "hook/2"}
    first = await client.ask("POST", url, body=b"hello", headers=headers)
    again = await client.ask("POST", url, body=b"hello", headers=headers)
    assert (first.status, again.status) == (202, 202)
    assert first.headers["Location"] == again.headers["Location"]

    async def ended() -> Any:
        run = (await client.get(first.headers["Location"])).json
        return run if run["end_time"] else None

    run = await eventually(ended)
    assert run["trigger"] == "External - hook/2"
    assert run["who"]
    assert run["output_bytes"] > 0
    bad = await client.ask("POST", url, headers={"Idempotency-Key": "x" * 300})
    assert bad.status == 400
    assert "Idempotency-Key" in bad.json["detail"]
    large = await client.ask("POST", url, body=io.BytesIO(bytes((1 << 20) + 1)))
    assert large.status == 413


async def test_delete_ends_a_run_that_is_under_way_and_refuses_one_that_ended(
    client: Client,
) -> None:
    started = await client.ask("POST", f"{API}/triggeredwebjobs/slow/run")
    location = started.headers["Location"]
    assert (await client.get(location)).json["status"] == "Running"
    aborted = await client.ask("DELETE", location)
    assert aborted.status == 200
    assert aborted.json["status"] == "Stopped"
    assert aborted.json["signal"] == "SIGTERM"
    again = await client.ask("DELETE", location)
    assert again.status == 409
    assert (await client.ask("DELETE", location[:-1] + "x")).status == 404
