"""What level sandbox promises beyond the contract (docs/security.md)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gitdeploy.sandbox import SpawnError
from gitdeploy.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.conftest import PYTHON, MakeSpec, said

pytestmark = pytest.mark.parametrize("isolation", ["sandbox"], indirect=True)


async def output(isolation: Bubblewrap, make_spec: MakeSpec, script: str, **changes: object) -> str:
    handle = await isolation.spawn(make_spec(script, **changes))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    return said(handle)


async def test_only_what_the_spec_shows_is_there(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    secret = tmp_path / "gitdeploy.db"
    secret.write_text("secret")
    release = tmp_path / "release"
    release.mkdir()
    (release / "file").write_text("shown")
    script = f"cat {release}/file; ls -A {tmp_path} /home /root /etc/shadow /etc/ssh 2>/dev/null; :"
    said = await output(isolation, make_spec, script, readonly=(release,))
    assert said.startswith("shown")
    assert "gitdeploy.db" not in said
    assert "shadow" not in said
    assert "release" in said


async def test_read_only_is_read_only_and_writable_is_writable(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    release, data = tmp_path / "release", tmp_path / "data"
    release.mkdir()
    data.mkdir()
    script = (
        f"echo kept > {data}/file || exit 1\n"
        f"for path in {release}/x /etc/x /usr/x /x /etc/passwd; do\n"
        " if (echo no >> $path) 2>/dev/null; then echo wrote $path; fi\n"
        "done\n"
        "echo scratch > /tmp/x && echo scratch > /var/tmp/y && cat /tmp/x /tmp/y"
    )
    said = await output(
        isolation, make_spec, script, readonly=(release,), writable=(data,), cwd=Path("/")
    )
    assert said == "scratch\nscratch\n"
    assert (data / "file").read_text() == "kept\n"
    assert list(release.iterdir()) == []


async def test_it_sees_its_own_processes_and_no_others(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    said = await output(isolation, make_spec, "ls /proc | grep -c '^[0-9]'")
    assert int(said) <= 5


async def test_it_has_no_capabilities_and_gets_no_new_privileges(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    said = await output(isolation, make_spec, "cat /proc/self/status; ulimit -c; umask")
    lines = dict(line.split(":\t") for line in said.splitlines() if ":\t" in line)
    assert int(lines["CapEff"], 16) == 0
    assert int(lines["CapPrm"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert said.splitlines()[-2:] == ["0", "0077"]


async def test_the_kernels_switches_cannot_be_turned(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    # Opens for writing and never writes: a failing test must not change the machine. Files of
    # pressure are everybody's (psi.rst): they only tell.
    code = (
        "import os\n"
        "for top, _, files in os.walk('/proc'):\n"
        "    first = top.split('/')[2:3]\n"
        "    if first and (first[0].isdigit() or first[0] in ('self', 'thread-self', 'pressure')): continue\n"
        "    for name in files:\n"
        "        try: os.close(os.open(f'{top}/{name}', os.O_WRONLY | os.O_NONBLOCK))\n"
        "        except OSError: continue\n"
        "        print(f'{top}/{name}')\n"
    )
    handle = await isolation.spawn(make_spec((PYTHON, "-c", code)))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    assert said(handle) == ""


async def test_the_network_names_and_certificates_are_there(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    wanted = [p for p in ("/etc/resolv.conf", "/etc/hosts", "/etc/passwd") if Path(p).exists()]
    said = await output(isolation, make_spec, "ls " + " ".join(wanted))
    assert said.split() == sorted(wanted)
    said = await output(isolation, make_spec, "ls /sys/class/net /proc/net/dev; hostname")
    assert "/proc/net/dev" in said


async def test_a_python_outside_the_system_runs_with_its_library(
    isolation: Bubblewrap, make_spec: MakeSpec
) -> None:
    handle = await isolation.spawn(make_spec((PYTHON, "-c", "import json, ssl, sqlite3; print(1)")))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")


async def test_a_venvs_python_runs(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    spec = make_spec((str(venv / "bin/python"), "-c", "import sys; print(sys.prefix)"))
    handle = await isolation.spawn(msgspec.structs.replace(spec, readonly=(venv,)))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    assert said(handle) == f"{venv}\n"


async def test_a_program_reached_by_links_from_elsewhere_runs(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    installed = tmp_path / "opt" / "tool"
    (installed / "bin").mkdir(parents=True)
    (installed / "lib").mkdir()
    (installed / "lib" / "words").write_text("from its own library")
    program = installed / "bin" / "tool"
    program.write_text(f"#!/bin/sh\ncat {installed}/lib/words\n")
    program.chmod(0o755)
    (tmp_path / "hop").symlink_to(program)
    (tmp_path / "link").symlink_to("hop")
    handle = await isolation.spawn(make_spec((str(tmp_path / "link"),)))
    assert await isolation.wait(handle) == 0, said(handle, "stderr")
    assert said(handle) == "from its own library"


async def test_code_of_the_app_is_not_loaded_outside_the_sandbox(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    environment = {"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(tmp_path / "evil.so"), "S": "secret"}
    handle = await isolation.spawn(make_spec("sleep 60", environment=environment))
    holder = Path(f"/proc/{handle.holder}")
    assert b"LD_PRELOAD" not in (holder / "environ").read_bytes()
    assert b"secret" not in (holder / "cmdline").read_bytes()
    await isolation.kill_tree(handle)


async def test_a_directory_that_is_not_shown_is_named(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    with pytest.raises(SpawnError, match="hidden"):
        await isolation.spawn(make_spec("true", cwd=hidden))
    with pytest.raises(SpawnError, match="missing"):
        await isolation.spawn(make_spec("true", readonly=(tmp_path / "missing",)))


async def test_a_failed_start_leaves_nothing_running(
    isolation: Bubblewrap, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec("true", readonly=(tmp_path / "missing",))
    with pytest.raises(SpawnError):
        await isolation.spawn(spec)
    (tmp_path / "missing").mkdir()
    handle = await isolation.spawn(spec)
    assert await isolation.wait(handle) == 0
