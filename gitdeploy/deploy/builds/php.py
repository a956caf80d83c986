"""PHP: what composer.json and its lock file name is installed into vendor."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from gitdeploy.deploy.builds import custom
from gitdeploy.deploy.builds.environment import build_environment
from gitdeploy.deploy.builds.place import Place, command
from gitdeploy.deploy.builds.program import find, fingerprint, need
from gitdeploy.deploy.builds.runner import BuildRunner
from gitdeploy.deploy.builds.trees import Trees, tree_key
from gitdeploy.deploy.context import Context
from gitdeploy.deploy.errors import DeployError

_VENDOR = "vendor"
_INSTALL = ("install", "--no-interaction", "--no-progress")
_STEERING = re.compile(r"COMPOSER_\w+")


async def build(ctx: Context, runner: BuildRunner, place: Place) -> str | None:
    """Run `composer install`, or take vendor from a release with the same lock file.

    What to tell; None without composer.json. Raises DeployError.
    """
    file = place.folder / "composer.json"
    if not file.is_file():
        return None
    data = file.read_bytes()
    package = _read(data, "composer.json")
    environment = build_environment(ctx)
    composer = need("composer", environment, file="composer.json")
    install = command(ctx, place, (composer, *_INSTALL), shown="composer install")
    lock, vendor = place.folder / "composer.lock", place.folder / _VENDOR
    if not lock.is_file() or vendor.exists():
        await runner.run(install)
        return place.tell("composer install")
    locked = lock.read_bytes()
    if not _shareable(package, _read(locked, "composer.lock")):
        await runner.run(install)
        return place.tell("composer install")
    key = tree_key(
        _VENDOR,
        _INSTALL,
        fingerprint(find("php", environment), composer),
        {name: value for name, value in environment.items() if _STEERING.fullmatch(name)},
        [("composer.json", data), ("composer.lock", locked)],
    )
    async with Trees(ctx, linked=not custom.runs_afterwards(ctx)).locked() as trees:
        if await trees.take(key, vendor):
            return place.tell(f"{_VENDOR} as before")
        await runner.run(install)
        await trees.keep(key, vendor)
    return place.tell("composer install")


def _read(data: bytes, name: str) -> dict[str, Any]:
    try:
        value: Any = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except msgspec.DecodeError as error:
        raise DeployError(f"{name} isn't JSON: {error}.", "Mend the file.") from error
    if not isinstance(value, dict):
        raise DeployError(f"{name} isn't a JSON object.", "Mend the file.")
    return value


def _shareable(package: dict[str, Any], lock: dict[str, Any]) -> bool:
    """Whether vendor depends on composer.json and its lock file alone, and is all that is made.

    Scripts and plugins may do anything; a class map is made from the site's own files.
    """
    config = package.get("config") or {}
    if package.get("scripts") or not isinstance(config, dict):
        return False
    if config.keys() & {"vendor-dir", "bin-dir"} or config.get("optimize-autoloader"):
        return False
    for section in ("autoload", "autoload-dev"):
        if isinstance(autoload := package.get(section), dict) and "classmap" in autoload:
            return False
    for key in ("packages", "packages-dev"):
        packages = lock.get(key) or ()
        for each in packages if isinstance(packages, list) else ():
            if not isinstance(each, dict):
                return False
            kind, dist = each.get("type"), each.get("dist")
            if kind == "composer-plugin" or (isinstance(dist, dict) and dist.get("type") == "path"):
                return False
    return True
