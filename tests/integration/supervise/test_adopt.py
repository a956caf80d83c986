"""kill -9 of a server (a real child process); a new Supervisor takes up what it left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitdeploy.sandbox import Handle
from gitdeploy.store import Execution, Store
from gitdeploy.supervise import RunRequest
from tests.integration.supervise.conftest import Stages
from tests.integration.supervise.stage import APP, TICKER, Stage, alive
from tests.support import eventually

ROOT = Path(__file__).parents[3]
LEVELS = ["none", "process", "sandbox"]


class Server:
    """A child process that supervises; `ask` gives it a command, `kill` is SIGKILL."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, name: str, argument: Any) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, argument]).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        pids: dict[str, int] = json.loads(line)
        return pids

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@contextlib.asynccontextmanager
async def server(root: Path, level: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.supervise.stage", str(root), level),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
    started = Server(process)
    try:
        yield started
    finally:
        await started.kill()


@pytest.fixture(params=LEVELS)
async def level(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    stage = await Stage(tmp_path / "probe").start(supervise=False)
    reason = stage.holders.report[request.param]
    await stage.close()
    if reason != "ok":
        pytest.skip(reason)
    return str(request.param)


async def test_after_kill_9_jobs_and_runs_go_on_with_the_same_pids(
    stages: Stages, level: str
) -> None:
    async with server(stages.root, level) as first:
        files = {"continuous/ticker/run.py": TICKER, "triggered/mail/run.sh": "sleep 1.5; exit 4"}
        before = await first.ask("deploy", files)
        before = await first.ask("run", "mail")
        await first.kill()
    assert alive(before["ticker"])
    stage = await stages(level=level)
    assert (stage.pid("ticker"), stage.pid("mail")) == (before["ticker"], before["mail"])
    assert {r["job"] for r in stage.recorded("job.adopted")} == {"ticker", "mail"}
    ended = await stage.supervisor.wait_ended(await stage.newest("triggered", "mail"))
    assert (ended.status, ended.exit_code) == ("failed", 4)
    await stage.supervisor.disable(APP, "continuous", "ticker")
    assert not alive(before["ticker"])


async def test_exit_codes_missed_while_no_server_ran_are_learned(
    stages: Stages, level: str
) -> None:
    script = "while [ ! -e $WEBJOBS_DATA_PATH/go ]; do sleep 0.05; done; echo out; exit 9"
    async with server(stages.root, level) as first:
        await first.ask("deploy", {"triggered/mail/run.sh": script})
        pid = (await first.ask("run", "mail"))["mail"]
        await first.kill()
    stage = Stage(stages.root, level=level)
    (stage.home.app(APP).job_data("triggered", "mail") / "go").touch()
    await eventually(lambda: not alive(pid))
    await asyncio.sleep(0.3)  # the end lies in the past when the next server comes
    stage = await stages(level=level)
    ended = await stage.newest("triggered", "mail")
    assert (ended.status, ended.exit_code, ended.error) == ("failed", 9, None)
    assert ended.started_at is not None
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at <= stage.clock.now() - 200_000
    assert stage.output(ended) == "out\n"
    assert stage.view("mail").status == "Ready"
    (record,) = stage.recorded("run.ended")
    assert record["while_away"] is True


async def test_a_continuous_job_that_ended_meanwhile_is_started_again(stages: Stages) -> None:
    async with server(stages.root, "none") as first:
        before = await first.ask("deploy", {"continuous/ticker/run.py": TICKER})
        await first.kill()
    os.kill(before["ticker"], signal.SIGKILL)
    await eventually(lambda: not alive(before["ticker"]))
    stage = await stages(level="none")
    await eventually(lambda: stage.view("ticker").status == "Running")
    older = (await stage.store.executions.newest(APP, "continuous", "ticker"))[1]
    assert (older.status, older.exit_code) == ("failed", 137)


async def test_a_server_killed_in_a_swap_leaves_one_process_of_the_release_in_force(
    stages: Stages,
) -> None:
    async with server(stages.root, "none") as first:
        old = await first.ask("deploy", {"continuous/ticker/run.py": TICKER + "# 1"})
        await first.ask("prepare", {"continuous/ticker/run.py": TICKER + "# 2"})
        await first.kill()
    stage = await stages(level="none")
    assert stage.pid("ticker") == old["ticker"]

    async def only_one() -> bool:
        return len(await stage.store.executions.open("1a2b3c")) == 1

    await eventually(only_one)
    assert alive(old["ticker"])


async def test_a_server_killed_between_the_phases_leaves_the_new_process(stages: Stages) -> None:
    async with server(stages.root, "none") as first:
        old = await first.ask("deploy", {"continuous/ticker/run.py": TICKER + "# 1"})
        await first.ask("half", {"continuous/ticker/run.py": TICKER + "# 2"})
        await first.kill()
    stage = await stages(level="none")
    newest = await stage.newest("continuous", "ticker")
    assert newest.release == 2
    assert stage.pid("ticker") != old["ticker"]
    assert stage.view("ticker").since == newest.started_at
    await eventually(lambda: not alive(old["ticker"]))
    assert {r["execution"] for r in stage.recorded("job.adopted")} > {newest.id}


async def test_a_process_started_just_before_the_crash_is_found_by_its_directory(
    stages: Stages, level: str
) -> None:
    async with server(stages.root, level) as first:
        before = await first.ask("deploy", {"continuous/ticker/run.py": TICKER})
        await first.kill()
    # As if the crash had come between the start and its record in the store.
    stage = Stage(stages.root)
    stage.store.open()
    sql = "UPDATE executions SET status = 'initializing', process = NULL, started_at = NULL"
    await stage.store.database.write(lambda c: c.execute(sql) and None)
    stage.store.close()
    again = await stages(level=level)
    assert again.pid("ticker") == before["ticker"]
    execution = await again.newest("continuous", "ticker")
    assert execution.status == "running"
    assert execution.process is not None


async def test_what_was_recorded_and_never_started_is_aborted(stages: Stages) -> None:
    stage = await stages()
    await stage.deploy({"triggered/mail/run.sh": "true"})
    await stages.close(stage, stop_jobs=True)
    await add_open(stages.root, status="initializing")
    again = await stages()
    found = await again.newest("triggered", "mail")
    assert (found.status, found.exit_code) == ("aborted", None)
    assert found.error == "The server ended before it was started."
    run = await again.supervisor.run(APP, "mail", RunRequest(trigger="t"))
    assert (await again.supervisor.wait_ended(run)).status == "success"


async def test_after_a_reboot_what_ran_is_aborted_and_continuous_jobs_start(
    stages: Stages,
) -> None:
    stage = await stages(level="none")
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    pid = stage.pid("ticker")
    execution = await stage.newest("continuous", "ticker")
    await stages.close(stage, stop_jobs=False)
    assert execution.process is not None
    handle = msgspec.json.decode(execution.process, type=Handle)
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    os.kill(handle.holder, signal.SIGKILL)
    (Path(handle.directory) / "status").unlink(missing_ok=True)
    earlier = msgspec.structs.replace(handle, boot_id="00000000-0000-0000-0000-000000000000")
    store = Store(stage.home.database)
    store.open()
    body = msgspec.json.encode(earlier).decode()
    await store.database.write(
        lambda c: c.execute("UPDATE executions SET process = ?", (body,)) and None
    )
    store.close()
    again = await stages(level="none")
    await eventually(lambda: again.view("ticker").status == "Running")
    older = await again.store.executions.get(APP, "continuous", "ticker", execution.id)
    assert older is not None
    assert (older.status, older.exit_code) == ("aborted", None)


async def test_an_orderly_close_without_stopping_jobs_leaves_them_for_the_next(
    stages: Stages,
) -> None:
    stage = await stages()
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    pid = stage.pid("ticker")
    await stages.close(stage, stop_jobs=False)
    assert alive(pid)
    again = await stages()
    assert again.pid("ticker") == pid


async def test_an_orderly_close_ends_jobs_and_runs(stages: Stages) -> None:
    stage = await stages()
    await stage.deploy({"continuous/ticker/run.py": TICKER, "triggered/mail/run.sh": "sleep 60"})
    run = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t"))
    pid = stage.pid("ticker")
    await stages.close(stage, stop_jobs=True)
    assert not alive(pid)
    store = Store(stage.home.database)
    store.open()
    assert await store.executions.open("1a2b3c") == []
    ended = await store.executions.get(APP, "triggered", "mail", run.id)
    store.close()
    assert ended is not None
    assert (ended.status, ended.error) == ("aborted", "The server was stopped.")


async def test_a_deletion_finished_before_the_start_leaves_no_process(stages: Stages) -> None:
    stage = await stages(level="none")
    await stage.deploy({"continuous/ticker/run.py": TICKER})
    pid = stage.pid("ticker")
    await stages.close(stage, stop_jobs=False)
    again = await Stage(stages.root, level="none").start(supervise=False)
    await again.store.apps.mark_deleting(APP)
    await again.supervisor.forget(APP)
    assert not alive(pid)
    await again.close()


async def add_open(root: Path, **changes: Any) -> None:
    """A row as a crash leaves it."""
    stage = Stage(root)
    stage.store.open()
    now = stage.clock.now()
    row = Execution(
        **{
            "app": APP,
            "kind": "triggered",
            "job": "mail",
            "id": "209912312359590000",
            "status": "running",
            "instance": "1a2b3c",
            "created_at": now,
            **changes,
        }
    )
    assert await stage.store.executions.add(row)
    stage.store.close()
