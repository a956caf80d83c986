"""Release directories on the disk: what belongs to one, how it is made current, how it goes.

`releases/N/` is the site as it runs, `releases/N.json` what the deployment knew of it (a release
without it was never finished), `current` a link to the active one for people and file browsers;
which one is active is decided by the store.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gitdeploy.deploy.tree import Manifest
from gitdeploy.home import AppHome


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished release is made of; `manifest` is path → (git's mode, blob)."""

    manifest: Manifest
    environment: str | None
    project: str


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
    return Meta(manifest=manifest, environment=data["environment"], project=data["project"])


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


def remove_release(paths: AppHome, number: int) -> None:
    """Remove a release from the disk; nothing where it isn't there."""
    _meta_file(paths, number).unlink(missing_ok=True)  # first: half a release is no release
    shutil.rmtree(paths.release(number), ignore_errors=True)


def remove_strays(paths: AppHome, keep: Iterable[int]) -> list[int]:
    """Remove whatever stands beside the releases to keep; the numbers removed."""
    kept = set(keep)
    found: set[int] = set()
    for entry in paths.releases.glob("*"):
        number = entry.name.split(".")[0]
        if entry.suffix == ".new":  # a write that was cut off
            entry.unlink(missing_ok=True)
        elif number.isdigit() and int(number) not in kept:
            found.add(int(number))
    for stray in found:
        remove_release(paths, stray)
    return sorted(found)


def remove_environments(paths: AppHome, keep: Iterable[str]) -> list[str]:
    """Remove the Python environments that no release needs any more; their names."""
    kept = set(keep)
    found = sorted(e.name for e in paths.environments.glob("*") if e.name not in kept)
    for name in found:
        shutil.rmtree(paths.environments / name, ignore_errors=True)
    return found


def _meta_file(paths: AppHome, number: int) -> Path:
    return paths.releases / f"{number}.json"
