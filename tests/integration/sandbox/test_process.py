"""What level process promises beyond the contract (docs/security.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gitdeploy.sandbox import held, process
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.process import ProcessIsolation
from tests.integration.sandbox.conftest import WHOLE, Level, MakeSpec, said

of_each_mechanism = pytest.mark.parametrize("isolation", WHOLE[:-1], indirect=True)


@of_each_mechanism
async def test_files_are_private_and_privileges_do_not_grow(
    isolation: Level, make_spec: MakeSpec
) -> None:
    handle = await isolation.spawn(make_spec("umask; ulimit -c; cat /proc/self/status"))
    assert await isolation.wait(handle) == 0
    assert said(handle).startswith("0077\n0\n")
    if shutil.which("setpriv"):
        assert "NoNewPrivs:\t1\n" in said(handle)


@pytest.mark.parametrize("isolation", ["process-namespace"], indirect=True)
async def test_in_a_namespace_proc_shows_its_own_pids(
    isolation: Level, make_spec: MakeSpec
) -> None:
    handle = await isolation.spawn(make_spec('read -r pid rest </proc/self/stat; echo "$pid" $$'))
    assert await isolation.wait(handle) == 0
    inside, own = said(handle).split()
    assert inside == own
    assert int(own) < 10


@pytest.mark.parametrize("isolation", ["process-cgroup"], indirect=True)
async def test_a_killed_trees_group_is_removed(isolation: Level, make_spec: MakeSpec) -> None:
    handle = await isolation.spawn(make_spec("sleep 60"))
    record = held.read(Path(handle.directory))
    assert record is not None
    assert record.cgroup is not None
    assert Path(record.cgroup).is_dir()
    await isolation.kill_tree(handle)
    assert not Path(record.cgroup).exists()


@pytest.mark.parametrize("isolation", ["process-cgroup"], indirect=True)
async def test_an_ended_trees_group_is_removed(isolation: Level, make_spec: MakeSpec) -> None:
    handle = await isolation.spawn(make_spec("exit 0"))
    record = held.read(Path(handle.directory))
    assert record is not None
    assert record.cgroup is not None
    await isolation.wait(handle)
    assert not Path(record.cgroup).exists()


async def test_without_unshare_and_cgroup_the_marker_is_searched(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoCgroups(process.Cgroups):
        def missing(self) -> str | None:
            return "none here"

    monkeypatch.setenv("PATH", "/nowhere")
    level = ProcessIsolation(launcher, cgroups=NoCgroups(None))
    assert await level.probe() is None
    assert level.mechanism == "marker"
