"""Validate: say what is wrong with jobs, and what the deployment will change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.layout import own_dotdeployment
from gitdeploy.jobs import Job, Problem
from gitdeploy.supervise import put_together

_SETTING = "GITDEPLOY_STRICT"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


async def validate(ctx: Context) -> Context:
    """Tell each problem and the plan. Raises DeployError for a problem in strict mode."""
    strict = strict_mode(ctx)
    for problem in ctx.problems:
        ctx.warn(
            describe(problem),
            problem.fix,
            job=problem.job,
            file=problem.file,
            key=problem.key,
            value=problem.value,
        )
    problems = [*ctx.problems, *await _tell_of_uploads(ctx)]
    count = len(problems)
    if count and strict:
        raise DeployError(
            describe(problems[0]) if count == 1 else f"{count} problems were found in jobs.",
            problems[0].fix if count == 1 else "Mend them, or set strict = false.",
        )
    rows = await ctx.tools.store.jobs.desired(ctx.app)
    before: dict[tuple[str, str], Job] = {
        (row.kind, row.name): msgspec.json.decode(row.body, type=Job) for row in rows
    }
    ctx.log.info("jobs.planned", **plan(before, ctx.jobs))
    detail = f"{count} problem{'' if count == 1 else 's'}" if count else "no problems"
    return replace(ctx, detail=detail)


def strict_mode(ctx: Context) -> bool:
    """Whether a problem fails the deployment.

    The app setting GITDEPLOY_STRICT decides, else `strict` of `.deployment`, else the app or the
    server's option. Raises DeployError for a value that is neither true nor false.
    """
    chosen = {key.lower(): value for key, value in ctx.settings.items()}.get(_SETTING.lower())
    where = _SETTING
    if chosen is None:
        # not `config`, in which an app setting of that name would count: it may be the app's own
        chosen, where = own_dotdeployment(ctx.root, ctx.settings).get("strict"), "strict"
    if chosen is None:
        return ctx.strict or ctx.tools.options.strict
    value = _BOOLEANS.get(chosen.strip().lower())
    if value is None:
        raise DeployError(f"{where} = {chosen[:60]}: it is neither true nor false.", "Set true.")
    return value


async def _tell_of_uploads(ctx: Context) -> list[Problem]:
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
    return list(found.problems)


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
