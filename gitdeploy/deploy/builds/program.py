"""The programs that builds call: where they are, or how they get here."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from gitdeploy.deploy.errors import DeployError

_INSTALL = {
    "npm": "apt-get install npm",
    "pnpm": "npm install -g pnpm",
    "yarn": "npm install -g yarn",
    "poetry": "pipx install poetry",
    "pipenv": "pipx install pipenv",
    "composer": "apt-get install composer",
    "go": "apt-get install golang-go",
    "dotnet": "see https://learn.microsoft.com/dotnet/core/install/linux",
}


def find(program: str, environment: Mapping[str, str]) -> str | None:
    """The program's path as a build finds it; None where it isn't installed."""
    return shutil.which(program, path=environment["PATH"])


def need(program: str, environment: Mapping[str, str], *, file: str) -> str:
    """The program's path. Raises DeployError naming the file that asks for it, and what to do."""
    found = find(program, environment)
    if found is None:
        raise DeployError(
            f"{file} needs {program}, which isn't installed on the server.",
            f"Install it ({install_hint(program)}), or build elsewhere and set"
            " SCM_DO_BUILD_DURING_DEPLOYMENT=false.",
        )
    return found


def install_hint(program: str) -> str:
    """How a program gets onto the machine."""
    return _INSTALL[program]


def shown_with(program: str) -> tuple[Path, ...]:
    """What a sandbox has to show beside the system for a program: its installation, as /opt/node.

    Only one that has `bin` and `lib`, and nobody's home.
    """
    shown = []
    for place in dict.fromkeys((Path(program).parent, Path(program).resolve().parent)):
        prefix = place.parent
        if place.name != "bin" or not (prefix / "lib").is_dir():
            continue
        homes = {Path("/"), Path("/home"), Path("/root"), Path.home()}
        if prefix in homes or prefix.parent == Path("/home") or prefix.is_relative_to("/usr"):
            continue
        shown.append(prefix)
    return tuple(shown)


def fingerprint(*programs: str | None) -> str:
    """Changes when one of the programs is replaced by another, or by another version."""
    digest = hashlib.sha256()
    for program in programs:
        real = Path(program).resolve() if program else None
        if real is None or not real.is_file():
            digest.update(b"-")
            continue
        status = real.stat()
        digest.update(f"{real}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()
