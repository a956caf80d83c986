"""Which file of a job's directory is its script: Kudu's kinds and their order (kudu.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from gitdeploy.jobs.job import Host


class Kind(NamedTuple):
    """A kind of script: its extensions in order, its host, or what is missing to run it."""

    extensions: tuple[str, ...]
    host: Host | None
    needs: str = ""


KINDS = (
    Kind((".cmd", ".bat", ".exe"), None, "Windows or wine"),
    Kind((".ps1",), None, "PowerShell"),
    Kind((".sh",), "bash"),
    Kind((".php",), None, "PHP"),
    Kind((".py",), "python"),
    Kind((".js",), "node"),
    Kind((".fsx",), None, "F#"),
    Kind((".jar",), None, "Java"),
)
NO_SCRIPT = "No runnable script file was found."
NO_SCRIPT_FIX = "Add run.sh, run.py, run.js, or an executable file run that begins with #!."


class Found(NamedTuple):
    """The script, if any; `passed_over` are scripts that stood before it and can't be run."""

    script: str | None
    host: Host | None
    passed_over: tuple[tuple[str, str], ...] = ()
    """File name and reason (one clause)."""
    error: str | None = None


def find_script(files: Iterable[str], runs_itself: Callable[[str], str | None]) -> Found:
    """Choose among the names of a directory's files.

    `run.<ext>` in the order of the kinds, then an executable `run`, then the first file with a
    known extension in that order. `runs_itself` says for a file named `run` why it can't be
    executed, or None where it can. A `run.*` that isn't supported yet is never replaced by some
    other file: that may be a module, not a script.
    """
    names = sorted((name for name in files if _is_text(name)), key=lambda n: (n.lower(), n))
    runs, passed = _runs(names)
    if runs is not None:
        return Found(*runs, passed)
    for name in names:
        if name.lower() == "run":
            reason = runs_itself(name)
            if reason is None:
                return Found(name, "self", passed)
            passed = (*passed, (name, reason))
    if passed:
        name, reason = passed[0]
        return Found(None, None, passed, f"{name} {reason}.")
    return _first(names)


def _runs(names: list[str]) -> tuple[tuple[str, Host] | None, tuple[tuple[str, str], ...]]:
    passed: list[tuple[str, str]] = []
    for kind in KINDS:
        for extension in kind.extensions:
            for name in names:
                if name.lower() == f"run{extension}":
                    if kind.host is not None:
                        return (name, kind.host), tuple(passed)
                    passed.append((name, _unsupported(kind)))
    return None, tuple(passed)


def _first(names: list[str]) -> Found:
    passed: list[tuple[str, str]] = []
    for kind in KINDS:
        for extension in kind.extensions:
            matching = [
                n for n in names if n.lower().endswith(extension) and len(n) > len(extension)
            ]
            if matching and kind.host is not None:
                return Found(matching[0], kind.host, tuple(passed))
            passed += [(name, _unsupported(kind)) for name in matching[:1]]
    if passed:
        name, reason = passed[0]
        return Found(None, None, tuple(passed), f"{name} {reason}.")
    return Found(None, None, error=NO_SCRIPT)


def _unsupported(kind: Kind) -> str:
    return f"needs {kind.needs}, which isn't supported yet"


def _is_text(name: str) -> bool:
    """A name that isn't UTF-8 can't be stored or shown, so it isn't taken for a script."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
