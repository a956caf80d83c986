"""Builds with real commands in the strictest isolation that works here."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from gitdeploy.deploy.builds import installers
from gitdeploy.deploy.builds.runner import reap_builds
from gitdeploy.sandbox import Spec
from tests.support import eventually

APP = "demo"
JOB = "import time\nimport foo\nprint('foo', foo.VALUE, flush=True)\ntime.sleep(99)\n"


def command(text: str) -> str:
    return f"[config]\ncommand = {text}\n"


def wheel(value: int) -> bytes:
    """A pure wheel of one module, made without a build backend."""
    content = {
        "foo.py": f"VALUE = {value}\n",
        "foo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n",
        "foo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*content, "foo-1.0.dist-info/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {**content, "foo-1.0.dist-info/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


async def failed(server, repo) -> tuple[dict, str]:
    """Push what must fail; the failure's record and what the client read."""
    commit = repo.commit()
    text = "\n".join(await server.push(repo.push()))
    record = (await server.records(commit))[-1]
    assert record["event"] == "deploy.failed", text
    assert not any(server.paths.releases.glob("[0-9]*"))
    assert list((server.paths.root / "builds").glob("*")) == []
    return record, text


async def test_a_command_runs_in_the_release_and_its_output_is_live(server, repo):
    repo.write(".deployment", command("./build.sh"))
    script = "#!/bin/sh\necho one; echo two >&2\nprintf made > $DEPLOYMENT_TARGET/made\n"
    repo.write("build.sh", script, executable=True)
    commit = repo.commit()
    lines = await server.push(repo.push())
    text = "\n".join(lines)
    assert "$ ./build.sh" in text
    assert text.index("one") < text.index("two") < text.index("deployed")
    assert (server.paths.release(1) / "made").read_text() == "made"
    levels = {r["level"] for r in await server.records(commit) if r["event"] == "build.output"}
    assert levels == {"debug"}


async def test_a_failing_build_tells_its_last_lines_and_leaves_nothing(server, repo):
    repo.write(".deployment", command("seq 1 30; echo no such thing >&2; exit 3"))
    record, text = await failed(server, repo)
    assert "exit code 3" in record["what"]
    assert record["step"] == "build"
    assert record["tail"][-1] == "no such thing"
    assert len(record["tail"]) == 20
    assert text.count("no such thing\n") == 1, "the client has read it live already"


async def test_a_silent_build_is_ended_and_told_which_setting_to_raise(server, repo):
    await server.store.apps.merge_settings(APP, {"SCM_COMMAND_IDLE_TIMEOUT": "0.5"})
    repo.write(".deployment", command("echo begun; sleep 88"))
    record, _ = await failed(server, repo)
    assert "wrote nothing for 0.5 s" in record["what"]
    assert "SCM_COMMAND_IDLE_TIMEOUT" in record["fix"]
    assert record["tail"] == ["begun"]


async def test_a_build_that_talks_is_not_silent(server, repo):
    await server.store.apps.merge_settings(APP, {"SCM_COMMAND_IDLE_TIMEOUT": "1"})
    repo.write(".deployment", command("for i in 1 2 3 4 5; do echo $i; sleep 0.4; done"))
    repo.commit()
    assert "deployed" in (await server.push(repo.push()))[-1]


async def test_a_build_over_its_time_is_ended_whole(make_server):
    server = await make_server(build_timeout=0.7)
    repo = await server.app()
    repo.write(
        ".deployment",
        command("(setsid sleep 66.125 &); while true; do echo x; sleep 0.1; done"),
    )
    record, _ = await failed(server, repo)
    assert "longer than 0.7 s" in record["what"]
    assert "build_timeout" in record["fix"]
    assert not running("66.125")


async def test_what_a_build_leaves_in_the_background_is_ended(server, repo):
    repo.write(".deployment", command("(setsid sleep 55.125 >/dev/null 2>&1 &); echo done"))
    repo.commit()
    assert "deployed" in (await server.push(repo.push()))[-1]
    assert not running("55.125")


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan"])
async def test_an_idle_timeout_that_is_no_number_is_named(server, repo, value):
    repo.write(".deployment", f"[config]\ncommand = true\nSCM_COMMAND_IDLE_TIMEOUT = {value}\n")
    record, _ = await failed(server, repo)
    assert f"SCM_COMMAND_IDLE_TIMEOUT = {value}" in record["what"]


