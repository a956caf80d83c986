"""Jobs, logs and the server as an operator sees them who takes each promise at its word."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.scenarios.actors import ADMIN, Developer, Server
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


async def curl(*arguments: str) -> bytes:
    """What curl writes to its standard output."""
    command = ("curl", "-sSN", "--max-time", "90", "-u", f"x:{ADMIN}", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output


async def test_bytes_and_long_lines_arrive_as_they_were_written(
    server: Server, repo: Developer
) -> None:
    raw = bytes(range(256)) * 50 + b"\n"
    repo.write("raw", base64.b64encode(raw).decode())
    repo.job(
        "triggered/raw", "run.sh", 'base64 -d "$WEBROOT_PATH/raw" || base64 -d ../../../../raw\n'
    )
    repo.job("triggered/long", "run.py", "print('x' * (3 << 20))\n")
    repo.job("triggered/shy", "run.py", "import time\nprint('hello')\ntime.sleep(30)\n")
    repo.job("triggered/family", "run.sh", "(sleep 0.3; echo child) &\necho parent\nwait\n")
    await repo.push()
    for job, written in (
        ("raw", raw),
        ("long", b"x" * (3 << 20) + b"\n"),
        ("family", b"parent\nchild\n"),
    ):
        run = await ran(server, job)
        assert run["status"] == "Success"
        assert await curl(f"{run['url']}/log") == written
        records = await curl("-H", "Accept: application/x-ndjson", f"{run['url']}/log")
        lines = [json.loads(line) for line in records.splitlines()]
        assert len(lines) == (3 if job == "long" else written.count(b"\n"))
    assert [line.get("cut") for line in lines] == [None, None]
    async with server.stream("POST", f"{RUNS}/shy/run?follow=true", accept="text/plain") as shy:
        assert await asyncio.wait_for(anext(shy), 20) == "hello", "without a flush"


async def test_no_line_is_lost_to_live_followers_of_any_form(
    server: Server, repo: Developer
) -> None:
    script = "import time\nfor n in range(200_000):\n    print('line', n)\n    if n % 20_000 == 0: time.sleep(0.02)\n"
    repo.job("triggered/loud", "run.py", script)
    await repo.push()
    expected = [b"line %d" % n for n in range(200_000)]
    run = f"{server.url}{RUNS}/loud/run?follow=true"
    text = (await curl("-X", "POST", run)).splitlines()
    assert text[:-1] == expected
    assert text[-1].endswith(b"Success, exit code 0")
    records = (await curl("-X", "POST", "-H", "Accept: application/x-ndjson", run)).splitlines()
    told = [json.loads(record) for record in records]
    assert [record["line"].encode() for record in told[:-1]] == expected
    assert told[-1]["event"] == "run.ended"


async def test_a_follower_that_was_cut_off_goes_on_where_it_was(
    server: Server, repo: Developer
) -> None:
    script = "import time\nfor n in range(300):\n    print(n)\n    time.sleep(0.01)\n"
    repo.job("triggered/steady", "run.py", script)
    await repo.push()
    await server.call("POST", f"{RUNS}/steady/run", status=202)
    run = server.headers["Location"].split("/apps/", 1)[1]
    seen: list[str] = []
    headers: dict[str, str] = {}
    for count in (40, 90, 1000):
        async with server.stream(
            "GET", f"/apps/{run}/log?follow=true", accept="text/event-stream", **headers
        ) as lines:
            async for line in lines:
                if line.startswith("id: "):
                    headers = {"Last_Event_ID": line[4:]}
                elif line.startswith("data: "):
                    seen.append(json.loads(line[6:])["line"])
                    if len(seen) == count:
                        break
    assert seen == [str(n) for n in range(300)]


async def test_refusals_are_problems_and_writes_are_audited(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.sh", "while :; do sleep 1; done\n")
    await repo.push()
    path = "/apps/demo/api/continuouswebjobs/ticker"
    for method, where, status, headers in (
        ("GET", "/nowhere", 404, {}),
        ("PATCH", path, 405, {}),
        ("POST", "/apps/demo/api/settings", 415, {"Content-Encoding": "compress"}),
        ("POST", "/demo.git/git-receive-pack", 415, {"Content-Type": "text/plain"}),
    ):
        problem = await server.call(
            method, where, None if method == "GET" else b"{}", status=status, headers=headers
        )
        assert server.headers["Content-Type"].startswith("application/problem+json"), where
        assert problem["status"] == status
        assert {"type", "title", "detail"} <= set(problem)
    repo.write("large.json", json.dumps({"a": "x" * (3 << 20)}))
    settings = server.url + "/apps/demo/api/settings"
    large = json.loads(await curl("--data-binary", f"@{repo.path}/large.json", settings))
    assert large["status"] == 413
    await server.call("POST", f"{path}/stop")
    await server.call("POST", f"{path}/start")
    await server.call("POST", "/apps/demo/api/settings", {"COLOUR": "blue"})
    newest = (await server.call("GET", "/api/audit"))[:3]
    assert [entry["what"] for entry in newest] == [
        "settings.merge",
        "continuous.start",
        "continuous.stop",
    ]
    assert all(set(e) == {"ts", "who", "what", "on", "from", "result"} for e in newest)
