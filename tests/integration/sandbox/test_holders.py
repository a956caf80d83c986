"""Choosing a level, and operating handles of every level."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from structlog.testing import LogCapture

from gitdeploy.config import IsolationLevel
from gitdeploy.sandbox import Holders, SandboxError, choose, procfs
from tests.integration.sandbox.conftest import MakeSpec
from tests.support import eventually


@pytest.fixture
def captured() -> LogCapture:
    return LogCapture()


@pytest.fixture
def log(captured: LogCapture) -> Any:
    return structlog.wrap_logger(
        None,
        processors=[captured],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
    )


async def test_the_strictest_level_that_works_is_chosen_and_said(
    log: Any, captured: LogCapture
) -> None:
    holders = await choose(None, log)
    works = [level for level in ("sandbox", "process", "none") if holders.report[level] == "ok"]
    assert holders.level == works[0]
    assert set(holders.report) == set(get_args(IsolationLevel))
    assert captured.entries[0]["event"] == "isolation.chosen"
    assert captured.entries[0]["isolation"] == holders.level
    await holders.close()


async def test_a_level_that_is_asked_for_is_taken(log: Any) -> None:
    holders = await choose("none", log)
    assert holders.level == "none"
    await holders.close()


async def test_a_level_that_cannot_be_had_says_what_to_install(
    log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="bubblewrap isn't installed") as caught:
        await choose("sandbox", log)
    assert "none" in caught.value.fix
    holders = await choose(None, log)
    assert holders.level != "sandbox"
    assert "apt-get install bubblewrap" in holders.report["sandbox"]
    await holders.close()


async def test_a_bubblewrap_that_is_forbidden_is_reported_in_its_own_words(
    log: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    holders = await choose(None, log)
    assert holders.report["sandbox"] == "bwrap: setting up uid map: Permission denied"
    assert holders.level == "process"
    await holders.close()


async def test_handles_of_other_levels_are_operated_too(log: Any, make_spec: MakeSpec) -> None:
    holders = await choose("none", log)
    for level, state in holders.report.items():
        if state != "ok":
            continue
        handle = await holders.spawn(make_spec("sleep 60"), level=level)
        assert handle.level == level
        assert holders.alive(handle)
        holders.terminate(handle)
        assert await holders.wait(handle) == 143
        await holders.kill_tree(handle)
    await holders.close()


@pytest.mark.parametrize("level", ["none", "process", "sandbox"])
async def test_a_started_tree_is_found_by_its_directory(
    log: Any, make_spec: MakeSpec, level: IsolationLevel
) -> None:
    holders = await choose(None, log)
    if holders.report[level] != "ok":
        pytest.skip(holders.report[level])
    spec = make_spec("sleep 60")
    assert holders.find(spec.directory) is None
    handle = await holders.spawn(spec, level=level)
    assert holders.find(spec.directory) == handle
    await holders.kill_tree(handle)
    await gone(holders, handle.holder)
    found = holders.find(spec.directory)
    assert found is not None
    assert not holders.alive(found)
    assert await holders.wait(found) == 137
    await holders.close()


async def gone(holders: Holders, pid: int) -> None:
    await eventually(lambda: procfs.stat(pid) is None)
