from __future__ import annotations

import asyncio
import re

import pytest

from gitdeploy.logs import remote_lines
from gitdeploy.supervise import JobChange, RunRequest, SwapFailed
from tests.integration.supervise.conftest import Stages
from tests.integration.supervise.stage import APP, TICKER, Stage, alive
from tests.support import eventually

DYING = "import sys; print('about to fail', file=sys.stderr); print('\\x1b[2Jbye'); sys.exit(3)"


def version(number: int) -> str:
    return TICKER.replace("VERSION", str(number))


async def test_old_and_new_run_side_by_side_until_commit(stage: Stage) -> None:
    await stage.deploy({"continuous/ticker/run.py": version(1)})
    old = stage.pid("ticker")
    prepared, desired = await stage.prepare({"continuous/ticker/run.py": version(2)})
    (change,) = prepared.changes
    assert (change.change, change.old_pid) == ("~", old)
    assert change.new_pid is not None
    assert alive(old)
    assert alive(change.new_pid)
    await stage.activate(desired)
    await prepared.commit()
    assert stage.pid("ticker") == change.new_pid
    assert not alive(old)
    (swapped,) = stage.recorded("job.swapped")
    assert (swapped["old_pid"], swapped["new_pid"]) == (old, change.new_pid)
    assert swapped["duration_ms"] > 0
    journal = stage.events.deployment_journal(APP, "d" * 40).tail(100)
    assert "job.swapped" in [entry.record["event"] for entry in journal]


async def test_the_pusher_reads_one_line_a_job(stage: Stage) -> None:
    files = {f"continuous/{name}/run.py": version(1) for name in ("calm", "changed", "gone")}
    single = {
        "continuous/single/run.py": version(1),
        "continuous/single/settings.job": '{"is_singleton": true}',
    }
    await stage.deploy({**files, **single})
    changed, gone, one = (stage.pid(name) for name in ("changed", "gone", "single"))
    journal = stage.events.deployment_journal(APP, "d" * 40)
    seen = len(journal.tail(1000))
    del files["continuous/gone/run.py"]
    files |= {f"continuous/{name}/run.py": version(2) for name in ("changed", "fresh")}
    await stage.deploy({**files, **single, "continuous/single/run.py": version(2)})
    records = [entry.record for entry in journal.tail(1000)[seen:]]
    lines = [line.split() for record in records for line in remote_lines(record)]
    assert sorted(" ".join(words[:6]) for words in lines) == [
        f"start fresh pid {stage.pid('fresh')}",
        f"stop gone pid {gone}",
        f"swap changed pid {changed} → {stage.pid('changed')}",
        f"swap single pid {one} → {stage.pid('single')}",
    ]


async def test_an_untouched_job_keeps_its_pid_and_its_release(stage: Stage) -> None:
    files = {"continuous/a/run.py": version(1), "continuous/b/run.py": version(1)}
    await stage.deploy(files)
    a, b = stage.pid("a"), stage.pid("b")
    prepared = await stage.deploy({**files, "continuous/b/run.py": version(2)})
    assert stage.pid("a") == a
    assert stage.pid("b") != b
    assert [(c.name, c.change) for c in prepared.changes] == [("a", "="), ("b", "~")]
    assert stage.supervisor.releases_in_use(APP) == {1, 2}


async def test_a_new_one_that_dies_keeps_the_old_and_tells_its_last_words(stage: Stage) -> None:
    files = {"continuous/ticker/run.py": version(1), "continuous/calm/run.py": version(1)}
    await stage.deploy(files)
    pids = stage.pid("ticker"), stage.pid("calm")
    new = {"continuous/ticker/run.py": DYING, "continuous/calm/run.py": version(2)}
    with pytest.raises(SwapFailed) as failed:
        await stage.prepare({**new, "continuous/extra/run.py": version(1)})
    assert failed.value.job == "continuous/ticker"
    assert re.fullmatch(
        r"The new continuous/ticker ended (at once|after \S+ m?s) with exit code 3;"
        r" the old one runs on\.",
        failed.value.what,
    )
    assert failed.value.fix.startswith("Mend what its last lines say and push again")
    assert sorted(failed.value.tail) == ["\\x1b[2Jbye", "about to fail"]
    assert (stage.pid("ticker"), stage.pid("calm")) == pids
    assert [view.job.name for view in stage.supervisor.jobs(APP)] == ["calm", "ticker"]
    open_ones = await stage.store.executions.open("1a2b3c")
    assert len(open_ones) == 2, "the new ones are gone"


async def test_a_new_one_that_is_killed_is_told_by_its_signal(stage: Stage) -> None:
    with pytest.raises(SwapFailed) as failed:
        await stage.prepare({"continuous/t/run.sh": "kill -SEGV $$"})
    assert failed.value.what.startswith("The new continuous/t ended ")
    assert failed.value.what.endswith(" by SIGSEGV (exit code 139).")
    assert failed.value.tail == ()
    assert "try App_Data/jobs/continuous/t/run.sh by hand" in failed.value.fix