async def test_a_build_sees_the_apps_settings_and_nothing_of_the_server(server, repo):
    server.environ |= {"GITDEPLOY_ADMIN_TOKEN": "hush-hush", "PIP_INDEX_URL": "https://i/"}
    await server.store.apps.merge_settings(APP, {"COLOUR": "blue", "HOME": "/nowhere"})
    repo.write(".deployment", command("env > environment"))
    commit = repo.commit()
    await server.push(repo.push())
    lines = (server.paths.release(1) / "environment").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert seen["COLOUR"] == "blue"
    assert seen["PIP_INDEX_URL"] == "https://i/"
    assert seen["HOME"] == str(server.paths.cache)
    assert seen["SCM_COMMIT_ID"] == commit
    assert seen["DEPLOYMENT_SOURCE"] == str(server.paths.release(1))
    assert "hush-hush" not in "".join(lines)


async def test_a_sandboxed_build_does_not_see_the_home(server, repo):
    if server.holders.level != "sandbox":
        pytest.skip("bubblewrap doesn't work here")
    home = server.home.root
    repo.write(".deployment", command(f"ls {home} > seen; cat {home}/gitdeploy.db; true"))
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert (server.paths.release(1) / "seen").read_text().split() == ["apps"]
    assert "gitdeploy.db: No such file" in text


async def test_a_build_can_be_switched_off(server, repo):
    await server.store.apps.merge_settings(APP, {"SCM_DO_BUILD_DURING_DEPLOYMENT": "false"})
    repo.write(".deployment", command("exit 1"))
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "skipped by SCM_DO_BUILD_DURING_DEPLOYMENT" in text
    assert "deployed" in text


async def test_project_is_the_sites_root(server, repo):
    repo.write(".deployment", "[config]\nproject = site\n")
    repo.job("continuous/not", "print()\n")
    source = "VERSION = 1\nimport time\nwhile True: time.sleep(1)\n"
    repo.write("site/App_Data/jobs/continuous/yes/run.py", source)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "+ continuous/yes" in text
    assert "continuous/not" not in text
    assert (await server.store.releases.active(APP)).project == "site"
    assert server.pid("yes")


async def test_the_build_may_make_the_project_and_its_sources_count(server, repo):
    repo.write(".deployment", "[config]\ncommand = cp -r src dist\nproject = dist\n")
    repo.write("src/App_Data/jobs/continuous/t/run.py", "import time\ntime.sleep(99)\n")
    repo.commit()
    await server.push(repo.push())
    before = server.pid("t")
    assert before
    repo.write("src/App_Data/jobs/continuous/t/run.py", "import time\ntime.sleep(98)\n")
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "~ continuous/t" in text
    assert server.pid("t") != before


async def test_a_project_that_is_not_there_is_named(server, repo):
    repo.write(".deployment", "[config]\nproject = site\n")
    record, _ = await failed(server, repo)
    assert "project = site" in record["what"]


async def test_a_project_that_a_build_links_elsewhere_is_refused(server, repo):
    repo.write(".deployment", "[config]\ncommand = ln -s /tmp site\nproject = site\n")
    record, _ = await failed(server, repo)
    assert "project = site" in record["what"]


async def test_a_broken_dotdeployment_fails_with_its_line(server, repo):
    repo.write(".deployment", "[config]\ncommand\n")
    record, _ = await failed(server, repo)
    assert record["what"].startswith(".deployment, line 2:")


@pytest.mark.parametrize("tool", ["uv", "pip"])
async def test_requirements_become_an_environment_that_is_kept(server, repo, tool, monkeypatch):
    if tool == "pip":
        monkeypatch.setattr(installers, "find_uv", lambda environ: None)
    elif installers.find_uv(server.environ) is None:
        pytest.skip("uv isn't installed here")
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    repo.write("requirements.txt", "./wheels/foo-1.0-py3-none-any.whl\n")
    repo.write("wheels/foo-1.0-py3-none-any.whl", wheel(1))
    repo.job("continuous/t", JOB)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert f"requirements.txt installed with {tool}" in text
    assert "deployed" in text
    await eventually(lambda: "foo 1" in output(server, "t"))
    first, pid = (await server.store.releases.active(APP)).environment, server.pid("t")

    repo.write("README.md", "words")
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert re.search(rf"build +python environment {first[:8]} reused", text)
    assert server.pid("t") == pid

    repo.write("wheels/foo-1.0-py3-none-any.whl", wheel(2))
    repo.commit()
    await server.push(repo.push())
    await eventually(lambda: "foo 2" in output(server, "t"))
    second = (await server.store.releases.active(APP)).environment
    assert second != first
    assert {p.name for p in server.paths.environments.iterdir()} == {first, second}


