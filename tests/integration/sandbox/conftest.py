"""Each level, and each way in which level process ends a tree, as one fixture."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gitdeploy.sandbox import Handle, Spec
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.cgroup import Cgroups
from gitdeploy.sandbox.launch import Launcher
from gitdeploy.sandbox.none import NoIsolation
from gitdeploy.sandbox.process import ProcessIsolation

Level = NoIsolation | ProcessIsolation | Bubblewrap
MakeSpec = Callable[..., Spec]

EVERY = ["none", "process-namespace", "process-cgroup", "process-marker", "sandbox"]
WHOLE = EVERY[1:]
"""The levels that promise to end a tree whole."""


@pytest.fixture
async def launcher() -> AsyncIterator[Launcher]:
    launcher = Launcher()
    yield launcher
    await launcher.close()


@pytest.fixture
def cgroup_parent(tmp_path: Path) -> AsyncIterator[Path | None]:
    """Where groups may be made: our own group, or a mount of the test's own where root may."""
    if Cgroups.of_this_process().missing() is None:
        yield None
        return
    mount = tmp_path / "cgroup2"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "cgroup2", "none", mount], capture_output=True)
    if done.returncode != 0:
        pytest.skip("no cgroup2 file system can be mounted here")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.fixture
async def isolation(request: pytest.FixtureRequest, launcher: Launcher) -> Level:
    """The level under test; skipped where this machine can't have it."""
    name, _, mechanism = request.param.partition("-")
    level: Level
    if name == "none":
        level = NoIsolation(launcher)
    elif name == "sandbox":
        level = Bubblewrap(launcher)
    elif mechanism == "cgroup":
        parent = request.getfixturevalue("cgroup_parent")
        cgroups = Cgroups.of_this_process() if parent is None else Cgroups(parent)
        level = ProcessIsolation(launcher, mechanism="cgroup", cgroups=cgroups)
    else:
        level = ProcessIsolation(launcher, mechanism=mechanism)
    if reason := await level.probe():
        pytest.skip(reason)
    return level


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """A spec whose own directory is writable; a text is run by sh."""

    def make(command: str | tuple[str, ...], **changes: object) -> Spec:
        directory = tmp_path / f"execution-{len(list(tmp_path.glob('execution-*')))}"
        directory.mkdir()
        values: dict[str, object] = {
            "argv": ("/bin/sh", "-c", command) if isinstance(command, str) else command,
            "cwd": directory,
            "directory": directory,
            "stdout": directory / "stdout",
            "stderr": directory / "stderr",
            "environment": {"PATH": "/usr/local/bin:/usr/bin:/bin"},
            "writable": (directory,),
        }
        return Spec(**{**values, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def mark() -> str:
    """Seconds that no other `sleep` on this machine sleeps, so that a process can be found by it."""
    return f"77.{uuid.uuid4().int % 10**15:015d}"


def said(handle: Handle, stream: str = "stdout") -> str:
    return (Path(handle.directory) / stream).read_text()


PYTHON = getattr(sys, "_base_executable", None) or sys.executable
