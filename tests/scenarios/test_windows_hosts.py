"""Batch files and programs of Windows, really run: by wine 8 or newer, and mono."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.scenarios.actors import Developer, Server
from tests.scenarios.test_script_hosts import run
from tests.scenarios.windows_program import windows_program

BATCH = (
    "@echo off\r\n"
    "echo [%1] [%2] [%3] [%4]\r\n"
    "echo there> C:\\kept.txt\r\n"
    "echo here> made.txt\r\n"
    "type made.txt\r\n"
    "exit /b 3\r\n"
)
LOOK = "@if exist C:\\kept.txt (echo kept) else (echo gone)\r\n"
MONO_NAMES = Path("/usr/share/mono/MonoGetAssemblyName.exe")
CORLIB = Path("/usr/lib/mono/4.5/mscorlib.dll")


@pytest.fixture(params=["process", "sandbox"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    if request.param == "sandbox" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap isn't installed")
    made = Server(tmp_path / "home", "--isolation", request.param)
    await made.start()
    yield made
    await made.end()


@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("wine") is None, reason="wine isn't installed")
async def test_wine_runs_jobs_side_by_side(tmp_path: Path, server: Server) -> None:
    """One prefix for the server is made by the first of them (10 s), and they don't share more."""
    developer = Developer(tmp_path / "work", server, app="demo")
    place = "App_Data/jobs/triggered"
    for name in ("one", "two"):
        developer.write(f"{place}/{name}/run.cmd", BATCH)
        developer.write(f"{place}/{name}/settings.job", '{"is_in_place": false}')
    developer.write(f"{place}/look/run.bat", LOOK)
    (developer.path / place / "program").mkdir()
    (developer.path / place / "program" / "run.exe").write_bytes(windows_program())
    await developer.push()

    given = "plain 'x&echo HACKED' 'a;b|c \"quoted\"' '>C:\\hacked.txt'"
    first, second, third = await asyncio.gather(
        run(server, "one", f"?arguments={quote(given)}", limit=180),
        run(server, "two", f"?arguments={quote(given)}", limit=180),
        run(server, "program", f"?arguments={quote(given)}", limit=180),
    )
    for ended in (first, second):
        assert (ended["status"], ended["exit_code"]) == ("Failed", 3), ended["output"]
        assert ended["output"] == (
            '[plain] ["x&echo HACKED"] ["a;b|c ""quoted"""] [">C:\\hacked.txt"]\r\nhere\r\n'
        )
    assert (third["status"], third["exit_code"]) == ("Failed", 7), third
    path, _, words = third["output"].rstrip("\n").partition(".exe")
    assert path.startswith('"Z:\\')
    assert words == '" plain "x&echo HACKED" "a;b|c \\"quoted\\"" >C:\\hacked.txt'

    # drive C: is the app's, the registry and the rest of the prefix the run's
    assert (await run(server, "look", ""))["output"] == "kept\r\n"
    home = tmp_path / "home"
    assert not list(home.rglob("hacked.txt"))
    assert len(list((home / "wine").iterdir())) == 1
    assert not list((home / "apps/demo/executions").rglob("*.reg"))

    base = "/apps/demo/api/triggeredwebjobs/one/run?arguments="
    refused = await server.call("POST", base + quote("%PATH%"), status=400)
    assert "can't be passed to a batch file" in refused["detail"]


@pytest.mark.skipif(
    shutil.which("mono") is None or not MONO_NAMES.exists() or not CORLIB.exists(),
    reason="mono-runtime isn't installed",
)
async def test_a_program_of_dotnet_is_run_by_mono(tmp_path: Path, server: Server) -> None:
    """Debian's mono has a small program that names the assembly in a file."""
    developer = Developer(tmp_path / "work", server, app="demo")
    place = developer.path / "App_Data/jobs/triggered/net"
    place.mkdir(parents=True)
    shutil.copyfile(MONO_NAMES, place / "run.exe")
    (place / "a library").mkdir()
    shutil.copyfile(CORLIB, place / "a library" / "core.dll")
    await developer.push()
    site = tmp_path / "home/apps/demo/releases/1"
    library = f"{site}/App_Data/jobs/triggered/net/a library/core.dll"
    ended = await run(server, "net", "?arguments=" + quote(f"'{library}'"))
    assert ended["output"].startswith("mscorlib, Version=4.0.0.0"), ended
