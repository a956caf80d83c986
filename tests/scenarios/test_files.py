"""Somebody with zip and curl: a site sent as it is, edited in place, brought back, cut off half-way."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("zip")), reason="needs curl and zip"
)
TICKER = "while :; do echo {}; sleep 0.2; done\n"


class Said(NamedTuple):
    """What curl has printed."""

    status: int
    location: str
    etag: str
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Shell:
    """A directory with a site in it, and a shell there; `$API` and `$AUTH` are set."""

    def __init__(self, path: Path, server: Server) -> None:
        self.path = path
        self.server = server
        path.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "API": f"{self.server.url}/apps/demo/api",
            "AUTH": f"dev:{ADMIN}",
        }

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def ticker(self, word: str) -> None:
        self.write("App_Data/jobs/continuous/ticker/run.sh", TICKER.format(word))

    async def curl(self, arguments: str, *, before: str = "") -> Said:
        """Run `before | curl -u $AUTH ARGUMENTS` as typed; what came back."""
        piped = f"{before} | " if before else ""
        command = f"{piped}curl -sS -u $AUTH -D ../headers {arguments}"
        done = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", command],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        # the last block: `100 Continue` has one too
        lines = (self.path.parent / "headers").read_text().strip().split("\n\n")[-1].splitlines()
        named = (line.partition(": ") for line in lines[1:])
        fields = {name.lower(): value for name, _, value in named}
        status = int(lines[0].split()[1])
        body = done.stdout.decode()
        return Said(status, fields.get("location", ""), fields.get("etag", ""), body)

    def begin(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command that is to be ended by force."""
        return subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self.path,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def reads(self, path: str) -> str:
        said = await self.curl(f"$API/vfs/{path}")
        assert said.status == 200, said
        return said.body


@pytest.fixture
async def shell(tmp_path: Path, server: Server) -> Shell:
    await server.call("PUT", "/api/apps/demo")
    return Shell(tmp_path / "site", server)


def left_behind(server: Server) -> list[str]:
    """Bodies that nobody waits for any more."""
    return [file.name for file in (server.home / "apps/demo/uploads").glob("incoming-*")]


async def active(server: Server) -> Any:
    found = await server.call("GET", "/apps/demo/api/deployments")
    return next((one for one in found if one["active"]), None)


async def test_a_site_is_zipped_into_curl_and_runs(shell: Shell, server: Server) -> None:
    shell.ticker("one")
    shell.write("index.html", "first")
    said = await shell.curl("-X POST -T - $API/zipdeploy", before="zip -qr - .")
    assert said.status == 200, said
    assert (said.json["status"], said.json["trigger"]) == (4, "zip")
    await server.says("ticker", "one")
    assert await shell.reads("site/wwwroot/index.html") == "first"
    shell.ticker("two")
    said = await shell.curl(
        '-X POST -F "file=@-;filename=site.zip" $API/zipdeploy', before="zip -qr - ."
    )
    assert said.status == 200, said
    await server.says("ticker", "two")
    assert left_behind(server) == []


async def test_a_ci_job_polls_its_deployment_as_the_github_action_does(
    shell: Shell, server: Server
) -> None:
    shell.ticker("one")
    subprocess.run(["zip", "-qr", "../site.zip", "."], cwd=shell.path, check=True)
    said = await shell.curl(
        "-X POST -H 'Content-Type: application/octet-stream' --data-binary @../site.zip"
        ' "$API/zipdeploy?isAsync=true&deployer=GITHUB_ZIP_DEPLOY&message=x"'
    )
    assert said.status == 202, said

    async def ended() -> Any:
        polled = await shell.curl(said.location)
        assert polled.status in (200, 202)
        return polled.json if polled.json["status"] in (3, 4) else None

    done = await eventually(ended, limit=60)
    assert (done["status"], done["deployer"]) == (4, "GITHUB_ZIP_DEPLOY")
    latest = await shell.curl("$API/deployments/latest")
    assert (latest.status, latest.json["id"]) == (200, done["id"])
    log = await shell.curl(done["log_url"])
    assert log.json
    for entry in log.json:
        if entry["details_url"]:
            assert (await shell.curl(entry["details_url"])).status == 200
    assert (await shell.curl("$API/isdeploying")).json == {"value": False}


