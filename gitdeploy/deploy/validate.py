"""Validate: say what is wrong with jobs, and what the deployment will change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.jobs import Job, Problem
from gitdeploy.supervise import put_together


async def validate(ctx: Context) -> Context:
    """Tell each problem and the plan. Raises DeployError for a problem where `strict` is set."""
    for problem in ctx.problems:
        ctx.warn(
            describe(problem),
            problem.fix,
            job=problem.job,
            file=problem.file,
            key=problem.key,
            value=problem.value,
        )
    count = len(ctx.problems)
    if count and (ctx.strict or ctx.tools.options.strict):
        raise DeployError(
            describe(ctx.problems[0]) if count == 1 else f"{count} problems were found in jobs.",
            ctx.problems[0].fix if count == 1 else "Mend them, or set strict = false.",
        )
    await _tell_of_uploads(ctx)
    rows = await ctx.tools.store.jobs.desired(ctx.app)
    before: dict[tuple[str, str], Job] = {
        (row.kind, row.name): msgspec.json.decode(row.body, type=Job) for row in rows
    }
    ctx.log.info("jobs.planned", **plan(before, ctx.jobs))
    detail = f"{count} problem{'' if count == 1 else 's'}" if count else "no problems"
    return replace(ctx, detail=detail)


async def _tell_of_uploads(ctx: Context) -> None:
    """Where an uploaded job or settings given over the API meet what is deployed now."""
    store = ctx.tools.store
    uploads = await store.uploads.all(ctx.app)
    found = await put_together(store, ctx.app, ctx.jobs, ctx.release, uploads)
    for problem in found.problems:
        ctx.warn(describe(problem), problem.fix, job=problem.job, file=problem.file)
    for kind, name in found.stale:
        ctx.warn(
            f"The settings of {kind}/{name} that were given over the API don't count any more: its"
            " settings.job has changed.",
            "Give them again if they are still meant.",
            job=name,
        )


def describe(problem: Problem) -> str:
    """A problem in one sentence: file, key, value, reason."""
    where = problem.file
    if problem.key is not None:
        where += f": {problem.key}"
        if problem.value is not None:
            where += f" = {problem.value}"
    return f"{where}: {problem.reason}."


def plan(before: Mapping[tuple[str, str], Job], after: Iterable[Job]) -> dict[str, list[str]]:
    """Names (`continuous/ticker`) of the jobs that come, stay as they are, change and go."""
    new = {job.key: job for job in after}
    both = new.keys() & before.keys()
    same = {key for key in both if new[key].identity == before[key].identity}

    def names(keys: Iterable[tuple[str, str]]) -> list[str]:
        return sorted(f"{kind}/{name}" for kind, name in keys)

    return {
        "added": names(new.keys() - before.keys()),
        "kept": names(same),
        "changed": names(both - same),
        "removed": names(before.keys() - new.keys()),
    }
