"""SIGTERM: what is in flight ends within the grace, what doesn't is told so."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually


async def test_a_push_whose_build_outlasts_the_grace_is_told_and_holds_up_nobody(
    home: Path, tmp_path: Path
) -> None:
    server = Server(home, "--grace", "2", "--swap-grace", "0.3")
    await server.start()
    repo = Developer(tmp_path / "work", server, app="demo")
    repo.write(".deployment", "[config]\ncommand = echo building && sleep 60\n")
    commit = repo.commit("slow")
    push = asyncio.create_task(repo.push(commit=False, check=False))
    await eventually(lambda: _building(server, commit), what="the build runs")
    begun = time.monotonic()
    assert await server.end() == 0
    took = time.monotonic() - begun
    words = await push
    assert "The server was stopped during it." in words
    assert "main -> main" in words, "the ref has moved, and git says so"
    assert "RPC failed" not in words
    assert 1.5 < took < 4, "the grace, and a moment to tell it"


async def test_a_deployment_that_nobody_waits_for_ends_within_the_grace(
    server: Server, repo: Developer
) -> None:
    repo.write(".deployment", "[config]\ncommand = sleep 1.5\n")
    commit = repo.commit("slow")
    await repo.push("-o", "gitdeploy.wait=false", "deploy", "main", commit=False)
    await eventually(lambda: _building(server, commit), what="the build runs")
    assert await server.end() == 0
    await server.start()
    found = await server.call("GET", f"/apps/demo/api/deployments/{commit}")
    assert (found["status"], found["active"]) == (4, True)


async def test_a_request_that_stalls_doesnt_hold_up_the_end_longer_than_the_grace(
    home: Path,
) -> None:
    server = Server(home, "--grace", "1")
    await server.start()
    await server.call("PUT", "/api/apps/demo", status=201)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
        + b"Authorization: Bearer "
        + ADMIN.encode()
        + b"\r\nContent-Length: 100000\r\n\r\n00"
    )
    await writer.drain()
    begun = time.monotonic()
    assert await server.end() == 0
    assert time.monotonic() - begun < 3
    writer.close()
    await reader.read()


async def test_a_longer_grace_that_was_read_again_counts(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "gitdeploy.toml").write_text("grace = 0.1\n")
    server = Server(home)
    await server.start()
    repo = Developer(tmp_path / "work", server, app="demo")
    repo.write(".deployment", "[config]\ncommand = sleep 1.5\n")
    commit = repo.commit("slow")
    assert server.process is not None
    (home / "gitdeploy.toml").write_text("grace = 20\n")
    server.process.send_signal(signal.SIGHUP)
    await eventually(lambda: "config.reloaded" in server.words())
    push = asyncio.create_task(repo.push(commit=False, check=False))
    await eventually(lambda: _building(server, commit), what="the build runs")
    assert await server.end() == 0
    assert "deployed" in await push


async def _building(server: Server, commit: str) -> bool:
    found = await server.call("GET", f"/apps/demo/api/deployments/{commit}", status=(200, 404))
    return bool(found.get("status") == 1)


def test_sigterm_while_the_server_is_starting_is_an_orderly_end(home: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gitdeploy",
            "serve",
            "--home",
            str(home),
            "--listen",
            "127.0.0.1:0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        until = time.monotonic() + 20
        while not _catches(process.pid, signal.SIGTERM):  # the first thing that it does
            assert time.monotonic() < until
            time.sleep(0.001)
        process.terminate()
        said, words = process.communicate(timeout=30)
    assert process.returncode == 0, words.decode()
    assert said == b"", "it was never ready"


def _catches(pid: int, number: int) -> bool:
    text = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in text.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (number - 1) & 1)