async def test_after_a_failed_swap_the_next_deployment_goes_through(stage: Stage) -> None:
    await stage.deploy({"continuous/ticker/run.py": version(1)})
    with pytest.raises(SwapFailed):
        await stage.prepare({"continuous/ticker/run.py": DYING})
    await stage.deploy({"continuous/ticker/run.py": version(3)})
    newest = await stage.newest("continuous", "ticker")
    await eventually(lambda: "ticker 3" in stage.output(newest))


async def test_a_new_one_that_ends_with_0_within_the_grace_is_no_failure(stage: Stage) -> None:
    await stage.deploy({"continuous/once/run.py": "print('done')"})
    await eventually(lambda: stage.view("once").status == "PendingRestart")


async def test_a_singleton_is_never_there_twice(stage: Stage) -> None:
    lonely = '{"is_singleton": true}'
    script = """
import os, sys, time, signal
signal.signal(signal.SIGTERM, lambda *_: (os.remove(lock), sys.exit(0)))
lock = os.environ["WEBJOBS_DATA_PATH"] + "/lock"
os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
print("VERSION", flush=True)
while True: time.sleep(0.05)
"""
    for number in ("1", "2"):
        await stage.deploy(
            {
                "continuous/one/run.py": script.replace("VERSION", number),
                "continuous/one/settings.job": lonely,
            }
        )
        newest = await stage.newest("continuous", "one")
        await eventually(lambda: stage.output(newest) == f"{number}\n")  # noqa: B023


async def test_a_singleton_that_was_stopped_comes_back_from_its_old_release(stage: Stage) -> None:
    settings = {"continuous/one/settings.job": '{"is_singleton": true}'}
    await stage.deploy({"continuous/one/run.py": version(1), **settings})
    old = stage.pid("one")
    with pytest.raises(SwapFailed, match="; the old one is started again"):
        await stage.prepare({"continuous/one/run.py": DYING, **settings})
    await eventually(lambda: stage.view("one").status == "Running")
    newest = await stage.newest("continuous", "one")
    assert newest.release == 1
    assert stage.pid("one") != old
    await eventually(lambda: "one 1" in stage.output(newest))


async def test_abort_leaves_what_was_before(stage: Stage) -> None:
    await stage.deploy({"continuous/ticker/run.py": version(1)})
    old = stage.pid("ticker")
    prepared, _ = await stage.prepare(
        {"continuous/ticker/run.py": version(2), "continuous/more/run.py": version(1)}
    )
    new = [change.new_pid for change in prepared.changes]
    await prepared.abort()
    assert stage.pid("ticker") == old
    assert not [pid for pid in new if pid and alive(pid)]
    await asyncio.wait_for(stage.supervisor.refresh(APP), 10)  # the lock was let go
    assert stage.pid("ticker") == old


async def test_a_removed_job_stops_and_so_does_the_run_of_a_removed_triggered_one(
    stage: Stage,
) -> None:
    await stage.deploy({"continuous/gone/run.py": version(1), "triggered/mail/run.sh": "sleep 60"})
    pid = stage.pid("gone")
    run = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t"))
    prepared = await stage.deploy({"continuous/new/run.py": version(1)})
    assert not alive(pid)
    assert (await stage.supervisor.wait_ended(run)).status == "stopped"
    assert [(c.kind, c.name, c.change) for c in prepared.changes] == [
        ("continuous", "gone", "-"),
        ("continuous", "new", "+"),
        ("triggered", "mail", "-"),
    ]
    assert [r["job"] for r in stage.recorded("job.stopped")] == ["gone"]


async def test_a_changed_triggered_job_finishes_its_run_in_the_old_release(stage: Stage) -> None:
    await stage.deploy({"triggered/mail/run.sh": "sleep 1.5; echo old"})
    run = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t"))
    prepared = await stage.deploy({"triggered/mail/run.sh": "echo new"})
    assert [(c.name, c.change) for c in prepared.changes] == [("mail", "~")]
    assert (await stage.supervisor.wait_ended(run)).status == "success"
    assert stage.output(run) == "old\n"


async def test_a_disabled_job_is_not_started_by_a_deployment(stage: Stage) -> None:
    await stage.deploy({"continuous/ticker/run.py": version(1)})
    await stage.supervisor.disable(APP, "continuous", "ticker")
    prepared = await stage.deploy({"continuous/ticker/run.py": version(2)})
    assert prepared.changes == [JobChange(kind="continuous", name="ticker", change="~")]
    assert stage.view("ticker").status == "Stopped"


async def test_several_changed_jobs_wait_one_grace_in_all(stages: Stages) -> None:
    stage = await stages(swap_grace=1.0)
    files = {f"continuous/j{n}/run.py": version(1) for n in range(4)}
    began = stage.clock.monotonic()
    await stage.prepare(files)
    assert 1.0 <= stage.clock.monotonic() - began < 3.0
