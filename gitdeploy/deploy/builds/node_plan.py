"""What a folder's package.json and lock file ask for. Files only; nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitdeploy.deploy.errors import DeployError

Tool = Literal["npm", "pnpm", "yarn"]

_NEEDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_INSTALL_SCRIPTS = (
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
)
_BUILD_SCRIPTS = ("build", "build:azure")  # as Oryx, which builds for Azure
# The lock file decides; of several the first. Oryx takes yarn before npm, too.
_LOCKS: tuple[tuple[str, Tool], ...] = (
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
)
_INSTALL: dict[tuple[Tool, bool], tuple[str, ...]] = {
    ("npm", True): ("ci", "--no-audit", "--no-fund", "--no-update-notifier"),
    ("npm", False): ("install", "--no-audit", "--no-fund", "--no-update-notifier"),
    ("pnpm", True): ("install", "--frozen-lockfile"),
    ("pnpm", False): ("install",),
    ("yarn", True): ("install", "--frozen-lockfile", "--non-interactive"),
    ("yarn", False): ("install", "--non-interactive"),
}
_BERRY = {True: ("install", "--immutable"), False: ("install",)}
# A package that lies in the site: what is installed depends on more than the lock file.
_LOCAL = re.compile(rb"\b(?:file|link|portal|workspace|patch|exec):|\"link\": *true")
_LOCAL_VALUE = re.compile(r"(?:file|link|portal|workspace|patch|exec):|[./~]")
_CONFIGURES = (".npmrc", ".yarnrc", "package.json")
_REACHING = ("binding.gyp", "pnpm-workspace.yaml", ".pnpmfile.cjs", ".yarnrc.yml")
_YARN_PATH = re.compile(r"^yarnPath:\s*[\"']?(?P<path>[^\"'\s]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What to run: `tool` with `install` (empty: nothing to install), then each of `scripts`.

    `file` is what asks for the tool; `inputs` are the names of the files that decide what is
    installed. `shareable` says that nothing else does, so that releases with the same inputs may
    share node_modules. `program` is a yarn that the site brings itself.
    """

    tool: Tool
    install: tuple[str, ...]
    scripts: tuple[str, ...]
    file: str
    inputs: tuple[str, ...] = ()
    shareable: bool = False
    program: str | None = None


def node_plan(folder: Path) -> NodePlan | None:
    """None where there is nothing to do. Raises DeployError where package.json isn't an object."""
    file = folder / "package.json"
    if not file.is_file():
        return None
    package = _read(file)
    scripts = package.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    hooked = any(scripts.get(name) for name in _INSTALL_SCRIPTS)
    wanted = tuple(name for name in _BUILD_SCRIPTS if scripts.get(name))
    needs = hooked or any(package.get(key) for key in (*_NEEDS, "workspaces"))
    if not needs and not wanted:
        return None
    tool, lock = _tool(folder, package)
    berry = tool == "yarn" and _is_berry(folder)
    locked = lock is not None
    install = _BERRY[locked] if berry else _INSTALL[tool, locked]
    inputs = tuple(n for n in (*_CONFIGURES, *([lock] if lock else ())) if (folder / n).is_file())
    return NodePlan(
        tool=tool,
        install=install if needs else (),
        scripts=wanted,
        file=lock or "package.json",
        inputs=inputs,
        shareable=not hooked and not berry and not _reaches_out(folder, package, lock),
        program=_own_yarn(folder) if berry else None,
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        package: Any = msgspec.json.decode(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except msgspec.DecodeError as error:
        raise DeployError(f"package.json isn't JSON: {error}.", "Mend the file.") from error
    if not isinstance(package, dict):
        raise DeployError("package.json isn't a JSON object.", "Mend the file.")
    return package


def _tool(folder: Path, package: dict[str, Any]) -> tuple[Tool, str | None]:
    """The tool and its lock file; `packageManager` decides before the lock files do."""
    found = [(name, tool) for name, tool in _LOCKS if (folder / name).is_file()]
    named = package.get("packageManager")
    for tool in ("npm", "pnpm", "yarn"):
        if isinstance(named, str) and named.startswith(f"{tool}@"):
            return tool, next((name for name, its in found if its == tool), None)
    if found:
        name, tool = found[0]
        return tool, name
    return "npm", None


def _is_berry(folder: Path) -> bool:
    """Yarn 2 and later have another configuration and another lock file than yarn 1."""
    if (folder / ".yarnrc.yml").is_file():
        return True
    lock = folder / "yarn.lock"
    return lock.is_file() and b"__metadata:" in lock.read_bytes()[:4096]


def _own_yarn(folder: Path) -> str | None:
    """The yarn that `.yarnrc.yml` names, a JavaScript file of the site."""
    file = folder / ".yarnrc.yml"
    if not file.is_file():
        return None
    match = _YARN_PATH.search(file.read_text(errors="replace"))
    if match is None:
        return None
    path = (folder / match["path"]).resolve()
    return str(path) if path.is_relative_to(folder.resolve()) and path.is_file() else None


def _reaches_out(folder: Path, package: dict[str, Any], lock: str | None) -> bool:
    """Whether what is installed depends on more files than `inputs`, or lies elsewhere."""
    if package.get("workspaces") or any((folder / name).exists() for name in _REACHING):
        return True
    for key in (*_NEEDS, "overrides", "resolutions"):
        values = package.get(key)
        for value in values.values() if isinstance(values, dict) else ():
            if not isinstance(value, str) or _LOCAL_VALUE.match(value):
                return True
    return lock is not None and _LOCAL.search((folder / lock).read_bytes()) is not None