async def test_a_change_of_jobs_that_are_elsewhere_builds_no_environment(server, repo, monkeypatch):
    monkeypatch.setattr(installers, "find_uv", lambda environ: None)
    server.environ |= {"PIP_NO_INDEX": "1"}
    await server.store.apps.merge_settings(APP, {"WEBJOBS_ROOT_PATH": "work"})
    repo.write("requirements.txt", "--find-links .\nfoo\n")
    repo.write("foo-1.0-py3-none-any.whl", wheel(1))
    repo.write("work/continuous/t/run.py", JOB)
    repo.commit()
    await server.push(repo.push())
    first, pid = (await server.store.releases.active(APP)).environment, server.pid("t")

    repo.write("work/continuous/u/run.py", JOB)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert f"python environment {first[:8]} reused" in text
    assert server.pid("t") == pid


@pytest.mark.parametrize("tool", ["uv", "pip"])
async def test_a_locked_project_is_installed_from_its_lock_where_uv_is(
    server, repo, tool, monkeypatch
):
    uv = installers.find_uv(server.environ)
    if uv is None:
        pytest.skip("uv isn't installed here")
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    name = "wheels/foo-1.0-py3-none-any.whl"
    repo.write(name, wheel(3))
    project = (
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["foo"]\n'
    )
    repo.write("pyproject.toml", f'{project}[tool.uv.sources]\nfoo = {{ path = "{name}" }}\n')
    lock = [uv, "lock", "-q", "--offline", "--python", sys.executable]
    subprocess.run(lock, cwd=repo.path, check=True)
    if tool == "pip":
        monkeypatch.setattr(installers, "find_uv", lambda environ: None)
        server.environ |= {"PIP_FIND_LINKS": "wheels"}
    repo.job("continuous/t", JOB)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    source = "uv.lock" if tool == "uv" else "pyproject.toml"
    assert f"{source} installed with {tool}" in text
    assert ("uv.lock isn't used" in text) is (tool == "pip")
    await eventually(lambda: "foo 3" in output(server, "t"))


async def test_a_failed_environment_leaves_nothing_and_is_built_next_time(server, repo):
    server.environ |= {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    repo.write("requirements.txt", "./wheels/missing-1.0-py3-none-any.whl\n")
    record, _ = await failed(server, repo)
    assert "install -r requirements.txt ended with exit code" in record["what"]
    assert list(server.paths.environments.iterdir()) == []


async def test_a_package_json_brings_its_modules(server, repo):
    if shutil.which("npm") is None:
        pytest.skip("npm isn't installed here")
    package = {"name": "x", "version": "1.0.0", "dependencies": {"y": "file:./y"}}
    repo.write("package.json", json.dumps(package))
    repo.write("y/package.json", json.dumps({"name": "y", "version": "1.0.0", "main": "i.js"}))
    repo.write("y/i.js", "module.exports = 'why'\n")
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "$ npm install" in text
    assert "deployed" in text
    assert (server.paths.release(1) / "node_modules/y/i.js").exists()


@pytest.mark.parametrize("level", ["none", "process"])
async def test_builds_work_at_every_level_and_end_with_their_group(make_server, level):
    server = await make_server(isolation=level)
    repo = await server.app()
    repo.write(".deployment", command("(sleep 22.125 &); echo made > made"))
    repo.commit()
    assert "deployed" in (await server.push(repo.push()))[-1]
    assert (server.paths.release(1) / "made").exists()
    assert not running("22.125")


async def test_a_build_that_a_dead_server_left_is_ended_at_the_next_start(server, repo):
    builds = server.paths.root / "builds"
    builds.mkdir()
    directory = Path(tempfile.mkdtemp(dir=builds))
    output = directory / "stdout"
    spec = Spec(
        argv=("/bin/sh", "-c", "sleep 44.125"),
        cwd=Path("/"),
        directory=directory,
        stdout=output,
        stderr=output,
        environment={},
    )
    await server.holders.spawn(spec)
    await eventually(lambda: running("44.125"))
    await reap_builds(server.paths, server.holders)
    assert not running("44.125")
    assert list(builds.iterdir()) == []


async def test_a_cancelled_build_is_ended_even_while_it_starts(server, repo):
    repo.write(".deployment", command("sleep 33.125"))
    for number in range(5):
        commit = repo.commit(str(number))
        repo.push()
        task = asyncio.create_task(server.deploy(commit))
        await eventually(lambda: server.deployer.busy(APP))
        await asyncio.sleep(0.01 * number)
        await server.deployer.forget(APP)
        assert (await task).status == "failed"
        assert not running("33.125")


def output(server, job: str) -> str:
    """The output of all executions of a continuous job."""
    files = server.paths.executions("continuous", job).glob("*/stdout")
    return "".join(file.read_text() for file in files)


def running(argument: str) -> list[int]:
    """Pids of the processes that were started with this argument."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if argument.encode() in words and state != "Z":
            found.append(int(name))
    return found
