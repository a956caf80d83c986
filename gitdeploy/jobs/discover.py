"""Find the jobs of a site: `App_Data/jobs/{continuous,triggered}/<name>/` or as place.py says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.jobs.hosts import missing_program
from gitdeploy.jobs.job import Job, JobSettings, Problem
from gitdeploy.jobs.place import DEFAULT_PLACE
from gitdeploy.jobs.scripts import NO_SCRIPT, NO_SCRIPT_FIX, Found, find_script
from gitdeploy.jobs.settings import MAX_BYTES, parse_settings
from gitdeploy.jobs.windows import batch_line, is_batch

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")
MAX_NAME = 200
_NAME_RULE = "a job's name begins with a letter or digit and has only letters, digits, - and _"
_KINDS: tuple[Kind, ...] = ("continuous", "triggered")
_SETTINGS = "settings.job"
_MAX_DEPTH = 32


def check_job_name(name: str) -> None:
    """Raises Invalid where no job can have this name."""
    if not NAME.match(name) or len(name) > MAX_NAME:
        raise Invalid(
            f"{name[:80]!r} can't be a job's name: {_NAME_RULE}.",
            f"Use at most {MAX_NAME} of them.",
        )


class Listing(NamedTuple):
    """Names of the directories and of the files in one directory."""

    directories: list[str]
    files: list[str]


class _Tree(Protocol):
    def list(self, path: str) -> Listing: ...


def discover(
    root: Path, entries: Iterable[str] | None = None, *, place: str = DEFAULT_PLACE
) -> tuple[list[Job], list[Problem]]:
    """The site's jobs by kind and name, without identity, and what is wrong with them.

    `root` is the site's root; `entries`, paths of files relative to it, stand for a look at the
    disk where they are known already; `place` is the directory above `continuous` and
    `triggered`. A job with a problem is listed with its `error`.
    """
    tree: _Tree = _Disk(root) if entries is None else _Names(entries)
    jobs: list[Job] = []
    problems: list[Problem] = []
    above = tuple(part.lower() for part in place.split("/") if part)
    for kind in _KINDS:
        seen: dict[str, str] = {}
        for base in _matching(tree, "", (*above, kind)):
            for name in sorted(tree.list(base).directories):
                job, found = _job(root, tree, kind, name, f"{base}/{name}")
                other = seen.setdefault(name.lower(), job.directory)
                if other != job.directory:
                    reason = f"{_text(other)} has the same name, but for capital letters"
                    found = [_problem(job, job.directory, reason, "Rename one of them.")]
                    job = replace(job, script=None, host=None, error=as_error(found[0]))
                jobs.append(job)
                problems += found
    return _distinct(jobs), problems


def _job(root: Path, tree: _Tree, kind: Kind, name: str, path: str) -> tuple[Job, list[Problem]]:
    """One job's directory: the script, the settings, what is wrong."""
    job = Job(kind=kind, name=_text(name), directory=_text(path))
    if not NAME.match(name):
        problem = _problem(job, job.directory, _NAME_RULE, "Rename the directory.")
        return replace(job, error=f"{_NAME_RULE[0].upper()}{_NAME_RULE[1:]}."), [problem]
    path, listing = _entered(tree, path)
    job = replace(job, directory=_text(path))
    if job.directory != path:
        problem = _problem(job, job.directory, "the path isn't UTF-8", "Rename the directory.")
        return replace(job, error=as_error(problem)), [problem]
    found = find_script(
        listing.files,
        lambda file: _why_not(root / path / file),
        lambda host, file: missing_program(host, root / path / file),
    )
    problems = _script_problems(job, found)
    if found.script is not None and is_batch(found.script):
        try:
            batch_line(Path("/", path, found.script), [])
        except Invalid as refused:
            problem = _problem(job, f"{job.directory}/{found.script}", *_clauses(refused))
            problems.append(problem)
            found = Found(None, None, error=as_error(problem))
    settings = JobSettings()
    for file in sorted(listing.files):
        if file.lower() == _SETTINGS:
            settings, wrong = _settings(root, f"{path}/{file}")
            problems += [replace(each, job=job.name) for each in wrong]
            break
    if kind == "triggered" and settings.action is not None:  # what is wrong with the script waits
        problems = [each for each in problems if each.file.lower().endswith("/" + _SETTINGS)]
        found = Found(found.script, found.host)
    error = found.error
    if error is None:
        wrong_settings = [each for each in problems if each.file.lower().endswith("/" + _SETTINGS)]
        error = " ".join(as_error(each) for each in wrong_settings) or None
    return (
        replace(job, script=found.script, host=found.host, settings=settings, error=error),
        problems,
    )


