"""Release directories on the disk: what belongs to one, how it is made current, how it goes.

`releases/N/` is the site as it runs, `releases/N.json` what the deployment knew of it (a release
without it was never finished), `current` a link to the active one for people and file browsers;
which one is active is decided by the store.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from gitdeploy.deploy.tree import Manifest
from gitdeploy.home import AppHome

UNFINISHED = ".new"
"""How the name of a tree ends that isn't whole yet."""

_DAY = 86_400


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished release is made of; `manifest` is path → (git's mode, blob).

    `jobs` are identities by `kind/name`, `settings` digests of app settings by key, both as they
    were when it came into effect; None in releases from before they were kept.
    `job_environments` names the Python environments of jobs that have their own, by `kind/name`.
    """

    manifest: Manifest
    environment: str | None
    project: str
    jobs: dict[str, str] | None = None
    settings: dict[str, str] | None = None
    job_environments: Mapping[str, str] = {}


def write_meta(paths: AppHome, number: int, meta: Meta) -> None:
    """Write `releases/N.json`, whole or not at all."""
    file = _meta_file(paths, number)
    new = file.with_suffix(".new")
    # the standard library's JSON, as paths that aren't UTF-8 come back from it
    new.write_text(json.dumps(msgspec.structs.asdict(meta)), "ascii")
    new.rename(file)


def read_meta(paths: AppHome, number: int) -> Meta:
    """Raises FileNotFoundError where the release was never finished."""
    data = json.loads(_meta_file(paths, number).read_text("ascii"))
    manifest = {path: (mode, blob) for path, (mode, blob) in data["manifest"].items()}
    return Meta(
        manifest=manifest,
        environment=data["environment"],
        project=data["project"],
        jobs=data.get("jobs"),
        settings=data.get("settings"),
        job_environments=data.get("job_environments", {}),
    )


def is_whole(paths: AppHome, number: int) -> bool:
    """Whether the release was finished and is still there."""
    return _meta_file(paths, number).is_file() and paths.release(number).is_dir()


def flush(directory: Path) -> None:
    """Bring everything that was written to the directory's file system onto the disk.

    One syncfs(2) for a release of 300 files takes 4 ms where 300 fsyncs take 50.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(fd)


def point_current(paths: AppHome, number: int) -> None:
    """Let `current` lead to a release, by one rename(2)."""
    target = f"{paths.releases.name}/{number}"
    if paths.current.is_symlink() and str(paths.current.readlink()) == target:
        return
    new = paths.root / "current.new"
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(paths.current)


def discard_release(paths: AppHome, number: int) -> None:
    """Put a release into the trash; nothing where it isn't there."""
    _meta_file(paths, number).unlink(missing_ok=True)  # first: half a release is no release
    _discard(paths, paths.release(number))


def discard_strays(paths: AppHome, keep: Iterable[int]) -> list[int]:
    """Discard whatever stands beside the releases to keep; the numbers that went."""
    kept = set(keep)
    found: set[int] = set()
    for entry in paths.releases.glob("*"):
        number = entry.name.split(".")[0]
        if entry.suffix == ".new":  # a write that was cut off
            entry.unlink(missing_ok=True)
        elif number.isdigit() and int(number) not in kept:
            found.add(int(number))
    for stray in found:
        discard_release(paths, stray)
    return sorted(found)


def discard_environments(paths: AppHome, keep: Iterable[str]) -> list[str]:
    """Put the Python environments that no release needs any more into the trash; their names."""
    kept = set(keep)
    found = sorted(e.name for e in paths.environments.glob("*") if e.name not in kept)
    for name in found:
        _discard(paths, paths.environments / name)
    return found


def discard_unused(paths: AppHome, *, now: float, days: float) -> list[str]:
    """Put what builds keep for later ones into the trash, where no build used it for `days`.

    Shared trees go each by itself, the packages that clients keep below HOME all at once: a client
    that finds half of them would take it for whole. `now` is in seconds; the names that went.
    """
    gone = []
    for directory in (*paths.modules.glob("*"), paths.cache):
        with contextlib.suppress(FileNotFoundError):
            unused = now - directory.stat().st_mtime > days * _DAY
            if unused or directory.name.endswith(UNFINISHED):
                gone.append(directory)
    for directory in gone:
        _discard(paths, directory)
    return [directory.name for directory in gone]


def discard_log(paths: AppHome, deployment: str) -> None:
    """Put a deployment's log into the trash; nothing where it isn't there."""
    if deployment.strip("."):  # an id may be `..`
        _discard(paths, paths.deployment_log(deployment))


def clear_cache(paths: AppHome) -> None:
    """Remove what builds keep to be faster; blocks. No build may run: it has its HOME there."""
    _discard(paths, paths.cache)
    _discard(paths, paths.modules)  # releases have links or copies of their own
    empty_trash(paths)


def empty_trash(paths: AppHome) -> None:
    """Remove what was discarded. Takes its time: a release may hold 100,000 files."""
    for entry in _trash(paths).glob("*"):
        shutil.rmtree(entry, ignore_errors=True)


def _discard(paths: AppHome, directory: Path) -> None:
    """Move it out of the way by one rename(2), so that nobody waits for the removal."""
    trash = _trash(paths)
    trash.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        directory.rename(trash / f"{directory.name}-{uuid.uuid4().hex}")


def _trash(paths: AppHome) -> Path:
    return paths.root / "trash"


def _meta_file(paths: AppHome, number: int) -> Path:
    return paths.releases / f"{number}.json"
