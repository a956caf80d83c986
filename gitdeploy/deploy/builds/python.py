"""Python: what a site needs is installed into a venv, one for all releases with the same needs.

An environment is built at its final path (a venv can't be moved); the file `.complete` is written
last. Its name is the hash of what went into it, so that an unchanged site finds it again and its
jobs aren't restarted.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec

from gitdeploy.deploy.builds import installers
from gitdeploy.deploy.builds.installers import Installer, Interpreter
from gitdeploy.deploy.builds.lock import locked
from gitdeploy.deploy.builds.place import Place
from gitdeploy.deploy.builds.requirements import Needs
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.releases import flush
from gitdeploy.repos.threads import in_thread

_COMPLETE = ".complete"


async def install(ctx: Context, runner: BuildRunner, place: Place, needs: Needs) -> tuple[str, str]:
    """Make the environment, or find it; its name and what to tell. Raises DeployError."""
    interpreter = installers.the_interpreter()
    installer = installers.choose(ctx, needs)
    name = environment_name(needs, interpreter, installer.name)
    if needs.bound:
        name += f"-{ctx.release.number}"
    elif ctx.clean:
        name += f"-clean{ctx.release.number}"
    path = ctx.paths.environments / name
    async with locked(ctx.paths.environments, ctx.tools.clock):
        if is_complete(path):
            return name, place.tell(f"python environment {name[:8]} reused")
        installers.warn_of_unused_lock(ctx, needs, installer)
        await _make(ctx, runner, place, needs, interpreter, installer, path)
    return name, place.tell(installers.told(needs, installer))


def is_complete(environment: Path) -> bool:
    """Whether an environment was built to its end."""
    return (environment / _COMPLETE).is_file()


def environment_name(needs: Needs, interpreter: Interpreter, tool: str) -> str:
    """The hash that names an environment: of its inputs, the interpreter and the tool."""
    parts = (needs.digest, needs.source, interpreter.path, interpreter.abi, tool)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


async def _make(
    ctx: Context,
    runner: BuildRunner,
    place: Place,
    needs: Needs,
    interpreter: Interpreter,
    installer: Installer,
    path: Path,
) -> None:
    """Build it whole, or leave nothing of it."""
    await in_thread(lambda: _prepare(path))
    try:
        for command in installers.make_commands(ctx, place, interpreter, installer, path):
            await runner.run(command)
        if needs.lines:
            (path / installers.LINES).write_text("\n".join((*needs.lines, "")))
        for command in installers.install_commands(ctx, place, needs, interpreter, installer, path):
            await runner.run(command)
        await in_thread(lambda: flush(path))  # what is called complete is on the disk
        (path / _COMPLETE).touch()
    except BaseException:
        await in_thread(lambda: shutil.rmtree(path, ignore_errors=True))
        raise


def _prepare(path: Path) -> None:
    """An empty directory; what a cut-off build left is removed."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
