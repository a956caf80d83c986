"""A real script of every kind, run through a server with arguments that need quoting."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.actors import Developer, Server
from tests.support import eventually

ARGUMENTS = "?arguments=" + "one%20%27two%20%26%20three%27"
SAID = "one|two & three|"
SCRIPTS = {
    "sh": ("run.sh", 'printf "%s|" "$@"; echo'),
    "py": ("run.py", "import sys\nprint(''.join(a + '|' for a in sys.argv[1:]))"),
    "js": ("run.js", "console.log(process.argv.slice(2).map(a => a + '|').join(''))"),
    "php": ("run.php", "<?php foreach (array_slice($argv, 1) as $a) echo $a, '|'; echo PHP_EOL;"),
    "own": ("run", '#!/usr/bin/env bash\nprintf "%s|" "$@"; echo\n'),
}
NEEDS = {"sh": "bash", "py": "python3", "js": "node", "php": "php", "jar": "java"}


@pytest.fixture(params=["none", "sandbox"])
async def server(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """Beside the machine's programs it has stand-ins for those that aren't in Debian."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("pwsh", "dotnet"):
        (tools / name).write_text('#!/bin/sh\nprintf "%s|" "${0##*/}" "$@"; echo\n')
        (tools / name).chmod(0o755)
    path = f"{tools}:/usr/local/bin:/usr/bin:/bin"
    if request.param == "sandbox" and shutil.which("bwrap") is None:
        pytest.skip("bubblewrap isn't installed")
    made = Server(tmp_path / "home", "--isolation", request.param, env={"PATH": path})
    await made.start()
    yield made
    await made.end()


async def run(server: Server, job: str, arguments: str = ARGUMENTS, *, limit: float = 20) -> Any:
    base = f"/apps/demo/api/triggeredwebjobs/{job}"
    await server.call("POST", f"{base}/run{arguments}", status=202)

    async def ended() -> Any:
        history = (await server.call("GET", f"{base}/history"))["runs"]
        return history[0] if history[0]["end_time"] else None

    found = await eventually(ended, limit=limit)
    found["output"] = await server.call("GET", f"{base}/history/{found['id']}/log")
    return found


@pytest.mark.parametrize("kind", sorted(SCRIPTS))
async def test_a_script_of_each_kind_gets_its_arguments(
    tmp_path: Path, server: Server, kind: str
) -> None:
    if kind in NEEDS and shutil.which(NEEDS[kind]) is None:
        pytest.skip(f"{NEEDS[kind]} isn't installed")
    developer = Developer(tmp_path / "work", server, app="demo")
    name, text = SCRIPTS[kind]
    developer.write(f"App_Data/jobs/triggered/{kind}/{name}", text, executable=name == "run")
    await developer.push()
    ended = await run(server, kind)
    assert ended["status"] == "Success", ended
    assert ended["output"] == f"{SAID}\n"


async def test_a_jar_is_run_by_java(tmp_path: Path, server: Server) -> None:
    if shutil.which("java") is None:
        pytest.skip("java isn't installed")
    developer = Developer(tmp_path / "work", server, app="demo")
    place = developer.path / "App_Data/jobs/triggered/jar"
    place.mkdir(parents=True)
    (place / "run.jar").write_bytes(jar())
    await developer.push()
    ended = await run(server, "jar", limit=60)
    assert ended["output"] == "one\n", ended


async def test_what_is_not_in_debian_is_called_as_its_host_expects(
    tmp_path: Path, server: Server
) -> None:
    developer = Developer(tmp_path / "work", server, app="demo")
    developer.write("App_Data/jobs/triggered/ps/run.ps1", "Write-Output $args")
    developer.write("App_Data/jobs/triggered/fs/run.fsx", "printfn")
    await developer.push()
    ps, fs = (await run(server, "ps"))["output"], (await run(server, "fs"))["output"]
    assert ps.startswith("pwsh|-NoProfile|-NonInteractive|-File|/")
    assert ps.rstrip().endswith(f"/run.ps1|{SAID}")
    assert fs.startswith("dotnet|fsi|")
    assert fs.rstrip().endswith(f"/run.fsx|{SAID}")


async def test_a_missing_host_is_the_jobs_error_until_it_is_installed(
    tmp_path: Path, server: Server
) -> None:
    tools = tmp_path / "tools"
    (tools / "pwsh").rename(tools / "pwsh.off")
    developer = Developer(tmp_path / "work", server, app="demo")
    developer.write("App_Data/jobs/triggered/ps/run.ps1", "x")
    developer.write("App_Data/jobs/triggered/other/run.sh", "echo fine")
    told = await developer.push()
    assert "pwsh isn't installed" in told
    job = await server.job("ps", kind="triggered")
    assert job["error"].startswith("pwsh isn't installed. Install it: ")
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/ps/run", status=400)
    assert (await run(server, "other", ""))["output"] == "fine\n"
    (tools / "pwsh.off").rename(tools / "pwsh")
    assert (await run(server, "ps"))["status"] == "Success"
    assert (await server.job("ps", kind="triggered"))["error"] is None


def jar() -> bytes:
    """A jar whose class prints its first argument, put together by hand (JVMS, chapter 4)."""

    def text(value: str) -> bytes:
        return b"\x01" + struct.pack(">H", len(value)) + value.encode()

    def refs(tag: int, *numbers: int) -> bytes:
        return bytes([tag]) + b"".join(struct.pack(">H", n) for n in numbers)

    pool = [
        text("Main"), refs(7, 1), text("java/lang/Object"), refs(7, 3),
        text("main"), text("([Ljava/lang/String;)V"), text("Code"),
        text("java/lang/System"), refs(7, 8), text("out"), text("Ljava/io/PrintStream;"),
        refs(12, 10, 11), refs(9, 9, 12),
        text("java/io/PrintStream"), refs(7, 14), text("println"), text("(Ljava/lang/String;)V"),
        refs(12, 16, 17), refs(10, 15, 18),
    ]  # fmt: skip
    code = b"\xb2\x00\x0d\x2a\x03\x32\xb6\x00\x13\xb1"  # out.println(args[0])
    body = struct.pack(">HHI", 3, 1, len(code)) + code + struct.pack(">HH", 0, 0)
    method = struct.pack(">HHHH", 9, 5, 6, 1) + struct.pack(">HI", 7, len(body)) + body
    main = b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, 49, len(pool) + 1) + b"".join(pool)
    main += struct.pack(">HHHHHH", 0x21, 2, 4, 0, 0, 1) + method + struct.pack(">H", 0)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Main-Class: Main\r\n")
        archive.writestr("Main.class", main)
    return out.getvalue()