def _entered(tree: _Tree, path: str) -> tuple[str, Listing]:
    """Go into a directory that holds nothing but one directory (zips with a top folder)."""
    listing = tree.list(path)
    for _ in range(_MAX_DEPTH):
        if listing.files or len(listing.directories) != 1:
            break
        path = f"{path}/{listing.directories[0]}"
        listing = tree.list(path)
    return path, listing


def _script_problems(job: Job, found: Found) -> list[Problem]:
    if found.error == NO_SCRIPT:
        reason = NO_SCRIPT[0].lower() + NO_SCRIPT[1:-1]
        return [_problem(job, job.directory, reason, NO_SCRIPT_FIX)]
    problems = []
    for name, reason in found.passed_over:
        fix = "Add a run.sh, run.py or run.js for this machine."
        if name.lower() == "run":
            fix = f"Let it begin with #! and: git update-index --chmod=+x {job.directory}/{name}"
        elif found.script is not None:
            fix = f"{found.script} is run in its place; remove the one that isn't meant."
        problems.append(_problem(job, f"{job.directory}/{name}", reason, fix))
    return problems


def _settings(root: Path, file: str) -> tuple[JobSettings, list[Problem]]:
    try:
        with (root / file).open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)
            more = os.fstat(opened.fileno()).st_size - len(text)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return JobSettings(), [Problem(job="", file=file, reason=f"it can't be read: {reason}")]
    return parse_settings(text + b" " * min(max(more, 0), 1 << 20), file)


def _why_not(path: Path) -> str | None:
    """Why a file can't be executed by itself; None where it can."""
    try:
        if not os.access(path, os.X_OK):
            return "isn't executable"
        with path.open("rb") as file:
            return None if file.read(2) == b"#!" else "doesn't begin with #!"
    except (OSError, ValueError):
        return "can't be read"


def _matching(tree: _Tree, base: str, names: tuple[str, ...]) -> list[str]:
    """Directories that are named so, one below the other, without regard to case."""
    if not names:
        return [base]
    found = sorted(name for name in tree.list(base).directories if name.lower() == names[0])
    return [
        path
        for name in found
        for path in _matching(tree, f"{base}/{name}" if base else name, names[1:])
    ]


def _distinct(jobs: list[Job]) -> list[Job]:
    """Job keys are unique: of two with one name (`App_Data` and `app_data`) the first stays."""
    return list({job.key: job for job in reversed(jobs)}.values())[::-1]


def _problem(job: Job, file: str, reason: str, fix: str) -> Problem:
    return Problem(job=job.name, file=file, reason=reason, fix=fix)


def as_error(problem: Problem) -> str:
    """A problem as a job's `error`: the file's name, key, value, reason, what to do."""
    name = problem.file.rpartition("/")[2]
    at = f": {problem.key} = {problem.value}" if problem.key is not None else ""
    return f"{name}{at}: {problem.reason}. {problem.fix}".strip()


def _clauses(error: Invalid) -> tuple[str, str]:
    return error.what.removesuffix("."), error.fix


def _text(name: str) -> str:
    """A name that can be stored: bytes that aren't UTF-8 are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class _Disk:
    """Directories as they are on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, path: str) -> Listing:
        listing = Listing([], [])
        try:
            with os.scandir(self._root / path) as entries:
                for entry in entries:
                    (listing.directories if entry.is_dir() else listing.files).append(entry.name)
        except OSError:
            return Listing([], [])
        return listing


class _Names:
    """Directories as a list of files' paths implies them."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._listings: dict[str, Listing] = {}
        directories: set[str] = {""}
        files: set[str] = set()
        for entry in entries:
            path = "/".join(part for part in entry.split("/") if part not in ("", "."))
            if path:
                files.add(path)
            while "/" in path:
                path = path.rpartition("/")[0]
                directories.add(path)
        for path in sorted(directories - {""}):
            self._at(path).directories.append(path.rpartition("/")[2])
        for path in sorted(files - directories):
            self._at(path).files.append(path.rpartition("/")[2])

    def list(self, path: str) -> Listing:
        return self._listings.get(path, Listing([], []))

    def _at(self, path: str) -> Listing:
        return self._listings.setdefault(path.rpartition("/")[0], Listing([], []))
