"""Pipfile.lock read as the requirements file that it amounts to.

Its format: a JSON object with `_meta.sources` and, in `default`, each package with `version`
(`==1.0`), `hashes`, `markers`, `extras` and `index` (pipenv's documentation, "Pipfile.lock").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gitdeploy.deploy.errors import DeployError

_PYPI = ("https://pypi.org/simple", "https://pypi.python.org/simple")
_OTHERWISE = ("git", "hg", "svn", "bzr", "path", "file", "editable")


def locked_requirements(text: str) -> list[str] | None:
    """The lines for pip; None where a package comes from a repository or a path.

    Raises DeployError where the file is no Pipfile.lock.
    """
    try:
        lock: Any = msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        raise DeployError(f"Pipfile.lock isn't JSON: {error}.", "Run pipenv lock.") from error
    packages = lock.get("default") if isinstance(lock, dict) else None
    if not isinstance(packages, dict):
        raise DeployError("Pipfile.lock has no `default` section.", "Run pipenv lock.")
    lines = list(_sources(lock.get("_meta")))
    for name, package in sorted(packages.items()):
        version = package.get("version") if isinstance(package, dict) else None
        if not isinstance(version, str) or any(key in package for key in _OTHERWISE):
            return None
        lines.append(_line(name, version, package))
    return lines


def _sources(meta: Any) -> Iterator[str]:
    """Where packages come from, unless it is where they come from anyway."""
    sources = meta.get("sources") if isinstance(meta, dict) else None
    urls = [each.get("url") for each in sources or () if isinstance(each, dict)]
    for number, url in enumerate(urls):
        if isinstance(url, str) and url.rstrip("/") not in _PYPI:
            yield f"{'--extra-index-url' if number else '--index-url'} {_word(url)}"


def _line(name: str, version: str, package: dict[str, Any]) -> str:
    extras = package.get("extras")
    what = f"{name}[{','.join(extras)}]" if extras else name
    words = [_word(f"{what}{version}")]
    if markers := package.get("markers"):
        words.append(f"; {' '.join(str(markers).split())}")
    words += [f"--hash={_word(each)}" for each in package.get("hashes") or ()]
    return " ".join(words)


def _word(value: str) -> str:
    """A value that stays one word of one line. Raises DeployError."""
    if not isinstance(value, str) or value.split() != [value] or value.startswith("-"):
        raise DeployError(f"Pipfile.lock: {value!r} isn't a word.", "Run pipenv lock.")
    return value
