"""Discover: which jobs the site has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from gitdeploy import jobs
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.dotdeployment import jobs_directory
from gitdeploy.deploy.layout import read_config
from gitdeploy.deploy.tree import site_manifest
from gitdeploy.jobs import Job, Problem


async def discover(ctx: Context) -> Context:
    """Find the site's jobs and give each its identity.

    The identity leaves out the app settings: the supervisor compares them itself, so a setting
    that was changed between two pushes doesn't restart a job a second time.
    """
    identified, problems = await asyncio.to_thread(_discover, ctx)
    count = len(identified)
    detail = f"{count} job{'' if count == 1 else 's'}" if count else "no jobs"
    return replace(ctx, jobs=identified, problems=tuple(problems), detail=detail)


def _discover(ctx: Context) -> tuple[tuple[Job, ...], list[Problem]]:
    """In a thread: ten thousand jobs take a second or two."""
    place, wrong = _place(ctx)
    found, problems = jobs.discover(ctx.site, place=place)
    found = [
        msgspec.structs.replace(job, environment=ctx.job_environments.get(f"{job.kind}/{job.name}"))
        for job in found
    ]
    manifest = site_manifest(ctx.manifest, ctx.project)
    identified = jobs.with_identities(
        found, manifest, settings={}, environment=ctx.environment, place=place
    )
    return tuple(identified), wrong + problems + _missing_hosts(identified, ctx)


def _place(ctx: Context) -> tuple[str, list[Problem]]:
    """Where the jobs are, by WEBJOBS_ROOT_PATH, and what is wrong with that."""
    config = read_config(ctx.root, ctx.settings)
    try:
        return jobs_directory(config), []
    except jobs.SettingError as error:
        problem = Problem(
            job="",
            file="app settings",
            key=error.key,
            value=error.value,
            reason=error.reason,
            fix=error.fix,
        )
        return jobs.DEFAULT_PLACE, [problem]


def _missing_hosts(found: Iterable[Job], ctx: Context) -> list[Problem]:
    """Jobs that this machine lacks the program for; they run once it is installed."""
    problems: list[Problem] = []
    for job in found:
        if job.script is None or job.action is not None:
            continue
        try:
            own = ctx.paths.environments / job.environment if job.environment else None
            jobs.command(job, root=ctx.site, environment=own or ctx.environment_path)
        except jobs.HostMissing as error:
            file = f"{job.directory}/{job.script}"
            reason = error.what.removesuffix(".")
            problems.append(Problem(job=job.name, file=file, reason=reason, fix=error.fix))
    return problems
