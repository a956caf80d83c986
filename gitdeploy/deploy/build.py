"""Build: the command of `.deployment`, else what the site's own files ask for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gitdeploy.deploy.builds import custom
from gitdeploy.deploy.builds.detect import build_by_detection
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.dotdeployment import NAME
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.layout import layout, moved_manifest, put_into_target, read_config
from gitdeploy.repos.threads import in_thread

_SWITCHES = ("SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD")
_YES, _NO = ("true", "1"), ("false", "0")


async def build(ctx: Context) -> Context:
    """Make the release ready to run: dependencies, compiled files, whatever the site asks for.

    A kept release was built before. Raises DeployError where a command fails or passes a limit.
    """
    if ctx.kept:
        return replace(ctx, detail="built before")
    if ctx.source.partial:
        return replace(ctx, detail="as the release before")
    config = read_config(ctx.root, ctx.settings)
    where = layout(config)
    ctx = replace(ctx, config=config, layout=where, project=where.site)
    off = switched_off(config, built=ctx.source.built)
    command = "" if off else config.get("command", "")
    if not command:
        _check_project(ctx)
    placed = ctx.site.is_dir()  # else the command makes it
    if placed:
        ctx = await _into_target(ctx)
    if off:
        return replace(ctx, detail=off)
    runner = BuildRunner(ctx)
    await custom.before(ctx, runner)
    if command:
        details = [await custom.run_command(ctx, runner, command)]
        _check_project(ctx)
    else:
        ctx, details = await build_by_detection(ctx, runner)
    if not placed:
        ctx = await _into_target(ctx)
    await custom.after(ctx, runner)
    return replace(ctx, detail=", ".join(details) or "no build needed")


def switched_off(config: Mapping[str, str], *, built: bool) -> str | None:
    """Why nothing is built, None where something may be.

    What comes `built` (a zip) has to be asked for. Kudu's name decides before Oryx's.
    """
    for name in _SWITCHES:
        value = config.get(name.lower(), "").strip().lower()
        if value in _NO:
            return f"skipped by {name}"
        if value in _YES:
            return None
    return f"not asked for by {_SWITCHES[0]}" if built else None


async def _into_target(ctx: Context) -> Context:
    target = ctx.layout.target
    if not target:
        return ctx
    site = ctx.site
    await in_thread(lambda: put_into_target(site, target))
    return replace(ctx, manifest=moved_manifest(dict(ctx.manifest), ctx.project, target))


def _check_project(ctx: Context) -> None:
    if not ctx.project:
        return
    real = Path(os.path.realpath(ctx.site))
    if not real.is_dir() or not real.is_relative_to(os.path.realpath(ctx.root)):
        raise DeployError(
            f"project = {ctx.project}: there is no such directory in {ctx.source.name}.",
            f"Name a directory of the repository in {NAME} (or the app setting PROJECT).",
        )
