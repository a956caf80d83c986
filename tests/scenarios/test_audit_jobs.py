"""Jobs, logs and the server as an operator sees them who takes each promise at its word."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import Developer, Server
from tests.support import eventually, git

RUNS = "/apps/demo/api/triggeredwebjobs"
DEPLOYMENTS = "/apps/demo/api/deployments"


async def ran(server: Server, job: str, **query: str) -> Any:
    """Run a job to its end; the run."""
    arguments = f"?arguments={query['arguments']}" if query else ""
    await server.call("POST", f"{RUNS}/{job}/run{arguments}", status=202)
    location = server.headers["Location"]

    async def ended() -> Any:
        run = await server.call("GET", location)
        return run if run["end_time"] else None

    return await eventually(ended, limit=60)


async def test_a_locked_app_stores_what_is_pushed_and_deploys_nothing(
    server: Server, repo: Developer
) -> None:
    repo.write("index.html", "one")
    await repo.push()
    first = git("rev-parse", "HEAD", cwd=repo.path).stdout.strip()
    await server.call("PATCH", "/api/apps/demo", {"locked": "stocktaking until noon"})
    repo.write("index.html", "two")
    words = await repo.push()
    second = git("rev-parse", "HEAD", cwd=repo.path).stdout.strip()
    assert "stored, not deployed" in words
    assert "stocktaking until noon" in words
    refs = git("ls-remote", server.remote("demo"), "refs/heads/main", cwd=repo.path).stdout
    assert refs.split()[0] == second
    for commit in (first, second):
        refused = await server.call("PUT", f"{DEPLOYMENTS}/{commit}", {}, status=409)
        assert "stocktaking until noon" in refused["detail"]
        assert "locked" in refused["fix"]
    hook = {"format": "basic", "url": "https://example.org/x.git"}
    refused = await server.call("POST", "/apps/demo/deploy", hook, status=409)
    assert "stocktaking until noon" in refused["detail"]
    assert [d["id"] for d in await server.call("GET", DEPLOYMENTS)] == [first]
    await server.call("PATCH", "/api/apps/demo", {"locked": None})
    await server.call("PUT", f"{DEPLOYMENTS}/{second}", {}, status=202)

    async def active() -> bool:
        return bool((await server.call("GET", f"{DEPLOYMENTS}/{second}"))["active"])

    await eventually(active)


async def test_a_runs_status_has_one_spelling_everywhere(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", 'exit "$1"\n')
    await repo.push()
    for code, status in (("0", "Success"), ("3", "Failed")):
        path = f"{RUNS}/report/run?follow=true&arguments={code}"
        async with server.stream("POST", path) as lines:
            last = json.loads([line async for line in lines][-1])
        assert (last["event"], last["status"], last["exit_code"]) == (
            "run.ended",
            status,
            int(code),
        )
        assert (await server.job("report", kind="triggered"))["latest_run"]["status"] == status
        path = "/apps/demo/api/events?follow=false"
        async with server.stream("GET", path) as lines:
            told = [json.loads(line) async for line in lines]
        ended = [record for record in told if record["event"] == "run.ended"][-1]
        for key in ("app", "kind", "job", "run", "status", "exit_code", "instance"):
            assert ended[key] == last[key], key


async def test_sighup_while_the_server_starts_doesnt_end_it(home: Path) -> None:
    server = Server(home)
    starting = asyncio.create_task(server.start())
    await eventually(lambda: server.log.exists() and "server.starting" in server.log.read_text())
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)
    await starting
    await eventually(lambda: "config.reloaded" in server.words())
    assert await server.end() == 0


@contextlib.asynccontextmanager
async def held_back(port: int, gate: asyncio.Event) -> AsyncIterator[int]:
    """A port that leads to another one once the gate is open."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        for work in (copy(reader, ours), copy(theirs, writer)):
            task = asyncio.create_task(work)
            tasks.add(task)

    proxy = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield proxy.sockets[0].getsockname()[1]
    finally:
        gate.set()
        proxy.close()
        for task in tasks:
            task.cancel()


async def test_a_fetch_that_was_accepted_survives_the_servers_death(
    server: Server, repo: Developer, tmp_path: Path
) -> None:
    repo.write("index.html", "one")
    await repo.push()
    tip = git("rev-parse", "HEAD", cwd=repo.path).stdout.strip()
    target = Server(tmp_path / "target", "--allow-private-fetch", "true")
    await target.start()
    gate = asyncio.Event()
    try:
        await target.call("PUT", "/api/apps/shop")
        async with held_back(server.port, gate) as port:
            url = server.remote("demo").replace(f":{server.port}", f":{port}")
            body = {"format": "basic", "url": f"{url}#main"}
            await target.call("POST", "/apps/shop/deploy", body, status=202)
            await target.kill()
            await target.start()
            latest = await target.call("GET", "/apps/shop/api/deployments/latest", status=202)
            assert latest["status"] == 0
            gate.set()

            async def deployed() -> bool:
                path = f"/apps/shop/api/deployments/{tip}"
                found = await target.call("GET", path, status=(200, 202, 404))
                return bool(found.get("active"))

            await eventually(deployed)
        assert await target.end() == 0
        await target.start()
        rows = await target.call("GET", "/apps/shop/api/deployments")
        assert [(row["id"], row["attempt"]) for row in rows] == [(tip, 1)], "done once"
        await target.call("GET", "/apps/shop/api/deployments/latest", status=200)
    finally:
        await target.end()


async def test_every_address_in_a_job_answers_as_it_stands(server: Server, repo: Developer) -> None:
    ticker = "while :; do echo tick; sleep 0.1; done\n"
    repo.job("continuous/ticker", "run.sh", ticker)
    repo.job("triggered/report", "run.sh", "echo done\n", {"schedule": "0 0 3 * * *"})
    await repo.push()
    await ran(server, "report")
    jobs = await server.call("GET", "/apps/demo/api/webjobs")
    found: dict[str, str] = {}

    def addresses(of: Any, where: str) -> None:
        for key, value in of.items():
            if isinstance(value, dict):
                addresses(value, f"{where}.{key}")
            elif isinstance(value, str) and value.startswith("http"):
                found[f"{where}.{key}"] = value

    for job in jobs:
        addresses(job, job["name"])
    wanted = {
        *(f"ticker.{key}" for key in ("url", "extra_info_url", "log_url")),
        *(f"report.{key}" for key in ("url", "extra_info_url", "history_url")),
        "report.scheduler_logs_url",
        *(f"report.latest_run.{key}" for key in ("url", "output_url")),
    }
    assert set(found) == wanted
    for name, url in found.items():
        pages = name.endswith("extra_info_url")
        await server.call("GET", url, status=303 if pages else 200)
        await server.call("GET", url, token=None, status=303 if pages else 401)
    one = await server.job("ticker")
    assert one["pid"] and one["since"] and one["restarts"] == 0
    assert (await server.job("report", kind="triggered"))["next_run"].endswith("Z")
