"""The environment of a job: kudu.md's variables, the app's settings, nothing of the server's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.jobs import Job, job_environment
from gitdeploy.jobs.environment import server_path

JOB = Job(kind="triggered", name="mail", directory="App_Data/jobs/triggered/mail", script="run.sh")


def make(job: Job = JOB, **changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {
        "app": "shop",
        "execution": "202611232120391234",
        "root": Path("/r/7"),
        "data": Path("/d/jobs/triggered/mail"),
        "home": Path("/d"),
        "settings": {},
        "path": "/usr/bin:/bin",
    }
    return job_environment(job, **{**values, **changes})


def test_a_run_gets_kudus_variables_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITDEPLOY_ADMIN_TOKEN", "secret")
    assert make(arguments="a 'b c'") == {
        "HOME": "/d",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "WEBROOT_PATH": "/r/7",
        "WEBJOBS_PATH": "/r/7/App_Data/jobs/triggered/mail",
        "WEBJOBS_NAME": "mail",
        "WEBJOBS_TYPE": "triggered",
        "WEBJOBS_DATA_PATH": "/d/jobs/triggered/mail",
        "WEBJOBS_RUN_ID": "202611232120391234",
        "WEBJOBS_COMMAND_ARGUMENTS": "a 'b c'",
        "WEBJOBS_EXECUTION": "shop/triggered/mail/202611232120391234",
    }


def test_a_continuous_job_gets_its_shutdown_file_and_its_port_if_it_has_one() -> None:
    job = Job(kind="continuous", name="mail", directory="App_Data/jobs/continuous/mail")
    made = make(job, shutdown_file=Path("/x/stop"))
    assert made["WEBJOBS_SHUTDOWN_FILE"] == "/x/stop"
    assert "WEBJOBS_PORT" not in made
    assert "WEBJOBS_COMMAND_ARGUMENTS" not in made
    assert make(job, port=4711)["WEBJOBS_PORT"] == "4711"


def test_settings_come_under_their_own_names_but_not_over_the_executions() -> None:
    made = make(
        settings={"my.key": "1", "HOME": "/h", "WEBJOBS_NAME": "x", "WEBJOBS_RESTART_TIME": "5"}
    )
    assert made["my.key"] == "1"
    assert made["HOME"] == "/h"
    assert made["WEBJOBS_NAME"] == "mail"
    assert made["WEBJOBS_RESTART_TIME"] == "5"


def test_a_setting_that_can_be_no_variable_is_left_out() -> None:
    made = make(settings={"": "x", "a=b": "x", "nul": "a\0b", "fine": "x"})
    assert {"", "a=b", "nul"}.isdisjoint(made)
    assert made["fine"] == "x"


def test_the_venvs_programs_come_first() -> None:
    made = make(environment=Path("/e"), settings={"PATH": "/own"})
    assert made["PATH"] == "/e/bin:/own"
    assert made["VIRTUAL_ENV"] == "/e"


def test_a_private_copy_is_where_the_job_runs() -> None:
    made = make(directory=Path("/x/copy"))
    assert made["WEBJOBS_PATH"] == "/x/copy"
    assert made["WEBROOT_PATH"] == "/r/7"


def test_the_servers_own_venv_is_not_on_the_jobs_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/server/venv")
    monkeypatch.setenv("PATH", os.pathsep.join(["/server/venv/bin", "/usr/bin", "", "/bin"]))
    assert server_path() == "/usr/bin:/bin"
    monkeypatch.delenv("PATH")
    assert server_path() == os.defpath


def test_a_job_of_wine_has_a_prefix_of_its_own_and_its_line_where_cmd_reads_it() -> None:
    batch = Job(
        kind="triggered",
        name="b",
        directory="App_Data/jobs/triggered/b",
        script="run.cmd",
        host="wine",
    )
    made = make(batch, arguments="'x&y' z", prefix=Path("/e/wine"), settings={"WINEDEBUG": "err"})
    assert made["GITDEPLOY_BATCH"] == '"Z:\\r\\7\\App_Data\\jobs\\triggered\\b\\run.cmd" "x&y" z'
    assert (made["WINEPREFIX"], made["TMPDIR"]) == ("/e/wine", "/e/wine/tmp")
    assert made["WINEDEBUG"] == "err"
    copied = make(batch, directory=Path("/copy"), settings={"WINEPREFIX": "/d/mine"})
    assert copied["GITDEPLOY_BATCH"] == '"Z:\\copy\\run.cmd"'
    assert copied["WINEPREFIX"] == "/d/mine"
    assert copied["WINEDEBUG"] == "-all"
    program = Job(kind="triggered", name="b", directory="b", script="run.exe", host="wine")
    assert "GITDEPLOY_BATCH" not in make(program)
