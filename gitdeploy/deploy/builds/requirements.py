"""What a site needs of Python, read from its files: requirements.txt, pyproject.toml, lock files."""

from __future__ import annotations

import hashlib
import posixpath
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitdeploy.deploy.builds.pipfile import locked_requirements
from gitdeploy.deploy.builds.sources import (
    ALL,
    Manifest,
    index_path,
    locked_paths,
    requirement_path,
    source_files,
)
from gitdeploy.deploy.errors import DeployError
from gitdeploy.jobs import DEFAULT_PLACE

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<file>\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=|(?<=-e))\S")
_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an environment is made of.

    `source` is the file that decides, `digest` changes when the result would, `arguments` are
    those of `pip install` where the file is; what a lock file asks for in another way has
    `lines`, a requirements file of its own, in their place. None: only the lock file's own
    program can do it. `package`: the site is a package that is installed too. `bound`: the
    environment would point into this release (editable installs), so no other release may share
    it.
    """

    source: str
    digest: str
    arguments: tuple[str, ...] | None
    lines: tuple[str, ...] = ()
    package: bool = False
    bound: bool = False


def python_needs(site: Path, manifest: Manifest, jobs: str = DEFAULT_PLACE) -> Needs | None:
    """What the site at `site` needs, None where it has no such file.

    requirements.txt decides before pyproject.toml (as Oryx, which builds for Azure, has it).
    `manifest` lists the site's files by path, `jobs` is the directory of its jobs. Raises
    DeployError naming file and line.
    """
    if (site / "requirements.txt").is_file():
        return requirements_needs(site, manifest, jobs=jobs)
    if (site / "pyproject.toml").is_file():
        found = _from_pyproject(site, manifest, jobs)
        if found is not None and found.source != "pyproject.toml":
            return found
        return _from_pipfile(site) or found
    return _from_pipfile(site)


def requirements_needs(
    site: Path, manifest: Manifest, folder: str = "", *, jobs: str = DEFAULT_PLACE
) -> Needs:
    """What the requirements.txt of a folder of the site asks for; pip is called in the folder.

    Raises DeployError naming file and line.
    """
    digest = hashlib.sha256()
    editable = False
    paths: set[str] = set()
    home = site / folder
    todo, seen = [home / "requirements.txt"], set()
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        text = _read(file, site)
        digest.update(f"{file.relative_to(site)}\0{text}\0".encode())
        for number, line in _logical_lines(text):
            include = _INCLUDE.match(line)
            if include is not None:
                name = include["file"].strip().strip("'\"")
                if "://" not in name:
                    todo.append(_inside(site, file, name, number))
            elif _EDITABLE.match(line):
                editable = True
                paths.add(ALL)
            elif path := requirement_path(line) or index_path(line):
                # pip reads it from the root or, some options, from the file's own folder
                paths.add(_joined(folder, path) if file.parent == home else ALL)
    if folder and ALL in paths:
        paths.add(folder)
    _add_sources(digest, site, manifest, paths, jobs)
    return Needs(
        source="requirements.txt",
        digest=digest.hexdigest(),
        arguments=("-r", "requirements.txt"),
        bound=editable,
    )


def _from_pyproject(site: Path, manifest: Manifest, jobs: str) -> Needs | None:
    text = _read(site / "pyproject.toml", site)
    data = _toml(text, "pyproject.toml")
    lock = next((name for name in ("uv.lock", "poetry.lock") if (site / name).is_file()), None)
    project: Any = data.get("project")
    if not isinstance(project, dict) and lock is None:
        return None  # only settings of tools
    package = "build-system" in data and not _is_application(data)
    digest = hashlib.sha256(text.encode())
    paths = {ALL} if package else set()
    if lock is not None:
        locked = _read(site / lock, site)
        digest.update(locked.encode())
        paths |= locked_paths(_toml(locked, lock))
    _add_sources(digest, site, manifest, paths, jobs)
    dependencies = project.get("dependencies", []) if isinstance(project, dict) else []
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise DeployError("pyproject.toml: project.dependencies isn't a list of strings.")
    if not package and not dependencies and lock is None:
        return None
    arguments: tuple[str, ...] | None = (".",) if package else ()
    if not package and dependencies:
        arguments = ("--", *dependencies)
    if lock == "poetry.lock" and not isinstance(project, dict) and not package:
        arguments = None  # what is needed stands in [tool.poetry], which pip doesn't read
    return Needs(
        source=lock or "pyproject.toml",
        digest=digest.hexdigest(),
        arguments=arguments,
        package=package,
    )


def _from_pipfile(site: Path) -> Needs | None:
    names = [name for name in ("Pipfile", "Pipfile.lock") if (site / name).is_file()]
    if "Pipfile" not in names:
        return None
    texts = [_read(site / name, site) for name in names]
    lines = locked_requirements(texts[1]) if len(texts) == 2 else None
    return Needs(
        source=names[-1],
        digest=hashlib.sha256(repr(texts).encode()).hexdigest(),
        arguments=None if lines is None else (),
        lines=tuple(lines or ()),
    )


def _is_application(data: dict[str, Any]) -> bool:
    """Whether poetry is told to install what is needed and not the site (`package-mode`)."""
    tools = data.get("tool")
    poetry = tools.get("poetry") if isinstance(tools, dict) else None
    return isinstance(poetry, dict) and poetry.get("package-mode") is False


def _joined(folder: str, path: str) -> str:
    """A path from a folder of the site as one from the site's root; ALL stays."""
    return path if path == ALL or not folder else posixpath.normpath(f"{folder}/{path}")


def _add_sources(
    digest: hashlib._Hash, site: Path, manifest: Manifest, paths: Iterable[str], jobs: str
) -> None:
    files = source_files(site, manifest, paths, place=jobs)
    if files:
        digest.update(repr(files).encode("utf-8", "surrogateescape"))


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeployError(f"{name} isn't TOML: {error}.", "Mend the file.") from error


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines of a requirements file with their numbers: continued ones joined, no comments."""
    lines: list[tuple[int, str]] = []
    held, start = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        start = start if held else number
        held += raw.rstrip("\r")
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        line = re.sub(r"(^|\s)#.*", "", held).strip()
        held = ""
        if line:
            lines.append((start, line))
    return lines


def _inside(site: Path, file: Path, name: str, number: int) -> Path:
    path = (file.parent / name).resolve()
    if not path.is_relative_to(site.resolve()) or not path.is_file():
        shown = file.relative_to(site)
        raise DeployError(f"{shown}, line {number}: {name} isn't a file of the site.", "Add it.")
    return site / path.relative_to(site.resolve())


def _read(file: Path, site: Path) -> str:
    shown = file.relative_to(site)
    if file.stat().st_size > _LIMIT:
        raise DeployError(f"{shown} is larger than {_LIMIT >> 20} MiB.")
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeployError(f"{shown} isn't UTF-8: {error.reason}.", "Save it as UTF-8.") from error
