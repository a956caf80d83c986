"""How builds end: cancelled, for ever forking, on a full disk, two at once."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.deploy.builds.lock import locked
from tests.integration.deploy.builds.conftest import APP, deployed, failed
from tests.support import eventually

# Each daemonises: a session of its own, and its parent ends at once.
DAEMONS = """\
[config]
command = for i in 1 2 3; do (setsid sh -c 'sleep {0} & exec sleep {0}' >/dev/null 2>&1 &); done; \
touch {1}/begun; sleep {0}
"""
# One process at a time that is always another: it forks and ends.
CHAIN = """\
import os, time
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.002)
"""


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


def leftovers(server) -> list[str]:
    """What a build that didn't succeed may not leave."""
    paths = server.paths
    places = (paths.root / "builds", paths.environments, paths.modules, paths.releases)
    return [str(found) for place in places for found in place.glob("*")]


@pytest.mark.parametrize("level", ["sandbox", "process"])
async def test_a_cancelled_build_ends_with_its_daemons_and_leaves_nothing(make_server, level):
    server = await make_server()
    if server.holders.report[level] != "ok":
        pytest.skip(f"level {level} doesn't work here")
    server.holders.level = level
    repo = await server.app()
    marker = f"{71 if level == 'sandbox' else 72}.125"
    cache = server.paths.cache
    repo.write(".deployment", DAEMONS.format(marker, cache))
    commit = repo.commit()
    repo.push()
    task = asyncio.create_task(server.deploy(commit))
    await eventually(lambda: (cache / "begun").exists() and len(running(marker)) >= 7)
    await server.deployer.cancel(APP, commit, who="bob")
    assert (await task).status == "failed"
    assert not running(marker)
    await eventually(lambda: leftovers(server) == [])


@pytest.mark.parametrize("level", ["sandbox", "process"])
async def test_a_build_that_forks_for_ever_is_ended_by_its_time(make_server, level, tmp_path):
    server = await make_server(build_timeout=1.5)
    if server.holders.report[level] != "ok":
        pytest.skip(f"level {level} doesn't work here")
    server.holders.level = level
    repo = await server.app()
    repo.write("chain.py", CHAIN)
    marker = f"chain-{level}-{os.getpid()}"
    fork = f"for i in 1 2 3 4; do python3 chain.py {marker} & done; echo forked; sleep 60"
    repo.write(".deployment", f"[config]\ncommand = {fork}\n")
    record = await failed(server, repo)
    assert "ran for longer than 1.5 s" in record["what"]
    assert record["tail"] == ["forked"]
    await eventually(lambda: running(marker) == [])
    assert leftovers(server) == []


async def test_an_environment_that_is_cancelled_is_not_half_there(server, repo, stand_in):
    stand_in("pipenv", f"touch {server.paths.cache}/begun; sleep 73.125")
    repo.write("Pipfile", "[packages]\n")
    commit = repo.commit()
    repo.push()
    task = asyncio.create_task(server.deploy(commit))
    await eventually(lambda: (server.paths.cache / "begun").exists())
    assert len(list(server.paths.environments.iterdir())) == 1
    await server.deployer.cancel(APP, commit, who="bob")
    assert (await task).status == "failed"
    await eventually(lambda: leftovers(server) == [])
    stand_in("pipenv")
    assert "Pipfile installed with pipenv" in await deployed(server, repo)


async def test_a_cancellation_that_comes_again_and_again_ends_the_build_all_the_same(server, repo):
    repo.write(".deployment", "[config]\ncommand = touch $HOME/begun; sleep 74.125\n")
    commit = repo.commit()
    repo.push()
    row = await server.deployer.deploy(
        APP, commit, ref=None, trigger="api", deployer="ada", wait_turn=True
    )
    await eventually(lambda: (server.paths.cache / "begun").exists())
    [task] = [task for task in asyncio.all_tasks() if task.get_name() == f"deploy {APP}"]
    ending = asyncio.create_task(server.deployer.cancel(APP, row.id, who="bob"))
    while running("74.125"):
        task.cancel()
        await asyncio.sleep(0.001)
    await ending
    assert (await server.deployer.wait(APP, row.id, row.attempt)).status == "failed"
    await eventually(lambda: leftovers(server) == [])


@pytest.fixture
async def on_a_small_disk(server):
    """The working copy of an app all of whose files are on a file system of 64 MiB."""
    apps = server.home.apps
    apps.mkdir(exist_ok=True, mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "gitdeploy-test", str(apps)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield await server.app()
    subprocess.run(["umount", "--lazy", str(apps)], check=True)


FILL = "dd if=/dev/zero of={} bs=64k"


@pytest.mark.parametrize("place", ["release", "environment", "home"])
async def test_a_build_that_fills_the_disk_is_told_and_the_next_one_works(
    server, stand_in, on_a_small_disk, place
):
    repo, paths = on_a_small_disk, server.paths
    repo.write("readme.txt", "1")
    await deployed(server, repo)
    if place == "release":
        repo.write(".deployment", f"[config]\ncommand = {FILL.format('big')}\n")
    elif place == "environment":
        stand_in("pipenv", f"exec {FILL.format('$VIRTUAL_ENV/big')}")
        repo.write("Pipfile", "[packages]\n")
    else:
        stand_in("yarn", f"exec {FILL.format('$HOME/big')}")
        repo.write("package.json", '{"dependencies": {"a": "1"}}')
        repo.write("yarn.lock", "# yarn lockfile v1\n")
    record = await failed(server, repo)
    assert "disk is full" in record["what"]
    assert "Make room" in record["fix"]
    assert (await server.store.releases.active(APP)).number == 1
    assert list(paths.environments.glob("*")) == []
    assert sorted(found.name for found in paths.releases.iterdir()) == ["1", "1.json"]
    for name in (".deployment", "Pipfile", "package.json", "yarn.lock"):
        (repo.path / name).unlink(missing_ok=True)
    await deployed(server, repo)


async def test_two_builds_at_once_wait_for_each_other(tmp_path):
    order: list[str] = []

    async def build(name: str) -> None:
        async with locked(tmp_path / "modules", SystemClock()):
            order.append(f"{name} begins")
            await asyncio.sleep(0.05)
            order.append(f"{name} ends")

    await asyncio.gather(*(build(name) for name in "abc"))
    assert [word.split()[0] for word in order[::2]] == [word.split()[0] for word in order[1::2]]
    assert len(order) == 6
    shutil.rmtree(tmp_path / "modules")
