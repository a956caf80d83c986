"""What is deleted is stopped first, with what is just being started, and nothing of it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from gitdeploy.home import Kind
from gitdeploy.supervise.adopt import adopt_all
from gitdeploy.supervise.apps import Apps
from gitdeploy.supervise.begin import DEFAULT_WAIT
from gitdeploy.supervise.context import Context
from gitdeploy.supervise.ending import Verdict
from gitdeploy.supervise.live import Live, id_of
from gitdeploy.supervise.runs import Runs
from gitdeploy.supervise.stop import stop


async def remove_job(
    context: Context,
    apps: Apps,
    runs: Runs,
    key: tuple[str, Kind, str],
    forget: Callable[[], Awaitable[None]],
) -> None:
    """A job (app, kind, name) was deleted from the store: stop it, `forget` what it did, follow
    the store. Another of its name, which the deleted one stood before, begins with nothing.
    """
    app, kind, job = key
    jobs = await apps.open(app)
    async with jobs.lock:
        jobs.disabled -= {(kind, job)}
        desired = await apps.load(app)
        without = desired
        if desired is not None:
            others = tuple(each for each in desired.jobs if each.key != (kind, job))
            without = msgspec.structs.replace(desired, jobs=others)
        await jobs.reconcile(without, reason="deleted")
        apps.schedule(jobs)
        await runs.all_started(app)
        await _stop_all(context, lambda live: id_of(live.execution)[:3] == key, reason="deleted")
        if kind == "triggered":  # what stands by has its data directory open
            await runs.dismiss(app)
        try:
            await forget()
        finally:
            await jobs.reconcile(desired, reason="deleted")
            apps.schedule(jobs)


async def remove_app(context: Context, apps: Apps, runs: Runs, app: str) -> None:
    """The app is being deleted: stop everything of it; returns when nothing is left."""
    jobs = await apps.open(app)
    async with jobs.lock:
        jobs.desired = None
        apps.schedule(jobs)
        await jobs.stop_all(reason="the app is deleted")
        await runs.all_started(app)
        # Not yet adopted ones: a deletion that a crash cut off is finished before the start.
        await adopt_all(context, lambda _: DEFAULT_WAIT, app=app)
        await _stop_all(context, lambda live: live.execution.app == app)
        await runs.dismiss(app)
        apps.close(app)


async def _stop_all(
    context: Context, which: Callable[[Live], bool], *, reason: str | None = None
) -> None:
    lives = [live for live in context.lives if which(live)]
    ends = (stop(context, live, Verdict("stopped"), reason=reason) for live in lives)
    await asyncio.gather(*ends)
