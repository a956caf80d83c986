"""What a site's own files ask for, tool after tool; several may apply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gitdeploy.deploy.builds import dotnet, golang, node, per_job, php, python
from gitdeploy.deploy.builds.place import Place
from gitdeploy.deploy.builds.requirements import python_needs
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.dotdeployment import jobs_directory
from gitdeploy.deploy.tree import below
from gitdeploy.jobs import DEFAULT_PLACE, SettingError

Builder = Callable[[Context, BuildRunner, Place], Awaitable[str | None]]

_BUILDERS: tuple[Builder, ...] = (node.build, php.build, golang.build, dotnet.build)


async def build_by_detection(ctx: Context, runner: BuildRunner) -> tuple[Context, list[str]]:
    """Build what is asked for; what to tell, nothing where the site is files only.

    Raises DeployError.
    """
    try:
        jobs = jobs_directory(ctx.config)
    except SettingError:  # told by the next step
        jobs = DEFAULT_PLACE
    content = ctx.layout.content
    place = Place(ctx.root / content, below(ctx.manifest, content))
    details: list[str] = []
    needs = python_needs(place.folder, place.manifest, jobs)
    if needs is not None:
        name, detail = await python.install(ctx, runner, place, needs)
        ctx = replace(ctx, environment=name)
        details.append(detail)
    for builder in _BUILDERS:
        told = await builder(ctx, runner, place)
        details += [told] if told else []
    environments, more = await per_job.build(ctx, runner, jobs)
    return replace(ctx, job_environments=environments), details + more
