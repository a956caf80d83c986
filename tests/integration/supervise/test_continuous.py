from __future__ import annotations

import os
import signal

import pytest

from gitdeploy.supervise import RunRequest, SwapFailed
from tests.integration.supervise.conftest import Stages
from tests.integration.supervise.stage import APP, TICKER, Stage, alive, processes_of
from tests.support import eventually


async def test_a_job_that_ends_early_is_started_again_after_the_restart_time(stage: Stage) -> None:
    await stage.deploy(
        {
            "continuous/short/run.sh": "echo run >> $WEBJOBS_DATA_PATH/runs; sleep 0.6; exit 0",
            "continuous/short/settings.job": '{"restart_time": 0.2}',
        }
    )
    runs = stage.home.app(APP).job_data("continuous", "short") / "runs"
    await eventually(lambda: runs.exists() and len(runs.read_text().splitlines()) >= 3)
    delays = [record["delay"] for record in stage.recorded("job.restarting")]
    assert delays[:2] == [0.2, 0.3]
    assert stage.view("short").restarts >= 2
    ended = stage.recorded("job.ended")[0]
    assert (ended["exit_code"], ended["status"]) == (0, "Success")


async def test_between_two_starts_a_job_is_pending_restart(stage: Stage) -> None:
    await stage.deploy({"continuous/short/run.sh": "sleep 0.5"})
    await eventually(lambda: stage.view("short").status == "PendingRestart")
    assert stage.view("short").pid is None
    assert stage.recorded("job.restarting")[0]["delay"] == 60.0


async def test_disabling_lasts_across_a_restart_of_the_server(stages: Stages) -> None:
    stage = await stages()
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    pid = stage.pid("ticker")
    await stage.supervisor.disable(APP, "continuous", "ticker")
    assert not alive(pid)
    assert (stage.view("ticker").status, stage.view("ticker").enabled) == ("Stopped", False)
    assert (await stage.newest("continuous", "ticker")).status == "stopped"
    await stages.close(stage, stop_jobs=True)
    again = await stages()
    assert again.view("ticker").status == "Stopped"
    await again.supervisor.enable(APP, "continuous", "ticker")
    await eventually(lambda: again.view("ticker").status == "Running")


async def test_stop_is_shutdown_file_then_sigterm_and_the_exit_code_is_kept(stage: Stage) -> None:
    await stage.deploy(
        {
            "continuous/polite/run.py": """
import os, signal, sys, time
def end(*_):
    print("file", os.path.exists(os.environ["WEBJOBS_SHUTDOWN_FILE"]), flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("file", os.path.exists(os.environ["WEBJOBS_SHUTDOWN_FILE"]), flush=True)
while True: time.sleep(0.05)
"""
        }
    )
    execution = await stage.newest("continuous", "polite")
    await eventually(lambda: "file False" in stage.output(execution))
    await stage.supervisor.disable(APP, "continuous", "polite")
    assert stage.output(execution) == "file False\nfile True\n"
    ended = await stage.newest("continuous", "polite")
    assert (ended.status, ended.exit_code) == ("stopped", 7)


async def test_a_job_that_knows_only_the_shutdown_file_gets_the_time_to_see_it(
    stage: Stage,
) -> None:
    await stage.deploy(
        {
            "continuous/azure/run.py": """
import os, time
print("starts", flush=True)
while not os.path.exists(os.environ["WEBJOBS_SHUTDOWN_FILE"]):
    time.sleep(0.02)
print("tidies up", flush=True)
"""
        }
    )
    execution = await stage.newest("continuous", "azure")
    await eventually(lambda: "starts" in stage.output(execution))
    await stage.supervisor.disable(APP, "continuous", "azure")
    assert stage.output(execution) == "starts\ntidies up\n"
    ended = await stage.newest("continuous", "azure")
    assert (ended.status, ended.exit_code) == ("stopped", 0)


async def test_a_job_that_knows_neither_is_ended_by_sigterm_at_half_time(stage: Stage) -> None:
    await stage.deploy(
        {
            "continuous/plain/run.py": "import time\nprint('starts', flush=True)\ntime.sleep(99)\n",
            "continuous/plain/settings.job": '{"stopping_wait_time": 0.6}',
        }
    )
    execution = await stage.newest("continuous", "plain")
    await eventually(lambda: "starts" in stage.output(execution))
    await stage.supervisor.disable(APP, "continuous", "plain")
    assert (await stage.newest("continuous", "plain")).exit_code == 128 + 15


