"""Command lines: argv lists, never a shell string."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.jobs import HostMissing, Job, command
from gitdeploy.jobs.hosts import missing_program
from gitdeploy.jobs.job import Host

ROOT = Path("/site")


def job(script: str, host: Host) -> Job:
    directory = "App_Data/jobs/triggered/mail"
    return Job(kind="triggered", name="mail", directory=directory, script=script, host=host)


def test_a_shell_script_is_run_by_bash_with_its_arguments() -> None:
    argv = command(
        job("run.sh", "bash"), root=ROOT, environment=None, arguments="a 'b c' $(id) --x=\"1\""
    )
    assert Path(argv[0]).name == "bash"
    assert argv[1:] == (
        "/site/App_Data/jobs/triggered/mail/run.sh", "a", "b c", "$(id)", "--x=1"
    )  # fmt: skip


def test_an_executable_runs_itself() -> None:
    assert command(job("run", "self"), root=ROOT, environment=None) == (
        "/site/App_Data/jobs/triggered/mail/run",
    )


def test_python_is_the_environments_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch(mode=0o755)
    argv = command(job("run.py", "python"), root=ROOT, environment=tmp_path)
    assert argv[0] == str(tmp_path / "bin" / "python")


def test_python_without_an_environment_has_none_of_the_servers_packages(tmp_path: Path) -> None:
    for environment in (None, tmp_path):
        argv = command(job("run.py", "python"), root=ROOT, environment=environment)
        probe = "import importlib.util, sys; print(sys.prefix == sys.base_prefix)"
        done = subprocess.run([argv[0], "-c", probe], capture_output=True, text=True)
        assert done.stdout == "True\n"


def test_a_missing_host_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "_base_executable", "/nowhere/python3", raising=False)
    for script, host, program, install in (
        ("run.js", "node", "node", "apt-get install nodejs"),
        ("run.sh", "bash", "bash", "apt-get install bash"),
        ("run.py", "python", "python3", "apt-get install python3"),
    ):
        with pytest.raises(HostMissing) as caught:
            command(job(script, host), root=ROOT, environment=None)  # type: ignore[arg-type]
        assert caught.value.program == program
        assert install in caught.value.fix


def test_nodejs_is_node_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nodejs").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    argv = command(job("run.js", "node"), root=ROOT, environment=None)
    assert argv[0] == os.fspath(tmp_path / "nodejs")


def test_a_job_without_a_script_has_no_command() -> None:
    broken = Job(
        kind="triggered", name="x", directory="d", error="No runnable script file was found."
    )
    with pytest.raises(Invalid, match="No runnable script"):
        command(broken, root=ROOT, environment=None)


def test_every_other_host_has_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("php", "java", "pwsh", "dotnet", "wine"):
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    at = "/site/App_Data/jobs/triggered/mail"
    for script, host, words in (
        ("run.php", "php", ("php", f"{at}/run.php")),
        ("run.jar", "java", ("java", "-jar", f"{at}/run.jar")),
        ("run.ps1", "pwsh", ("pwsh", "-NoProfile", "-NonInteractive", "-File", f"{at}/run.ps1")),
        ("run.fsx", "dotnet", ("dotnet", "fsi", "--quiet", "--exec", f"{at}/run.fsx")),
        ("run.exe", "wine", ("wine", f"{at}/run.exe")),
    ):
        argv = command(
            job(script, host),  # type: ignore[arg-type]
            root=ROOT,
            environment=None,
            arguments="a 'b c'",
        )
        assert argv == (str(tmp_path / words[0]), *words[1:], "a", "b c")


def test_a_batch_file_gets_its_words_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wine").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    batch = job("run.cmd", "wine")
    argv = command(batch, root=ROOT, environment=None, arguments="plain 'x&calc'")
    assert argv == (str(tmp_path / "wine"), "cmd", "/d", "/c", "%GITDEPLOY_BATCH%")
    with pytest.raises(Invalid, match="batch file"):
        command(batch, root=ROOT, environment=None, arguments="%PATH%")


def test_a_program_of_dotnet_needs_mono(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gitdeploy.jobs.windows.WINE_MONO", ())
    monkeypatch.setattr("gitdeploy.jobs.windows.is_dotnet", lambda file: True)
    (tmp_path / "wine").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = job("run.exe", "wine")
    assert missing_program("wine", ROOT / "run.exe") == "mono"
    with pytest.raises(HostMissing) as caught:
        command(program, root=ROOT, environment=None)
    assert "apt-get install mono-runtime" in caught.value.fix
    (tmp_path / "mono").touch(mode=0o755)
    argv = command(program, root=ROOT, environment=None, arguments="'b c'")
    assert argv == (
        str(tmp_path / "mono"), "/site/App_Data/jobs/triggered/mail/run.exe", "b c"
    )  # fmt: skip
