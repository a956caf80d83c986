"""Given a holder that stands by, when something is started, then it runs there as it would anew."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitdeploy.config import IsolationLevel
from gitdeploy.sandbox import Handle, Holders, Spec, procfs
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.none import NoIsolation
from gitdeploy.sandbox.process import ProcessIsolation
from tests.support import eventually

SHOW = 'env -0 | sort -z; pwd; cat; printf "%s|" "$0" "$@"; echo said >&2; umask; exit 5'


@pytest.fixture(params=["none", "sandbox"])
async def holders(request: pytest.FixtureRequest, launcher: Launcher) -> AsyncIterator[Holders]:
    levels: dict[IsolationLevel, NoIsolation | ProcessIsolation | Bubblewrap] = {
        "none": NoIsolation(launcher),
        "process": ProcessIsolation(launcher),
        "sandbox": Bubblewrap(launcher),
    }
    if reason := await levels[request.param].probe():
        pytest.skip(reason)
    holders = Holders(launcher, levels, request.param, {request.param: "ok"})
    yield holders
    holders.dismiss()


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    for name in ("site", "data"):
        (tmp_path / name).mkdir()
    return at(tmp_path / "one", tmp_path)


def at(directory: Path, root: Path, *arguments: str, **environment: str) -> Spec:
    return Spec(
        argv=("/bin/sh", "-c", SHOW, "name", *arguments),
        cwd=root / "site",
        directory=directory,
        stdout=directory / "stdout",
        stderr=directory / "stderr",
        environment={"PATH": "/usr/local/bin:/usr/bin:/bin", "ALWAYS": "1", **environment},
        readonly=(root / "site",),
        writable=(root / "data",),
    )


def said(handle: Handle) -> tuple[str, str]:
    directory = Path(handle.directory)
    return (directory / "stdout").read_text(errors="surrogateescape"), (
        directory / "stderr"
    ).read_text()


async def test_what_stood_by_runs_as_what_is_started_anew(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    words = ("it's", "two\nlines", "", '$(id) `id` \\ "', "ü\udcff")
    given: dict[str, Any] = {"RUN": "it's\n$HOME", "EMPTY": ""}
    assert await holders.prepare(at(tmp_path / "waiting", tmp_path, GONE="1", RUN="none"))
    pid = int((tmp_path / "waiting" / "held.json").read_text().split('"outer":')[1].split(",")[0])
    warm = await holders.spawn(at(tmp_path / "warm", tmp_path, *words, **given))
    assert warm.holder == pid
    assert not (tmp_path / "waiting").exists()
    cold = await holders.spawn(at(tmp_path / "cold", tmp_path, *words, **given))
    assert cold.holder != pid
    assert [await holders.wait(each) for each in (warm, cold)] == [5, 5]
    assert said(warm) == said(cold)
    assert said(warm)[1] == "said\n"
    for each in (warm, cold):
        await holders.kill_tree(each)


async def test_what_stood_by_is_found_again_by_its_new_directory(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    asleep = msgspec.structs.replace(spec, argv=("/bin/sh", "-c", "sleep 60; :"))
    assert await holders.prepare(
        msgspec.structs.replace(at(tmp_path / "waiting", tmp_path), argv=asleep.argv)
    )
    handle = await holders.spawn(asleep)
    assert holders.find(asleep.directory) == handle
    assert holders.alive(handle)
    await holders.kill_tree(handle)
    assert await holders.wait(handle) == 137


@pytest.mark.parametrize("change", ["another directory", "the same name"])
async def test_it_is_not_taken_for_what_sees_other_files(
    holders: Holders, spec: Spec, tmp_path: Path, change: str
) -> None:
    assert await holders.prepare(at(tmp_path / "waiting", tmp_path))
    other = spec
    if change == "the same name":
        (tmp_path / "data").rename(tmp_path / "old")
        (tmp_path / "data").mkdir()
    else:
        (tmp_path / "data2").mkdir()
        other = msgspec.structs.replace(spec, writable=(tmp_path / "data2",))
    handle = await holders.spawn(other)
    assert (tmp_path / "waiting").exists()
    assert await holders.wait(handle) == 5
    await holders.kill_tree(handle)


async def test_one_that_was_killed_is_passed_over(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    waiting = at(tmp_path / "waiting", tmp_path)
    assert await holders.prepare(waiting)
    found = holders.find(waiting.directory)
    assert found is not None
    await holders.kill_tree(found)
    handle = await holders.spawn(spec)
    assert handle.holder != found.holder
    assert await holders.wait(handle) == 5
    await holders.kill_tree(handle)


async def test_one_that_is_dismissed_goes_and_leaves_nothing(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    waiting = at(tmp_path / "waiting", tmp_path)
    assert await holders.prepare(waiting)
    assert not await holders.prepare(waiting)
    found = holders.find(waiting.directory)
    assert found is not None
    holders.dismiss(tmp_path / "elsewhere")
    assert holders.alive(found)
    holders.dismiss(tmp_path)
    await eventually(lambda: not procfs.alive(found.holder, found.holder_start))
    assert not waiting.directory.exists()


async def test_variables_that_a_shell_changes_are_started_anew(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    showing = msgspec.structs.replace(spec, argv=("/usr/bin/env",))
    waiting = tmp_path / "waiting"
    assert await holders.prepare(
        msgspec.structs.replace(
            showing, directory=waiting, stdout=waiting / "o", stderr=waiting / "e"
        )
    )
    environment = {**spec.environment, "IFS": "x", "a.b": "1"}
    handle = await holders.spawn(msgspec.structs.replace(showing, environment=environment))
    assert (tmp_path / "waiting").exists()
    assert await holders.wait(handle) == 0
    assert {"IFS=x", "a.b=1"} <= set(said(handle)[0].splitlines())
    await holders.kill_tree(handle)


DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from gitdeploy.sandbox import Holders, standby
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.none import NoIsolation
from tests.integration.sandbox.test_standby import at

async def main(level, root):
    launcher = Launcher()
    chosen = {"none": NoIsolation, "sandbox": Bubblewrap}[level](launcher)
    holders = Holders(launcher, {level: chosen}, level, {level: "ok"})
    assert await holders.prepare(at(root / "waiting", root))
    write = os.write
    def die(descriptor, data):
        if data.startswith(b"{"):
            os.kill(os.getpid(), signal.SIGKILL)
        return write(descriptor, data)
    standby.os.write = die
    await holders.spawn(at(root / "one", root))

asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""


async def test_a_server_killed_before_the_word_to_run_leaves_an_end_on_record(
    holders: Holders, spec: Spec, tmp_path: Path
) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DIES, holders.level, str(tmp_path)),
        cwd=Path(__file__).parents[3],
    )
    assert await asyncio.wait_for(server.wait(), 30) == -signal.SIGKILL
    assert not (tmp_path / "waiting").exists(), "it was killed behind the rename"
    handle = holders.find(spec.directory)
    assert handle is not None
    assert await asyncio.wait_for(holders.wait(handle), 30) == 126
    out, err = said(handle)
    assert out == "", "nothing of the job ran"
    assert "The server ended before it said what to run." in err