async def test_a_job_deaf_to_sigterm_is_killed_with_its_daemonised_grandchild(
    stage: Stage,
) -> None:
    await stage.deploy(
        {
            "continuous/deaf/run.py": """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(0.05)
    os._exit(0)
os.wait()
print("ready", flush=True)
while True: time.sleep(0.05)
""",
            "continuous/deaf/settings.job": '{"stopping_wait_time": 0.3}',
        }
    )
    execution = await stage.newest("continuous", "deaf")
    await eventually(lambda: "ready" in stage.output(execution))
    mine = processes_of(execution)
    assert len(mine) >= 2, "the job and its grandchild"
    await stage.supervisor.disable(APP, "continuous", "deaf")
    assert not {pid for pid in mine if alive(pid)}
    assert [record["waited"] for record in stage.recorded("job.killed")] == [0.3]
    assert (await stage.newest("continuous", "deaf")).exit_code == 137


async def test_a_setting_restarts_jobs_but_one_that_steers_does_not(stage: Stage) -> None:
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    first = stage.pid("ticker")
    await stage.set(WEBJOBS_RESTART_TIME="5")
    assert stage.pid("ticker") == first
    await stage.set(COLOR="blue")
    await eventually(lambda: stage.view("ticker").pid not in (None, first))
    await eventually(lambda: not alive(first))


async def test_webjobs_stopped_stops_everything_and_its_removal_starts_it_again(
    stage: Stage,
) -> None:
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    pid = stage.pid("ticker")
    await stage.set(WEBJOBS_STOPPED="1")
    assert not alive(pid)
    assert stage.view("ticker").status == "Stopped"
    await stage.set(WEBJOBS_STOPPED="0")
    await eventually(lambda: stage.view("ticker").status == "Running")


async def test_a_job_without_a_script_is_listed_with_its_error_and_the_others_run(
    stage: Stage,
) -> None:
    await stage.deploy({"continuous/ticker/run.py": TICKER, "continuous/odd/notes.txt": "x"})
    assert stage.view("odd").status == "Stopped"
    assert stage.view("odd").error
    assert stage.view("ticker").status == "Running"


async def test_a_missing_host_is_an_error_of_that_job_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    await stage.deploy(
        {"continuous/ticker/run.py": TICKER, "continuous/page/run.js": "setInterval(() => 0, 100)"}
    )
    await eventually(lambda: stage.view("page").status == "PendingRestart")
    assert "node" in str(stage.view("page").error)
    assert stage.view("page").pid is None
    assert stage.view("ticker").status == "Running"
    assert await stage.store.executions.newest(APP, "continuous", "page") == []


async def test_with_strict_a_missing_host_fails_the_swap(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = await stages(strict=True)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SwapFailed, match="node"):
        await stage.prepare({"continuous/page/run.js": "setInterval(() => 0, 100)"})
    assert stage.supervisor.jobs(APP) == []


async def test_a_process_killed_from_outside_has_exit_code_128_plus_n(stage: Stage) -> None:
    await stage.deploy(
        {
            "continuous/ticker/run.py": TICKER,
            "continuous/ticker/settings.job": '{"restart_time": 0.1}',
        }
    )
    pid = stage.pid("ticker")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: stage.view("ticker").pid not in (None, pid))
    assert stage.recorded("job.ended")[0]["exit_code"] == 137


async def test_old_executions_are_forgotten_with_their_directories(stage: Stage) -> None:
    await stage.store.apps.merge_settings(APP, {"WEBJOBS_HISTORY_SIZE": "2"})
    await stage.deploy({"triggered/mail/run.sh": "echo $WEBJOBS_RUN_ID"})
    ids = []
    for _ in range(4):
        run = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t"))
        await stage.supervisor.wait_ended(run)
        ids.append(run.id)
    directory = stage.home.app(APP).executions("triggered", "mail")
    await eventually(lambda: sorted(p.name for p in directory.iterdir()) == ids[2:])
    kept = await stage.store.executions.newest(APP, "triggered", "mail")
    assert [run.id for run in kept] == ids[:1:-1]


async def test_a_private_copy_is_writable_and_is_where_the_job_runs(stage: Stage) -> None:
    await stage.deploy(
        {
            "triggered/copy/run.sh": "echo new > note && cat note && pwd",
            "triggered/copy/settings.job": '{"is_in_place": false}',
        }
    )
    run = await stage.supervisor.run(APP, "copy", RunRequest(trigger="t"))
    ended = await stage.supervisor.wait_ended(run)
    assert ended.exit_code == 0
    assert stage.output(run).splitlines()[0] == "new"
    release = stage.home.app(APP).release(1)
    assert not (release / "App_Data/jobs/triggered/copy/note").exists()
