"""Which files of a site an install may read, for the name of the environment it is installed into.

A requirement that is a path (`./wordcount`) counts by its own files, so that a change elsewhere
doesn't build it again; where its build may read beyond them, every shared file counts.
"""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gitdeploy.jobs import DEFAULT_PLACE, shared_files

Manifest = Mapping[str, tuple[int, str]]

ALL = "."
"""The path that stands for the whole site."""

_LOCAL = re.compile(r"(?P<named>[\w.\[\],-]+\s*@\s*)?(?P<url>file:)?(?P<path>\S+)")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.\w+|tgz)\Z")
_INDEX = re.compile(
    r"(?:-f|-i|--find-links|--index-url|--extra-index-url)(?:\s+|=|(?<=-[fi]))(?P<path>\S+)"
)
# What lets a build read beyond its package's directory: programs, and paths that go up.
_PROGRAMS = ("setup.py", "hatch_build.py", "build.py")
_REACHES_OUT = re.compile(r"\.\.|backend-path|workspace")


def requirement_path(line: str) -> str | None:
    """The path that a requirement (without comment) names, None where it is none of the site's.

    ALL where it can't be told which (a variable, an absolute path). As pip has it: what has a
    slash, begins with a dot, or is an archive's name is a path.
    """
    match = _LOCAL.match(line)
    if match is None or line.startswith("-"):
        return None
    path = match["path"].partition(";")[0]
    if not match["url"] and "://" in path:
        return None
    plain = re.sub(r"\[[^\]]*\]\Z", "", path)
    if match["url"] or path.startswith((".", "$")) or "/" in path or _ARCHIVE.search(plain):
        return _inside(plain.partition("#")[0])
    return None


def index_path(line: str) -> str | None:
    """The path of a local index that an option line names (`--find-links ./wheels`)."""
    match = _INDEX.match(line)
    if match is None:
        return None
    path = match["path"].strip("'\"")
    if "://" in path and not path.startswith("file:"):
        return None
    return _inside(path.removeprefix("file:"))


def locked_paths(lock: Mapping[str, Any]) -> set[str]:
    """The paths that a uv.lock or a poetry.lock takes packages from."""
    packages = lock.get("package")
    found: set[str] = set()
    for package in packages if isinstance(packages, list) else ():
        source = package.get("source") if isinstance(package, dict) else None
        if isinstance(source, dict):
            paths = [source.get(kind) for kind in ("directory", "editable", "path")]
            if source.get("type") in ("directory", "file"):  # poetry's way
                paths.append(source.get("url"))
            found |= {_inside(path) for path in paths if isinstance(path, str)}
    return found


def source_files(
    site: Path, manifest: Manifest, paths: Iterable[str], *, place: str = DEFAULT_PLACE
) -> list[tuple[str, int, str]]:
    """Path, mode and blob of every file that installing from these paths may read, sorted.

    A path may be a package's directory, a single file, or ALL. `place` is the directory of jobs.
    """
    chosen: set[str] = set()
    for path in paths:
        below = {name for name in manifest if _is_below(name, path)}
        chosen |= below
        if not below or _reaches_out(site, path, below, manifest):
            chosen |= set(shared_files(manifest, place))
    return sorted((name, *manifest[name]) for name in chosen)


def _inside(path: str) -> str:
    """The path from the site's root, ALL where it is absolute, a variable, or leads out."""
    normal = posixpath.normpath(path)
    if path.startswith(("/", "~")) or "$" in path or normal.startswith(".."):
        return ALL
    return normal


def _is_below(name: str, path: str) -> bool:
    return name == path or name.startswith(path + "/")


def _reaches_out(site: Path, path: str, files: Iterable[str], manifest: Manifest) -> bool:
    """Whether the build of a package may read more than its own files."""
    if any(not stat.S_ISREG(manifest[name][0]) for name in files):
        return True
    folder = site / path
    if not folder.is_dir():
        return False
    if any((folder / program).exists() for program in _PROGRAMS):
        return True
    for name in ("pyproject.toml", "setup.cfg"):
        file = folder / name
        if file.is_file() and _REACHES_OUT.search(file.read_text(errors="replace")):
            return True
    return False
