"""A sandbox shows what a program of the system needs beside itself."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from gitdeploy.sandbox.bubblewrap import Bubblewrap
from gitdeploy.sandbox.view import View
from tests.integration.sandbox.conftest import MakeSpec, said

sandboxed = pytest.mark.parametrize("isolation", ["sandbox"], indirect=True)


@sandboxed
async def test_java_finds_its_configuration(isolation: Bubblewrap, make_spec: MakeSpec) -> None:
    """Debian has it in /etc; nothing of java.security works without."""
    keytool = shutil.which("keytool")
    if keytool is None:
        pytest.skip("keytool isn't installed (default-jre-headless)")
    tool = str(Path(keytool).resolve())
    options = "-keystore /tmp/store -storepass secret -keypass secret -alias a -dname CN=a"
    handle = await isolation.spawn(make_spec(f"{tool} -genkeypair -keyalg EC {options} 2>&1"))
    assert await isolation.wait(handle) == 0, said(handle)


@sandboxed
async def test_a_program_of_dotnet_has_its_libraries(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    """As /opt/microsoft/powershell/7/pwsh and its link in /usr/bin."""
    with tempfile.TemporaryDirectory() as opened:
        Path(opened).chmod(0o755)
        place = Path(opened, "powershell", "7")
        place.mkdir(parents=True)
        (place / "pwsh").write_text('#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/pwsh.dll"\n')
        (place / "pwsh").chmod(0o755)
        (place / "pwsh.dll").write_text("loaded\n")
        Path(opened, "secret").write_text("secret")
        link = Path(opened, "pwsh")
        link.symlink_to(place / "pwsh")
        handle = await isolation.spawn(make_spec((str(link),)))
        assert await isolation.wait(handle) == 0, said(handle, "stderr")
        assert said(handle) == "loaded\n"


def test_a_program_among_others_shows_nothing_but_itself(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    program = tmp_path / "tools" / "run"
    program.parent.mkdir()
    program.touch(mode=0o755)
    opened: list[int] = []
    view = View(base=(), copied=(), interpreter=())
    words = list(view.options(make_spec((str(program),)), str(program), opened))
    assert str(program) in words
    assert str(program.parent) not in words
