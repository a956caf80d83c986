"""Node: `npm ci` where a lock file is there, else `npm install`, in the release."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from gitdeploy.deploy.builds.environment import build_environment, shown_to_builds
from gitdeploy.deploy.builds.runner import BuildRunner, Command
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError

_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_NEEDS = (
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "workspaces",
)
_SCRIPTS = (
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
)


def node_command(site: Path) -> str | None:
    """`ci`, `install`, or None where npm would have nothing to do (it takes half a second).

    Raises DeployError where package.json isn't a JSON object.
    """
    file = site / "package.json"
    if not file.is_file():
        return None
    try:
        package: Any = msgspec.json.decode(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except msgspec.DecodeError as error:
        raise DeployError(f"package.json isn't JSON: {error}.", "Mend the file.") from error
    if not isinstance(package, dict):
        raise DeployError("package.json isn't a JSON object.", "Mend the file.")
    scripts = package.get("scripts")
    hooked = isinstance(scripts, dict) and any(scripts.get(name) for name in _SCRIPTS)
    if not hooked and not any(package.get(key) for key in _NEEDS):
        return None
    return "ci" if any((site / lock).is_file() for lock in _LOCKS) else "install"


async def install(ctx: Context, runner: BuildRunner, command: str) -> str:
    """Run npm; what to tell. Raises DeployError."""
    environment = build_environment(ctx)
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise DeployError("package.json needs npm, which isn't installed.", "apt install npm.")
    await runner.run(
        Command(
            argv=(npm, command, "--no-audit", "--no-fund", "--no-update-notifier"),
            cwd=ctx.site,
            environment=environment,
            readonly=shown_to_builds(ctx, environment),
            writable=(ctx.root, ctx.paths.cache),
            shown=f"npm {command}",
        )
    )
    return f"npm {command}"
