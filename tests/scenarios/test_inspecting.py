"""An operator with curl: a command in an app's files, its processes, its logs in one zip."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
ALLOWED = ("--allow-commands", "true")


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Server]:
    started = Server(home, "--swap-grace", "0.7", "--grace", "5", *ALLOWED)
    await started.start()
    yield started
    await started.end()


class Shell:
    """Kudu's recipes as they are typed; `$API` and `$AUTH` are set."""

    def __init__(self, path: Path, server: Server) -> None:
        self.path = path
        self.server = server

    async def __call__(self, command: str, *, code: int = 0) -> str:
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "API": f"{self.server.url}/apps/demo/api",
            "AUTH": f"dev:{ADMIN}",
        }
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", command],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    async def json(self, command: str) -> Any:
        return json.loads(await self(command))


@pytest.fixture
async def shell(tmp_path: Path, server: Server) -> Shell:
    repo = Developer(tmp_path / "work", server, app="demo")
    repo.write("index.html", "<p>hello</p>\n")
    repo.job("continuous/ticker", "run.sh", "while :; do echo tick; sleep 0.2; done\n")
    await repo.push()
    await server.says("ticker", "tick")
    return Shell(tmp_path, server)


async def test_the_recipes_of_kudus_wiki(shell: Shell, server: Server) -> None:
    assert (await shell.json("curl -sSf -u $AUTH $API/environment"))["version"]
    assert (await shell.json("curl -sSf -u $AUTH $API/scm/info"))["Type"] == "Git"

    told = await shell.json(
        "curl -sSf -u $AUTH -H 'Content-Type: application/json'"
        """ -d '{"command": "cat index.html", "dir": "site\\\\wwwroot"}' $API/command"""
    )
    assert told == {"Output": "<p>hello</p>\n", "Error": "", "ExitCode": 0}

    processes = await shell.json("curl -sSf -u $AUTH $API/processes")
    before = await server.pid("ticker")
    assert before in [process["id"] for process in processes]
    one = await shell.json(f"curl -sSf -u $AUTH $API/processes/{before}")
    assert one["job"] == "continuous/ticker" and one["working_set"] > 0
    await shell(f"curl -sSf -u $AUTH -X DELETE $API/processes/{before}")

    async def again() -> bool:
        return await server.pid("ticker") not in (before, None)

    await server.call("POST", "/apps/demo/api/settings", {"WEBJOBS_RESTART_TIME": "0"}, status=204)
    await eventually(again, limit=90)

    await shell("curl -sSf -u $AUTH -d '{\"mine\": 1}' $API/diagnostics/settings")
    assert await shell.json("curl -sSf -u $AUTH $API/diagnostics/settings/mine") == 1
    lines = await shell.json("curl -sSf -u $AUTH '$API/logs/recent?top=3'".replace("'", '"'))
    assert [line["message"] for line in lines] == ["tick"] * 3

    await shell("curl -sSf -u $AUTH -OJ $API/dump")
    (dump,) = shell.path.glob("dump-*.zip")
    with zipfile.ZipFile(dump) as archive:
        assert archive.testzip() is None
        assert b"tick" in archive.read("LogFiles/jobs/continuous/ticker/job_log.txt")

    await shell("curl -sSf -u $AUTH -o script.zip $API/deploymentscript")
    with zipfile.ZipFile(shell.path / "script.zip") as archive:
        assert set(archive.namelist()) == {"deploy.sh", ".deployment"}

    assert await shell("curl -sS -u $AUTH -o answer -w %{http_code} $API/functions") == "501"
    assert "triggered job" in json.loads((shell.path / "answer").read_text())["fix"]


async def test_a_server_that_dies_leaves_no_command_running(shell: Shell, server: Server) -> None:
    body = json.dumps({"command": "echo $$ > data/pid; exec sleep 300"})
    asking = asyncio.create_task(shell(f"curl -sS -u $AUTH -d '{body}' $API/command || true"))
    data = server.home / "apps/demo/data"
    await eventually(lambda: (data / "pid").exists() and (data / "pid").read_text().strip())
    builds = server.home / "apps/demo/builds"
    (place,) = builds.iterdir()
    await server.kill()
    await asking
    left = _running_in(place)
    assert left

    await server.start()

    assert list(builds.iterdir()) == []
    await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    told = await shell.json('curl -sSf -u $AUTH -d \'{"command": "echo back"}\' $API/command')
    assert told["Output"] == "back\n"


def _running_in(place: Path) -> list[str]:
    """Processes that have the command's home in their environment or their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(place).encode() in known:
            found.append(process.name)
    return found
