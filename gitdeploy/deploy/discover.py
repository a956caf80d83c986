"""Discover: which jobs the site has."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gitdeploy import jobs
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.tree import site_manifest


async def discover(ctx: Context) -> Context:
    """Find the site's jobs and give each its identity.

    The identity leaves out the app settings: the supervisor compares them itself, so a setting
    that was changed between two pushes doesn't restart a job a second time.
    """
    found, problems = await asyncio.to_thread(jobs.discover, ctx.site)
    manifest = site_manifest(ctx.manifest, ctx.project)
    identified = tuple(
        jobs.with_identity(job, manifest, settings={}, environment=ctx.environment) for job in found
    )
    count = len(identified)
    detail = f"{count} job{'' if count == 1 else 's'}" if count else "no jobs"
    return replace(ctx, jobs=identified, problems=tuple(problems), detail=detail)
