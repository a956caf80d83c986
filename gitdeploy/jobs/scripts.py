"""Which file of a job's directory is its script: Kudu's kinds and their order (kudu.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gitdeploy.jobs.job import Host


class Kind(NamedTuple):
    """A kind of script: its extensions in order and its host."""

    extensions: tuple[str, ...]
    host: Host


KINDS = (
    Kind((".cmd", ".bat", ".exe"), "wine"),
    Kind((".ps1",), "pwsh"),
    Kind((".sh",), "bash"),
    Kind((".php",), "php"),
    Kind((".py",), "python"),
    Kind((".js",), "node"),
    Kind((".fsx",), "dotnet"),
    Kind((".jar",), "java"),
)
Missing = Callable[[Host, str], str | None]
NO_SCRIPT = "No runnable script file was found."
NO_SCRIPT_FIX = "Add run.sh, run.py, run.js, or an executable file run that begins with #!."


class Found(NamedTuple):
    """The script, if any; `passed_over` are scripts that stood before it and can't be run."""

    script: str | None
    host: Host | None
    passed_over: tuple[tuple[str, str], ...] = ()
    """File name and reason (one clause)."""
    error: str | None = None


def find_script(
    files: Iterable[str],
    runs_itself: Callable[[str], str | None],
    missing: Missing = lambda host, name: None,
) -> Found:
    """Choose among the names of a directory's files.

    `run.<ext>` in the order of the kinds, then an executable `run`, then the first file with a
    known extension in that order. `runs_itself` says for a file named `run` why it can't be
    executed, or None where it can; `missing` which program of a script's host isn't installed
    here. Such a script is passed over where one of its rank can be run, and taken where none can:
    it runs once the program is there. A `run.*` is never replaced by some other file: that may be
    a module, not a script.
    """
    names = sorted((name for name in files if _is_text(name)), key=lambda n: (n.lower(), n))
    runs = list(_in_order(names, lambda name, extension: name.lower() == f"run{extension}"))
    if any(missing(host, name) is None for name, host in runs):
        return _choose(runs, missing)
    passed: tuple[tuple[str, str], ...] = ()
    for name in names:
        if name.lower() == "run":
            reason = runs_itself(name)
            if reason is None:
                return Found(name, "self", tuple(_without(runs, missing)))
            passed = (*passed, (name, reason))
    if runs:
        return _choose(runs, missing)
    if passed:
        name, reason = passed[0]
        return Found(None, None, passed, f"{name} {reason}.")
    return _choose(list(_in_order(names, _ends)), missing)


def _in_order(names: list[str], fits: Callable[[str, str], bool]) -> Iterator[tuple[str, Host]]:
    """The first file of each extension that fits, in the order of the kinds."""
    for kind in KINDS:
        for extension in kind.extensions:
            for name in [name for name in names if fits(name, extension)][:1]:
                yield name, kind.host


def _choose(scripts: list[tuple[str, Host]], missing: Missing) -> Found:
    """The first whose host is here, else the first."""
    if not scripts:
        return Found(None, None, error=NO_SCRIPT)
    here = [each for each in scripts if missing(each[1], each[0]) is None]
    if not here:
        return Found(*scripts[0])
    before = scripts[: scripts.index(here[0])]
    return Found(*here[0], tuple(_without(before, missing)))


def _without(scripts: list[tuple[str, Host]], missing: Missing) -> Iterator[tuple[str, str]]:
    for name, host in scripts:
        yield name, f"needs {missing(host, name)}, which isn't installed"


def _ends(name: str, extension: str) -> bool:
    return name.lower().endswith(extension) and len(name) > len(extension)


def _is_text(name: str) -> bool:
    """A name that isn't UTF-8 can't be stored or shown, so it isn't taken for a script."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
