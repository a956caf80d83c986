"""Delays between starts, on a clock that the test moves; the processes are real."""

from __future__ import annotations

import os
import signal

from tests.integration.supervise.conftest import Stages
from tests.integration.supervise.stage import TICKER, Stage
from tests.support import eventually
from tests.unit.supervise.conftest import ManualClock

FILES = {"continuous/ticker/run.py": TICKER}


async def killed(stage: Stage, clock: ManualClock) -> float:
    """Kill the process; how many seconds the job waits then (0: it was started at once)."""
    pid, before = stage.pid("ticker"), len(stage.recorded("job.restarting"))
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: len(stage.recorded("job.restarting")) > before)
    delay: float = stage.recorded("job.restarting")[-1]["delay"]
    return delay


async def running(stage: Stage) -> bool:
    view = stage.view("ticker")
    return view.status == "Running" and view.pid is not None


async def test_the_delay_grows_with_early_ends_and_health_resets_it(stages: Stages) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock, swap_grace=0.0)
    await stage.deploy(FILES)
    for expected in (60.0, 90.0, 135.0):
        await eventually(lambda: running(stage))
        assert await killed(stage, clock) == expected
        await clock.advance(expected - 1)
        assert stage.view("ticker").status == "PendingRestart"
        await clock.advance(1.5)
    await eventually(lambda: running(stage))
    await clock.advance(121)
    assert await killed(stage, clock) == 0
    await eventually(lambda: running(stage))
    assert await killed(stage, clock) == 60.0
    assert stage.view("ticker").restarts == 4


async def test_the_apps_restart_time_counts(stages: Stages) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock, swap_grace=0.0)
    await stage.deploy(FILES)
    await stage.set(WEBJOBS_RESTART_TIME="7")
    assert await killed(stage, clock) == 7.0
    await clock.advance(7.1)
    await eventually(lambda: running(stage))


async def test_a_failure_of_ours_is_told_and_the_job_is_tried_again(stages: Stages) -> None:
    clock = ManualClock()
    stage = await stages(clock=clock, swap_grace=0.0)
    await stage.deploy(FILES)
    spawn, stage.holders.spawn = stage.holders.spawn, broken  # type: ignore[method-assign]
    assert await killed(stage, clock) == 60.0
    await clock.advance(60.1)
    await eventually(lambda: stage.recorded("supervisor.failed"))
    await eventually(lambda: stage.view("ticker").status == "PendingRestart")
    assert "a bug" in str(stage.view("ticker").error)
    assert "a bug" in stage.stderr.getvalue()
    failed = await stage.newest("continuous", "ticker")
    assert failed.status == "failed"
    stage.holders.spawn = spawn  # type: ignore[method-assign]
    await clock.advance(91)
    await eventually(lambda: running(stage))
    assert stage.view("ticker").error is None


async def broken(*_: object, **__: object) -> None:
    raise RuntimeError("a bug")
