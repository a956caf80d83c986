"""Activate: the release and its jobs come into effect, all or nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec

from gitdeploy.deploy.actions import run_actions
from gitdeploy.deploy.checkout import disk_error
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.difference import digests
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.releases import Meta, flush, point_current, write_meta
from gitdeploy.supervise import Desired, Prepared, SwapFailed, put_together, roots


async def activate(ctx: Context) -> Context:
    """Start what is new, make the release the active one, stop what is old.

    Changed continuous jobs run and have lived through `swap_grace`, and the release is on the
    disk, before the store names it active; from there on there is no way back. Raises
    DeployError with everything as it was.
    """
    onto_disk = asyncio.create_task(asyncio.to_thread(_finish, ctx))
    try:
        supervisor = ctx.tools.supervisor
        prepared = await supervisor.prepare(ctx.app, lambda: _desired(ctx), ctx.log)
    except SwapFailed as error:
        raise DeployError(error.what, error.fix, tail=error.tail) from error
    finally:
        # the directory isn't removed under a thread that still writes to it
        await asyncio.wait({onto_disk})
    try:
        onto_disk.result()
    except OSError as error:
        await prepared.abort()
        raise disk_error(error) from error
    # a server that stops in the middle finishes this first
    swap = asyncio.create_task(_swap(ctx, prepared))
    try:
        await asyncio.shield(swap)
    except asyncio.CancelledError:
        await asyncio.wait({swap})
        raise
    await run_actions(ctx)
    return replace(ctx, detail=f"release {ctx.release.number}")


async def _swap(ctx: Context, prepared: Prepared) -> None:
    store, release = ctx.tools.store, ctx.release
    jobs: list[tuple[str, str, str]] = [
        (job.kind, job.name, msgspec.json.encode(job).decode()) for job in ctx.jobs
    ]
    try:
        if (ctx.environment, ctx.project) != (release.environment, release.project):
            await store.releases.update(
                ctx.app, release.number, environment=ctx.environment, project=ctx.project
            )
        await store.releases.activate(ctx.app, release.number, jobs, at=ctx.tools.clock.now())
    except BaseException:
        await prepared.abort()
        raise
    uploads = await store.uploads.all(ctx.app)
    found = await put_together(store, ctx.app, ctx.jobs, release, uploads)
    for kind, name in found.stale:
        await store.uploads.drop_settings(ctx.app, kind, name)
    try:
        point_current(ctx.paths, release.number)
    except OSError as error:  # mended at the next start; the store decides what is active
        ctx.warn(f"The link `current` can't be replaced: {error.strerror}.")
    await prepared.commit()


async def _desired(ctx: Context) -> Desired:
    release = msgspec.structs.replace(ctx.release, environment=ctx.environment, project=ctx.project)
    store = ctx.tools.store
    uploads = await store.uploads.all(ctx.app)
    found = await put_together(store, ctx.app, ctx.jobs, release, uploads)
    return Desired(
        app=ctx.app,
        release=release,
        root=ctx.site,
        jobs=found.jobs,
        settings=dict(ctx.settings),
        environment=ctx.environment_path,
        uploads=roots(ctx.paths, uploads),
        proven=ctx.kept,
    )


def _finish(ctx: Context) -> None:
    """Write down what the release is made of, and have all of it on the disk."""
    if not ctx.kept:
        meta = Meta(
            manifest=ctx.manifest,
            environment=ctx.environment,
            project=ctx.project,
            jobs={f"{job.kind}/{job.name}": job.identity for job in ctx.jobs},
            settings=digests(ctx.settings),
            job_environments=ctx.job_environments,
        )
        write_meta(ctx.paths, ctx.release.number, meta)
        flush(ctx.root)
