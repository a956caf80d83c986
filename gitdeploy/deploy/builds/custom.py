"""Commands of the app's own around a build, and in its place: PRE_BUILD_…, command, POST_BUILD_….

The names are Oryx's. A command is given to sh, a script is a file of the source.
"""

from __future__ import annotations

import os
from pathlib import Path

from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.runner import BuildRunner, Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.layout import relative_path

_COMMAND, _SCRIPT = "_BUILD_COMMAND", "_BUILD_SCRIPT_PATH"


async def before(ctx: Context, runner: BuildRunner) -> None:
    """PRE_BUILD_SCRIPT_PATH, else PRE_BUILD_COMMAND. Raises DeployError."""
    await _around(ctx, runner, "PRE")


async def after(ctx: Context, runner: BuildRunner) -> None:
    """POST_BUILD_SCRIPT_PATH, else POST_BUILD_COMMAND. Raises DeployError."""
    await _around(ctx, runner, "POST")


def runs_afterwards(ctx: Context) -> bool:
    """Whether `after` has something to do."""
    names = ("POST" + _COMMAND, "POST" + _SCRIPT)
    return any(ctx.config.get(name.lower(), "").strip() for name in names)


async def run_command(ctx: Context, runner: BuildRunner, text: str) -> str:
    """The `command` of `.deployment`; what to tell. Raises DeployError."""
    await runner.run(_command(ctx, ("/bin/sh", "-c", text), text))
    return text if len(text) <= 60 else text[:59] + "…"


async def _around(ctx: Context, runner: BuildRunner, when: str) -> None:
    key = when + _SCRIPT
    if path := relative_path(ctx.config, key):
        file = source_directory(ctx) / path
        if not file.is_file():
            raise DeployError(
                f"{key} = {path}: there is no such file in {ctx.source.name}.",
                f"Name a script, by path from {_from(ctx)}.",
            )
        await runner.run(_command(ctx, script(file), path))
    elif text := ctx.config.get((when + _COMMAND).lower(), "").strip():
        await runner.run(_command(ctx, ("/bin/sh", "-c", text), text))


def source_directory(ctx: Context) -> Path:
    """Where commands begin: the release, or what SCM_REPOSITORY_PATH names."""
    return ctx.root / ctx.layout.source


def script(file: Path) -> tuple[str, ...]:
    """How a script is run: by itself where it can be, else by bash."""
    with file.open("rb") as opened:
        itself = opened.read(2) in (b"#!", b"\x7fE") and os.access(file, os.X_OK)
    return (str(file),) if itself else ("/bin/bash", str(file))


def _from(ctx: Context) -> str:
    return ctx.layout.source or "the repository's root"


def _command(ctx: Context, argv: tuple[str, ...], shown: str) -> Command:
    environment = build_environment(ctx)
    return Command(
        argv=argv,
        cwd=source_directory(ctx),
        environment=environment,
        readonly=shown_to_builds(ctx, environment),
        writable=(ctx.root, ctx.paths.cache),
        shown=shown,
    )
