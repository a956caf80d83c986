"""Prune: old releases, environments and logs that nothing needs go into the trash.

The trash is emptied behind the deployment (Deployer), so that no pusher waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Set
from contextlib import suppress
from dataclasses import replace

from gitdeploy.deploy.context import Context
from gitdeploy.deploy.releases import (
    discard_environments,
    discard_log,
    discard_release,
    discard_unused,
    read_meta,
)
from gitdeploy.store import Release

_KEPT_LOGS = 100  # what GET api/deployments lists


async def prune(ctx: Context) -> Context:
    """Keep the newest `keep_releases`, the active one, and those that processes live in.

    Of deployments the newest 100 stay with their logs, and those whose release stays.
    """
    tools = ctx.tools
    releases = await tools.store.releases.on_disk(ctx.app)
    used = tools.supervisor.releases_in_use(ctx.app)
    gone = surplus(releases, keep=tools.options.keep_releases, used=used)
    needed = {r.environment for r in releases if r.environment and r.number not in gone}
    if ctx.environment:
        needed.add(ctx.environment)
    forgotten = await tools.store.deployments.prune(ctx.app, keep=_KEPT_LOGS)
    for deployment in forgotten:
        tools.events.forget_deployment(ctx.app, deployment)
    # side by side: what a crash leaves of either, the next start sees (recover.tidy)
    kept = [r.number for r in releases if r.number not in gone]
    works: list[Awaitable[None]] = [asyncio.to_thread(_discard, ctx, gone, kept, needed, forgotten)]
    if gone:
        works.append(tools.store.releases.prune(ctx.app, gone, at=tools.clock.now()))
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome
    count = len(gone)
    detail = f"{count} old release{'' if count == 1 else 's'} removed" if count else "nothing"
    return replace(ctx, detail=detail)


def surplus(releases: Iterable[Release], *, keep: int, used: Set[int]) -> list[int]:
    """The numbers of the releases that may go, oldest first."""
    newest = sorted(releases, key=lambda release: release.number, reverse=True)
    old = (r.number for r in newest[keep:] if not r.active and r.number not in used)
    return sorted(old)


def _discard(
    ctx: Context,
    gone: Iterable[int],
    kept: Iterable[int],
    needed: Set[str],
    forgotten: Iterable[str],
) -> None:
    for number in gone:
        discard_release(ctx.paths, number)
    if any(entry.name not in needed for entry in ctx.paths.environments.glob("*")):
        needed = needed | _of_jobs(ctx, kept)  # only now: it means reading whole manifests
    discard_environments(ctx.paths, needed)
    discard_unused(ctx.paths, now=ctx.tools.clock.now() / 1e6, days=ctx.tools.options.cache_days)
    for deployment in forgotten:
        discard_log(ctx.paths, deployment)


def _of_jobs(ctx: Context, kept: Iterable[int]) -> set[str]:
    """The Python environments of single jobs that releases on the disk need."""
    found = set(ctx.job_environments.values())
    for number in kept:
        with suppress(OSError):
            found |= set(read_meta(ctx.paths, number).job_environments.values())
    return found
