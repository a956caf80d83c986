"""Checkout: a commit's tree, or other content, becomes a new release directory; nothing is live yet."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

from gitdeploy.archives import ZipLimits
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.releases import read_meta
from gitdeploy.deploy.source import Base
from gitdeploy.deploy.tree import Written
from gitdeploy.repos.threads import in_thread

_NAMED = 3


async def checkout(ctx: Context) -> Context:
    """Write the release. One that is whole on the disk is taken as it is.

    Submodules stay empty and Git LFS pointers stay pointers, both with a warning. Raises
    DeployError; the caller removes what was begun.
    """
    if ctx.kept:
        meta = read_meta(ctx.paths, ctx.release.number)
        return replace(
            ctx,
            manifest=meta.manifest,
            project=meta.project,
            environment=meta.environment,
            job_environments=meta.job_environments,
            detail=f"release {ctx.release.number} is on the disk",
        )
    ctx.paths.releases.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = await _base(ctx) if ctx.source.partial else None
    limits = ZipLimits.of(ctx.tools.options)
    try:
        written = await in_thread(lambda: ctx.source.write(ctx.root, base, limits))
    except OSError as error:
        raise disk_error(error) from error
    if base is not None:
        ctx = replace(
            ctx,
            project=base.project,
            environment=base.environment,
            job_environments=base.job_environments,
        )
    _warn(ctx, written)
    files = len(written.manifest) - len(written.submodules)
    return replace(
        ctx, manifest=written.manifest, detail=f"{files} file{'' if files == 1 else 's'}"
    )


async def _base(ctx: Context) -> Base | None:
    """The release that a partial source changes: the one that is active now."""
    active = await ctx.tools.store.releases.active(ctx.app)
    if active is None:
        return None
    meta = await asyncio.to_thread(read_meta, ctx.paths, active.number)
    root = ctx.paths.release(active.number)
    return Base(root, meta.manifest, meta.project, meta.environment, meta.job_environments)


def disk_error(error: OSError) -> DeployError:
    """What a failing disk means to a pusher; names no path of the server."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DeployError("The server's disk is full.", "Make room on it, then deploy again.")
    reason = error.strerror or str(error.errno)
    return DeployError(f"The server's disk refused a file: {reason}.", "Ask its operator.")


def _warn(ctx: Context, written: Written) -> None:
    if written.submodules:
        ctx.warn(
            f"Submodules are left empty: {_some(written.submodules)}.",
            "Put their files into this repository (git subtree), or fetch them in the build.",
        )
    if written.lfs:
        ctx.warn(
            f"Git LFS files are deployed as pointers: {_some(written.lfs)}.",
            "Commit the files themselves, or fetch them in the build.",
        )


def _some(paths: list[str]) -> str:
    shown = ", ".join(path.encode("utf-8", "replace").decode() for path in paths[:_NAMED])
    more = len(paths) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
