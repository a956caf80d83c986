"""An operator with curl, a shell and a pager."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually

SERVE = [sys.executable, "-m", "gitdeploy", "serve"]


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")}
    return subprocess.run(
        [*SERVE, *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


async def curl(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-u", f":{ADMIN}", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
async def test_curl_starts_a_run_and_follows_its_output_to_its_exit_code(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/greet", "run.sh", 'for a in "$@"; do echo "hello $a"; done; exit 3\n')
    await repo.push()
    url = f"{server.url}/apps/demo/api/triggeredwebjobs/greet/run"
    text = await curl("-X", "POST", f"{url}?arguments=Ada%20%22Grace%20Hopper%22&follow=true")
    assert "hello Ada\nhello Grace Hopper\n" in text
    records = [
        json.loads(line)
        for line in (
            await curl("-X", "POST", "-H", "Accept: application/x-ndjson", f"{url}?follow=true")
        ).splitlines()
    ]
    assert records[-1]["status"] == "Failed"
    assert records[-1]["exit_code"] == 3
    head = await curl("-X", "POST", "-D", "-", "-o", os.devnull, url)
    assert "202" in head.splitlines()[0]
    assert f"Location: {server.url}/apps/demo/api/triggeredwebjobs/greet/history/" in head


async def test_a_second_run_while_one_runs_is_409(server: Server, repo: Developer) -> None:
    repo.job("triggered/slow", "run.sh", "sleep 2\n")
    await repo.push()
    path = "/apps/demo/api/triggeredwebjobs/slow/run"
    answers = await asyncio.gather(
        *(server.call("POST", path, status=(202, 409)) for _ in range(10))
    )
    refused = [a for a in answers if isinstance(a, dict) and a.get("status") == 409]
    assert len(refused) == 9
    assert refused[0]["title"]


async def test_nothing_in_arguments_is_executed(
    server: Server, repo: Developer, tmp_path: Path
) -> None:
    repo.job("triggered/show", "run.sh", 'printf "%s\\n" "$@"\necho "$WEBJOBS_COMMAND_ARGUMENTS"\n')
    await repo.push()
    evil = f"$(touch {tmp_path}/pwned) `id` ; echo x 'a b'"
    from urllib.parse import quote

    path = f"/apps/demo/api/triggeredwebjobs/show/run?follow=true&arguments={quote(evil)}"
    async with server.stream("POST", path) as stream:
        records = [json.loads(line) async for line in stream]
    lines = [r["line"] for r in records if r["event"] == "job.output"]
    assert lines == [
        "$(touch",
        f"{tmp_path}/pwned)",
        "`id`",
        ";",
        "echo",
        "x",
        "a b",
        evil,
    ]
    assert not (tmp_path / "pwned").exists()


async def test_a_stopped_job_stays_stopped_through_pushes_and_restarts(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.sh", "while :; do echo tick; sleep 0.1; done\n")
    await repo.push()
    await server.says("ticker", "tick")
    pid = await server.pid("ticker")
    await server.call("POST", "/apps/demo/api/continuouswebjobs/ticker/stop")

    async def stopped() -> bool:
        return bool((await server.job("ticker"))["status"] == "Stopped")

    await eventually(stopped)
    assert not Path(f"/proc/{pid}").exists()
    repo.write("App_Data/jobs/continuous/ticker/new", "x")
    await repo.push()
    assert await stopped()
    await server.end()
    await server.start()
    assert await stopped()
    await server.call("POST", "/apps/demo/api/continuouswebjobs/ticker/start")

    async def running() -> bool:
        return bool((await server.job("ticker"))["status"] == "Running")

    await eventually(running)


async def test_a_setting_takes_effect_at_once(server: Server, repo: Developer) -> None:
    script = 'echo "colour is $COLOUR"; while :; do sleep 0.1; done\n'
    repo.job("continuous/painter", "run.sh", script)
    await repo.push()
    await server.call("POST", "/apps/demo/api/settings", {"COLOUR": "green"})
    assert (await server.call("GET", "/apps/demo/api/settings"))["COLOUR"] == "green"
    await server.says("painter", "colour is green")


async def test_tokens_may_do_what_they_are_for_and_nothing_else(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    await repo.push()
    await server.call("PUT", "/api/apps/secret", status=201)

    async def token(*scopes: str) -> str:
        body = {"name": "t", "scopes": scopes, "apps": ["demo"]}
        return str((await server.call("POST", "/api/tokens", body, status=201))["token"])

    read, run, deploy = await token("read"), await token("run"), await token("deploy")
    runs = "/apps/demo/api/triggeredwebjobs/report/run"
    await server.call("GET", "/apps/demo/api/triggeredwebjobs", token=None, status=401)
    await server.call("GET", "/apps/demo/api/triggeredwebjobs", token="gd_wrong", status=401)
    await server.call("GET", "/apps/demo/api/triggeredwebjobs", token=read, status=200)
    await server.call("POST", runs, token=read, status=403)
    await server.call("POST", runs, token=run, status=202)
    await server.call("POST", "/apps/demo/api/settings", {"A": "b"}, token=run, status=403)
    await server.call("POST", "/apps/demo/api/settings", {"A": "b"}, token=deploy)
    await server.call("GET", "/api/tokens", token=deploy, status=403)
    hidden = await server.call("GET", "/apps/secret/api/deployments", token=deploy, status=404)
    absent = await server.call("GET", "/apps/absent/api/deployments", token=deploy, status=404)
    assert hidden["title"] == absent["title"]
    assert hidden["detail"].replace("secret", "absent") == absent["detail"]
    listed = await server.call("GET", "/api/tokens")
    assert all("token" not in t for t in listed)
    await server.call("DELETE", f"/api/tokens/{listed[0]['id']}")
    await server.call("GET", "/apps/demo/api/triggeredwebjobs", token=read, status=401)
    what = [entry["what"] for entry in await server.call("GET", "/api/audit")]
    assert len(what) >= 6
    log = server.log.read_text() + "".join(
        p.read_text(errors="replace") for p in server.home.rglob("*.ndjson")
    )
    for secret in (read, run, deploy, ADMIN):
        assert secret not in log


async def test_an_app_is_made_and_deleted_with_all_that_it_has(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.sh", "while :; do echo tick; sleep 0.1; done\n")
    await repo.push()
    pid = await server.pid("ticker")
    assert [a["name"] for a in await server.call("GET", "/api/apps")] == ["demo"]
    await server.call("DELETE", "/api/apps/demo")
    assert not Path(f"/proc/{pid}").exists()
    assert not (server.home / "apps/demo").exists()
    await server.call("GET", "/api/apps/demo", status=404)
    await server.call("PUT", "/api/apps/Not_A_Name", status=400)


async def test_health_metrics_and_openapi_answer(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    await repo.push()
    await server.call("GET", "/healthz", token=None, status=200)
    ready = await server.call("GET", "/readyz", token=None, status=200)
    assert "isolation" not in ready, "details are for those with a token"
    ready = await server.call("GET", "/readyz", status=200)
    assert ready["isolation"] in ("none", "process", "sandbox")
    await server.call("GET", "/metrics", token=None, status=401)
    metrics = await server.call("GET", "/metrics", status=200)
    assert "gitdeploy_deployments_total" in metrics
    document = await server.call("GET", "/openapi.json", token=None, status=200)
    assert document["openapi"].startswith("3.1")


def test_a_bad_option_stops_the_start_and_is_named(tmp_path: Path) -> None:
    home = str(tmp_path / "h")
    for arguments, environment, named in (
        (["--home", home, "--isolation", "jail"], {}, "--isolation"),
        (["--home", home], {"GITDEPLOY_GRCE": "1"}, "GITDEPLOY_GRCE"),
        (["--home", home, "--listen", "nowhere"], {}, "listen"),
    ):
        done = serve(*arguments, **environment)
        assert done.returncode == 1
        assert named in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_a_taken_port_and_a_taken_home_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve("--home", str(tmp_path / "h"), "--listen", f"127.0.0.1:{port}")
        assert done.returncode == 1
        assert str(port) in done.stderr
        assert "Traceback" not in done.stderr


async def test_a_second_server_of_one_home_is_refused(server: Server) -> None:
    done = await asyncio.to_thread(serve, "--home", str(server.home), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert server.process is not None
    assert f"pid {server.process.pid}" in done.stderr


def test_a_home_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    home.chmod(0o777)
    done = serve("--home", str(home), "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "written by others" in done.stderr


async def test_the_first_start_shows_the_token_once_and_keeps_it(home: Path) -> None:
    server = Server(home, env={"GITDEPLOY_ADMIN_TOKEN": ""})
    del server.env["GITDEPLOY_ADMIN_TOKEN"]
    process = subprocess.Popen(
        [*SERVE, "--home", str(home), "--listen", "127.0.0.1:0"],
        env={k: v for k, v in os.environ.items() if not k.startswith("GITDEPLOY_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    token = (home / "admin-token").read_text().strip()
    assert (home / "admin-token").stat().st_mode & 0o777 == 0o600
    server.url = url
    await server.call("GET", "/api/apps", token=token, status=200)
    process.terminate()
    rest, words = await asyncio.to_thread(process.communicate, timeout=30)
    assert process.returncode == 0
    assert rest == "", "the ready line is the only one on standard output"
    assert words.count(token) == 1


async def test_sighup_reads_the_options_again(server: Server) -> None:
    assert server.process is not None
    (server.home / "gitdeploy.toml").write_text("keep_releases = 2\n")
    server.process.send_signal(signal.SIGHUP)
    await eventually(lambda: "config.reloaded" in server.words())
    (server.home / "gitdeploy.toml").write_text("keep_releases = 'few'\n")
    server.process.send_signal(signal.SIGHUP)
    await eventually(lambda: "config.refused" in server.words())
    assert server.process.poll() is None


async def test_a_limit_that_was_read_again_counts_for_the_next_push(
    server: Server, repo: Developer
) -> None:
    await repo.push()
    assert server.process is not None
    (server.home / "gitdeploy.toml").write_text("max_push_objects = 2\n")
    server.process.send_signal(signal.SIGHUP)
    await eventually(lambda: "config.reloaded" in server.words())
    repo.write("a", "a")
    assert "max_push_objects" in await repo.push(check=False)


async def test_events_resume_without_loss_or_repetition(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    await repo.push()

    async def events(count: int, **headers: str) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        identity = ""
        async with server.stream(
            "GET", "/apps/demo/api/events", accept="text/event-stream", **headers
        ) as stream:
            async for line in stream:
                if line.startswith("id:"):
                    identity = line[3:].strip()
                elif line.startswith("data:"):
                    found.append((identity, json.loads(line[5:])))
                    if len(found) == count:
                        return found
        return found

    some = await events(8, Last_Event_ID="0")
    rest = await events(4, Last_Event_ID=some[3][0])
    assert rest == some[4:]
    assert {"ts", "level", "event", "app", "instance"} <= set(some[0][1])


async def test_notify_socket_is_told(home: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(20)
        server = Server(home, env={"NOTIFY_SOCKET": path})
        await server.start()
        assert sock.recv(100) == b"READY=1"
        await server.end()
        assert sock.recv(100) == b"STOPPING=1"
