"""What a server finds when it starts: deployments cut off by its end, and their leavings."""

from __future__ import annotations

import asyncio

from gitdeploy.clock import Clock
from gitdeploy.deploy.attempt import was_activated
from gitdeploy.deploy.builds.runner import reap_builds
from gitdeploy.deploy.releases import discard_strays, empty_trash, point_current, read_meta
from gitdeploy.events import Events
from gitdeploy.home import AppHome, Home
from gitdeploy.sandbox import Holders
from gitdeploy.store import Store

_CUT_OFF = "The server ended during it."


async def end_cut_off(store: Store, events: Events, clock: Clock, instance: str) -> None:
    """Record the end of the deployments that this instance left open.

    One whose release became active has succeeded, any other has failed.
    """
    for row in await store.deployments.unfinished(instance):
        log = events.deployment_log(row.app, row.id, row.attempt)
        succeeded = was_activated(row)
        await store.deployments.advance(
            row.app,
            row.id,
            row.status,
            "success" if succeeded else "failed",
            ended_at=clock.now(),
            status_text="" if succeeded else _CUT_OFF,
            progress="",
        )
        if succeeded:
            log.info("deploy.succeeded", release=row.release)
        else:
            log.error("deploy.failed", what=_CUT_OFF, fix="Deploy the commit again.", tail=[])
        events.release_deployment_journal(row.app, row.id)


async def tidy(store: Store, home: Home, clock: Clock, holders: Holders) -> None:
    """End builds that go on without us, remove half releases, let `current` lead where it should."""
    for app in await store.apps.all():
        paths = home.app(app.name)
        await reap_builds(paths, holders)
        releases = await store.releases.on_disk(app.name)
        whole = {r.number for r in releases if r.active or _finished(paths, r.number)}
        gone = [r.number for r in releases if r.number not in whole]
        if gone:
            await store.releases.prune(app.name, gone, at=clock.now())
        await asyncio.to_thread(discard_strays, paths, whole)
        await asyncio.to_thread(empty_trash, paths)
        active = await store.releases.active(app.name)
        if active is not None:
            point_current(paths, active.number)


def _finished(paths: AppHome, number: int) -> bool:
    try:
        read_meta(paths, number)
    except (OSError, ValueError, KeyError):
        return False
    return paths.release(number).is_dir()
