"""Somebody with a zip and no git: real zip and curl, through restarts, pushes and crashes."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually, git

pytestmark = [
    pytest.mark.skipif(shutil.which("zip") is None, reason="zip isn't installed"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed"),
]
ZIP = ("-H", "Content-Type: application/zip")
SAY = "#!/bin/sh\n# {}\nwhile :; do echo {}; sleep 0.1; done\n"


class Person:
    """A directory with files and a shell, and an app on the server."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.server = server
        directory.mkdir()

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def zip(self, name: str, *arguments: str) -> str:
        (self.directory / name).unlink(missing_ok=True)
        command = ["zip", "-q", *arguments[:-1], name, arguments[-1]]
        subprocess.run(command, cwd=self.directory, check=True)
        return name

    async def curl(self, path: str, *arguments: str, fails: bool = False) -> Any:
        """`curl -u :TOKEN … URL`; the JSON, None for an empty body, the text of a refusal."""
        url = f"{self.server.url}/apps/demo/api/{path}"
        process = await asyncio.create_subprocess_exec(
            "curl",
            "-sS",
            "--fail-with-body",
            "-u",
            f":{ADMIN}",
            *arguments,
            url,
            cwd=self.directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode != 0) == fails, (path, out, errors)
        return json.loads(out) if out else None

    async def run(self, job: str) -> str:
        """What a run of the job says."""
        process = await asyncio.create_subprocess_exec(
            "curl",
            "-sSu",
            f":{ADMIN}",
            "-X",
            "POST",
            f"{self.server.url}/apps/demo/api/triggeredwebjobs/{job}/run?follow=true",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return out.decode()


@pytest.fixture
async def person(tmp_path: Path, server: Server) -> Person:
    await server.call("PUT", "/api/apps/demo", status=201)
    return Person(tmp_path / "person", server)


def generations(server: Server) -> list[str]:
    uploads = server.home / "apps/demo/uploads"
    return sorted(str(path.relative_to(uploads)) for path in uploads.glob("*/*/*"))


async def test_a_zip_is_a_job_through_restarts_and_pushes_until_it_is_deleted(
    person: Person, server: Server, repo: Developer
) -> None:
    person.write("mail/run.sh", 'echo "uploaded, $(cat text)"\n')
    person.write("mail/text", "with a file")
    person.zip("job.zip", "-r", "mail")
    made = await person.curl("triggeredwebjobs/mail", "-T", "job.zip", *ZIP)
    assert (made["run_command"], made["origin"]) == ("run.sh", "upload")
    assert "uploaded, with a file" in await person.run("mail")
    person.write("ticker.sh", SAY.format("mine", "mine"))
    script = ("-H", "Content-Disposition: attachment; filename=run.sh")
    await person.curl("continuouswebjobs/ticker", "-T", "ticker.sh", *script)
    await server.says("ticker", "mine")
    pid = await server.pid("ticker")

    await server.kill()
    await server.start()
    repo.server = server
    assert await server.pid("ticker") == pid
    assert "uploaded, with a file" in await person.run("mail")

    repo.job("triggered/mail", "run.sh", "echo deployed\n")
    repo.job("triggered/other", "run.sh", "echo other\n")
    repo.job("continuous/ticker", "run.sh", SAY.format("pushed", "pushed"))

    git("remote", "set-url", "deploy", server.remote("demo"), cwd=repo.path)
    told = await repo.push()
    assert "an uploaded triggered job has this name" in told
    assert "an uploaded continuous job has this name" in told
    assert "DELETE api/triggeredwebjobs/mail" in told
    assert await server.pid("ticker") == pid, "a push restarts no uploaded job"
    assert "uploaded, with a file" in await person.run("mail")
    assert "other" in await person.run("other")

    assert await server.end() == 0
    await server.start()
    assert "uploaded, with a file" in await person.run("mail")
    await person.curl("triggeredwebjobs/mail", "-X", "DELETE")
    assert "deployed" in await person.run("mail")
    await person.curl("continuouswebjobs/ticker", "-X", "DELETE")
    await server.says("ticker", "pushed")
    assert "mine" not in await server.output("ticker")
    assert generations(server) == []


async def test_what_is_refused_leaves_the_old_job_running(person: Person, server: Server) -> None:
    put = ("continuouswebjobs/ticker", "-T", "job.zip", *ZIP)
    person.write("run.sh", SAY.format("old", "old"))
    person.zip("job.zip", "run.sh")
    await person.curl(*put)
    await server.says("ticker", "old")
    pid = await server.pid("ticker")
    held = generations(server)

    person.write("run.sh", "echo broken already >&2; exit 7\n")
    person.zip("job.zip", "run.sh")
    refused = await person.curl(*put, fails=True)
    assert refused["status"] == 400
    assert "exit code 7" in refused["detail"]
    assert "broken already" in refused["detail"]

    (person.directory / "link").symlink_to("/etc/passwd")
    person.zip("job.zip", "-y", "link")
    assert "symbolic link" in (await person.curl(*put, fails=True))["detail"]
    person.zip("job.zip", "--password", "x", "run.sh")
    assert "encrypted" in (await person.curl(*put, fails=True))["detail"]
    person.write("zeros", "\0" * (40 << 20))
    person.zip("job.zip", "-9", "zeros")
    assert "max_zip_ratio" in (await person.curl(*put, fails=True))["detail"]
    whole = (person.directory / "job.zip").read_bytes()
    (person.directory / "job.zip").write_bytes(whole[:-40])
    assert "zip" in (await person.curl(*put, fails=True))["detail"]

    assert (await server.pid("ticker"), generations(server)) == (pid, held)
    await server.kill()
    await server.start()
    assert (await server.pid("ticker"), generations(server)) == (pid, held)


async def test_settings_that_are_put_are_followed_from_the_next_second_on(
    person: Person, server: Server
) -> None:
    person.write("run.sh", "echo due\n")
    script = ("-H", "Content-Disposition: attachment; filename=run.sh")
    await person.curl("triggeredwebjobs/often", "-T", "run.sh", *script)
    path = "triggeredwebjobs/often/settings"
    assert await person.curl(path) == {}
    wanted = {"schedule": "* * * * * *", "mine": [1]}
    assert await person.curl(path, "-X", "PUT", "-d", json.dumps(wanted)) == wanted

    async def runs() -> list[Any]:
        found = await person.curl("triggeredwebjobs/often/history")
        return [run for run in found["runs"] if run["trigger"].startswith("Schedule")]

    await eventually(runs, what="a run by the schedule")
    wrong = await person.curl(path, "-X", "PUT", "-d", '{"schedule": "0 0 99 * * *"}', fails=True)
    assert "schedule" in wrong["detail"]
    assert await person.curl(path) == wanted
    await server.kill()
    await server.start()
    before = len(await runs())
    await eventually(lambda: _more(runs, before), what="another one after a restart")
    await person.curl(path, "-X", "PUT", "-d", "{}")
    assert (await person.curl("triggeredwebjobs/often"))["next_run"] is None


async def _more(runs: Any, before: int) -> bool:
    return len(await runs()) > before


async def test_the_loop_of_the_documentation_brings_a_directory_of_jobs(
    person: Person, server: Server
) -> None:
    documented = (Path(__file__).parents[2] / "docs/kudu.md").read_text()
    start = documented.index("    for job in triggered/*/; do")
    loop = documented[start : documented.index("    done\n", start) + len("    done\n")]
    person.write("triggered/one/run.sh", 'echo "first, $(cat "$WEBJOBS_PATH/lib/text")"\n')
    person.write("triggered/one/lib/text", "with a file")
    person.write("triggered/two/run.py", "print('second')\n")
    loop = loop.replace(":TOKEN", f":{ADMIN}").replace(
        "http://HOST:PORT/apps/shop", f"{server.url}/apps/demo"
    )
    ended = await asyncio.to_thread(
        subprocess.run, ["bash", "-e", "-c", loop], cwd=person.directory, capture_output=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "first, with a file" in await person.run("one")
    assert "second" in await person.run("two")


async def test_a_crash_at_any_moment_of_a_deletion_leaves_all_of_the_job_or_nothing(
    person: Person, server: Server
) -> None:
    chance = random.Random(5)
    person.write("run.sh", 'echo "$WEBJOBS_RUN_ID" >> "$WEBJOBS_DATA_PATH/kept"\n')
    script = ("-H", "Content-Disposition: attachment; filename=run.sh")
    paths = server.home / "apps/demo"
    kept = paths / "data/jobs/triggered/mail", paths / "executions/triggered/mail"
    for _ in range(6):
        await person.curl("triggeredwebjobs/mail", "-T", "run.sh", *script)
        await person.run("mail")
        deleting = asyncio.create_task(person.curl("triggeredwebjobs/mail", "-X", "DELETE"))
        await asyncio.sleep(chance.uniform(0, 0.08))  # the moment is what is tested
        await server.kill()
        answered = (await asyncio.gather(deleting, return_exceptions=True))[0]
        await server.start()
        names = [job["name"] for job in await person.curl("triggeredwebjobs")]
        if names:
            assert isinstance(answered, BaseException), "what was answered is done"
            assert (kept[0] / "kept").read_text()
            assert len((await person.curl("triggeredwebjobs/mail/history"))["runs"]) >= 1
            await person.curl("triggeredwebjobs/mail", "-X", "DELETE")
        assert generations(server) == []
        assert [path for path in kept if path.exists()] == []
        await person.curl("triggeredwebjobs/mail", "-T", "run.sh", *script)
        assert (await person.curl("triggeredwebjobs/mail/history"))["runs"] == []


@pytest.mark.parametrize("seed", range(4))
async def test_a_crash_at_any_moment_of_an_upload_leaves_the_old_or_the_new(
    person: Person, server: Server, seed: int
) -> None:
    chance = random.Random(seed)
    put = ("-T", "job.zip", *ZIP)

    def pack(version: int) -> None:
        person.write("run.sh", SAY.format(version, f"version {version}"))
        for number in range(300):
            person.write(f"lib/{number}", f"version {version}")
        person.zip("job.zip", "-r", ".")

    pack(0)
    await person.curl("continuouswebjobs/ticker", *put)
    possible = {0}
    for version in (1, 2, 3):
        pack(version)
        possible.add(version)
        putting = asyncio.create_task(person.curl("continuouswebjobs/ticker", *put))
        await asyncio.sleep(chance.uniform(0, 1.2))  # the moment is what is tested
        await server.kill()
        answered = (await asyncio.gather(putting, return_exceptions=True))[0]
        await server.start()
        # a process that lives in the other one is ended first
        await eventually(lambda: len(generations(server)) == 1, what="one generation is left")
        (kept,) = generations(server)
        site = server.home / "apps/demo/uploads" / kept / "App_Data/jobs/continuous/ticker"
        found = {path.read_text() for path in (site / "lib").iterdir()}
        assert len(found) == 1, "whole, not a mixture"
        assert len(list((site / "lib").iterdir())) == 300
        now = int(found.pop().removeprefix("version "))
        assert now in possible
        if not isinstance(answered, BaseException):
            assert now == version, "what was answered is kept"
        possible = {now}
        uploads = server.home / "apps/demo/uploads"
        assert [path.name for path in uploads.iterdir()] == ["continuous"]

        async def newest(now: int = now) -> bool:
            last = (await server.output("ticker")).rstrip().rsplit("\n", 1)[-1]
            return f"version {now}" in last

        await eventually(newest, limit=20, what=f"version {now} runs")
