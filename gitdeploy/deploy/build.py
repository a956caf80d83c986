"""Build: the command of `.deployment`, else what the site's own files ask for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from gitdeploy.deploy.builds import node, python
from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.requirements import python_needs
from gitdeploy.deploy.builds.runner import BuildRunner, Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.dotdeployment import (
    NAME,
    jobs_directory,
    project_path,
    read_dotdeployment,
    with_app_settings,
)
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.tree import below
from gitdeploy.jobs import DEFAULT_PLACE, SettingError

_SKIP = "scm_do_build_during_deployment"


async def build(ctx: Context) -> Context:
    """Make the release ready to run: dependencies, compiled files, whatever the site asks for.

    A kept release was built before. Raises DeployError where a command fails or passes a limit.
    """
    if ctx.kept:
        return replace(ctx, detail="built before")
    if ctx.source.partial:
        return replace(ctx, detail="as the release before")
    config = with_app_settings(read_dotdeployment(ctx.root), ctx.settings)
    ctx = replace(ctx, config=config, project=project_path(config))
    if config.get(_SKIP, "").lower() in ("false", "0"):
        _check_project(ctx)
        return replace(ctx, detail="skipped by SCM_DO_BUILD_DURING_DEPLOYMENT")
    if ctx.source.built and config.get(_SKIP, "").lower() not in ("true", "1"):
        _check_project(ctx)
        return replace(ctx, detail="not asked for by SCM_DO_BUILD_DURING_DEPLOYMENT")
    command = config.get("command", "")
    if not command:
        _check_project(ctx)
        return await _by_detection(ctx)
    _make_home(ctx)
    environment = build_environment(ctx)
    await BuildRunner(ctx).run(
        Command(
            argv=("/bin/sh", "-c", command),
            cwd=ctx.root,
            environment=environment,
            readonly=shown_to_builds(ctx, environment),
            writable=(ctx.root, ctx.paths.cache),
            shown=command,
        )
    )
    _check_project(ctx)  # only now: the command may have made it
    return replace(ctx, detail=command if len(command) <= 60 else command[:59] + "…")


async def _by_detection(ctx: Context) -> Context:
    try:
        place = jobs_directory(ctx.config)
    except SettingError:  # told by the next step
        place = DEFAULT_PLACE
    needs = python_needs(ctx.site, below(ctx.manifest, ctx.project), place)
    npm = node.node_command(ctx.site)
    if needs is None and npm is None:
        return replace(ctx, detail="no build needed")
    _make_home(ctx)
    runner = BuildRunner(ctx)
    details: list[str] = []
    if needs is not None:
        name, detail = await python.install(ctx, runner, needs)
        ctx = replace(ctx, environment=name)
        details.append(detail)
    if npm is not None:
        details.append(await node.install(ctx, runner, npm))
    return replace(ctx, detail=", ".join(details))


def _make_home(ctx: Context) -> None:
    ctx.paths.cache.mkdir(mode=0o700, parents=True, exist_ok=True)


def _check_project(ctx: Context) -> None:
    if not ctx.project:
        return
    real = Path(os.path.realpath(ctx.site))
    if not real.is_dir() or not real.is_relative_to(os.path.realpath(ctx.root)):
        raise DeployError(
            f"project = {ctx.project}: there is no such directory in {ctx.source.name}.",
            f"Name a directory of the repository in {NAME} (or the app setting PROJECT).",
        )
