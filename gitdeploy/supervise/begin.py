"""What a start does: take up what an earlier server left, and make it what is desired."""

from __future__ import annotations

import asyncio
import shutil

from gitdeploy.store import Execution
from gitdeploy.supervise.adopt import adopt_all
from gitdeploy.supervise.apps import Apps
from gitdeploy.supervise.context import Context, Desired
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.steering import stopping_wait
from gitdeploy.supervise.stop import stop

DEFAULT_WAIT = 5.0
"""Seconds that a process may take to end whose job isn't known any more."""


async def begin(context: Context, apps: Apps, runs: Runs) -> None:
    """Adopt every process that runs, then make each app what the store says."""
    names = [app.name for app in await context.store.apps.all()]
    desired = {name: await apps.load(name) for name in names}
    lives = await adopt_all(context, lambda e: _wait_of(desired.get(e.app), e))
    for app in desired:
        await apps.open(app)
        # what stood by went with the server that a crash ended
        shutil.rmtree(context.home.app(app).standby, ignore_errors=True)
    for live in lives:
        if live.execution.kind == "triggered":
            _adopt_run(context, apps, runs, live, desired.get(live.execution.app))
        elif live.execution.app not in desired:
            _end_later(context, live)
    await asyncio.gather(*(_begin_app(context, apps, a, d, lives) for a, d in desired.items()))


async def _begin_app(
    context: Context, apps: Apps, app: str, desired: Desired | None, lives: list[Live]
) -> None:
    jobs = await apps.open(app)
    async with jobs.lock:
        jobs.desired = desired
        mine = [e for e in lives if e.execution.app == app and e.execution.kind == "continuous"]
        await jobs.adopt(mine)
        await jobs.reconcile(desired, reason="the server started")
        apps.schedule(jobs)
        apps.end_runs_if_stopped(jobs)
    context.own(jobs.forget_old(), name=f"forget old executions of {app}")


def _adopt_run(
    context: Context, apps: Apps, runs: Runs, live: Live, desired: Desired | None
) -> None:
    jobs = apps.get(live.execution.app)
    source = None
    if jobs is not None and desired is not None:
        source = jobs.source("triggered", live.execution.job, desired)
    runs.adopt(live, source)
    if jobs is None:
        _end_later(context, live)


def _end_later(context: Context, live: Live) -> None:
    work = stop(context, live, Verdict("stopped"), reason="its app is gone")
    context.own(work, name=f"end {live.exited.get_name()}")


def _wait_of(desired: Desired | None, execution: Execution) -> float:
    key = (execution.kind, execution.job)
    job = None if desired is None else next((j for j in desired.jobs if j.key == key), None)
    return DEFAULT_WAIT if job is None else stopping_wait(job)
