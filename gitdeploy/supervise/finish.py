"""What an end does: stop every process, or leave all to the next server; no start unrecorded."""

from __future__ import annotations

import asyncio

from gitdeploy.supervise.apps import Apps
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.stop import stop


async def finish(context: Context, apps: Apps, runs: Runs, *, stop_jobs: bool) -> None:
    """With `stop_jobs` every process is ended within its stopping time; without, all go on."""
    await runs.all_started()
    if stop_jobs:
        await asyncio.gather(*(jobs.stop_all(reason="the server stops") for jobs in apps.all()))
        verdict = Verdict("aborted", "The server was stopped.")
        await asyncio.gather(*(stop(context, live, verdict) for live in set(context.lives)))
    for jobs in apps.all():
        for kept in jobs.continuous.values():
            await kept.release()
    await runs.close()
    starts = {live.recorded for live in context.lives if live.recorded is not None}
    if starts:  # what was started is on record before the store closes
        await asyncio.wait(starts)
    tasks = set(context.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(live.let_go() for live in set(context.lives)))