async def test_an_edit_over_vfs_is_live_at_once_and_can_be_taken_back(
    shell: Shell, server: Server, tmp_path: Path
) -> None:
    team = Developer(tmp_path / "team", server, app="demo")
    team.job("continuous/ticker", "run.sh", TICKER.format("pushed"))
    team.write("notes.md", "pushed")
    await team.push()
    await server.says("ticker", "pushed")
    commit = (await active(server))["id"]
    pid = await server.pid("ticker")

    shell.write("notes.md", "edited")
    target = "$API/vfs/site/wwwroot/notes.md"
    assert (await shell.curl(f"-T notes.md {target}")).status == 412
    tag = (await shell.curl(f"-I {target}")).etag
    said = await shell.curl(f"-T notes.md -H 'If-Match: {tag}' {target}")
    assert said.status == 204
    assert await shell.reads("site/wwwroot/notes.md") == "edited"
    assert (await shell.curl(f"-T notes.md -H 'If-Match: {tag}' {target}")).status == 412
    assert await server.pid("ticker") == pid

    shell.ticker("edited")
    script = "App_Data/jobs/continuous/ticker/run.sh"
    said = await shell.curl(f"-T {script} -H 'If-Match: *' $API/vfs/site/wwwroot/{script}")
    assert said.status == 204
    await server.says("ticker", "edited")

    said = await shell.curl(f"-X PUT $API/deployments/{commit}")
    assert said.status in (200, 202), said

    async def back() -> bool:
        return bool((await active(server))["id"] == commit)

    await eventually(back, limit=60)
    assert await shell.reads("site/wwwroot/notes.md") == "pushed"
    assert await shell.reads("site/repository/notes.md") == "pushed"
    assert await shell.reads(f"site/wwwroot/{script}") == TICKER.format("pushed")


async def test_data_goes_up_and_comes_down_as_a_zip(
    shell: Shell, server: Server, tmp_path: Path
) -> None:
    shell.write("deep/a.txt", "a")
    shell.write("b.bin", "b" * 300_000)
    assert (await shell.curl("-T - $API/zip/data/in/", before="zip -qr - .")).status == 200
    assert await shell.reads("data/in/deep/a.txt") == "a"
    assert (await shell.curl("$API/zip/data/in/ -o ../down.zip")).status == 200
    with zipfile.ZipFile(tmp_path / "down.zip") as archive:
        assert archive.testzip() is None
        assert {n for n in archive.namelist() if n[-1] != "/"} == {"deep/a.txt", "b.bin"}
    said = await shell.curl('-X DELETE "$API/vfs/data/in/?recursive=true"')
    assert said.status == 200
    assert not (server.home / "apps/demo/data/in").exists()


async def test_an_upload_that_is_cut_off_leaves_the_old_site_live_and_no_file(
    shell: Shell, server: Server
) -> None:
    shell.ticker("old")
    assert (await shell.curl("-X POST -T - $API/zipdeploy", before="zip -qr - .")).status == 200
    await server.says("ticker", "old")
    before, pid = await active(server), await server.pid("ticker")
    for path in ("-X POST -T - $API/zipdeploy", "-T - $API/vfs/site/wwwroot/new.bin"):
        curl = shell.begin(f"curl -sS -u $AUTH {path}")
        assert curl.stdin is not None
        curl.stdin.write(b"PK\3\4" + b"x" * 200_000)
        curl.stdin.flush()
        await eventually(lambda: left_behind(server), what="the body is on its way in")
        curl.kill()
        await asyncio.to_thread(curl.wait)
        curl.stdin.close()
        await eventually(lambda: not left_behind(server), what="what came of it is gone")
    assert (await active(server))["id"] == before["id"]
    assert len(await server.call("GET", "/apps/demo/api/deployments")) == 1
    assert await server.pid("ticker") == pid


async def test_a_server_that_is_killed_in_the_middle_of_an_upload_has_no_trace_of_it(
    shell: Shell, server: Server
) -> None:
    shell.ticker("old")
    assert (await shell.curl("-X POST -T - $API/zipdeploy", before="zip -qr - .")).status == 200
    before = await active(server)
    curl = shell.begin("curl -sS -u $AUTH -X POST -T - $API/zipdeploy")
    assert curl.stdin is not None
    curl.stdin.write(b"PK\3\4" + b"x" * 200_000)
    curl.stdin.flush()
    await eventually(lambda: left_behind(server), what="the body is on its way in")
    await server.kill()
    curl.kill()
    await asyncio.to_thread(curl.wait)
    curl.stdin.close()
    await server.start()
    assert left_behind(server) == []
    assert (await active(server))["id"] == before["id"]
    assert (await shell.curl("-X POST -T - $API/zipdeploy", before="zip -qr - .")).status == 200
