"""Generations of uploaded jobs on the disk: each an immutable site with one job.

`uploads/{kind}/{name}/{n}/` has the job's files in `App_Data/jobs/{kind}/{name}/`; it is made as
`{n}.new`, brought onto the disk and renamed, so it is there whole or not at all. Which generation
counts is decided by the store. Blocking: for a worker thread.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from gitdeploy.archives import ZipLimits, extract
from gitdeploy.deploy.action_secrets import Settled, settle
from gitdeploy.deploy.packing import Parcel, blob_id, write_files
from gitdeploy.deploy.releases import flush
from gitdeploy.errors import Invalid
from gitdeploy.home import AppHome, Kind
from gitdeploy.jobs import Job, discover, with_identity

_SETTINGS = "settings.job"
_INCOMING = "incoming-"
_NEW = ".new"


class Made(NamedTuple):
    """A new generation and what it is."""

    number: int
    job: Job
    settled: Settled


def make(paths: AppHome, kind: Kind, name: str, parcel: Parcel, limits: ZipLimits) -> Made:
    """Write the next generation and look at it.

    Raises Invalid (ArchiveError, SettingError) where it can't be a job; nothing is left then.
    """
    number = _next(paths, kind, name)
    site = paths.upload(kind, name, number)
    making = site.with_name(f"{number}{_NEW}")
    try:
        job, settled = _write(making, kind, name, parcel, limits)
        flush(making)
        making.rename(site)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    _sync(site.parent)
    return Made(number, job, settled)


def incoming(paths: AppHome, name: str) -> Path:
    """A file for a body on its way in; the caller removes it."""
    paths.uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    return paths.uploads / f"{_INCOMING}{name}"


def remove_incoming(paths: AppHome) -> None:
    """Remove bodies that a crash cut off, and what was unpacked; before the first one comes in."""
    for entry in paths.uploads.glob(f"{_INCOMING}*"):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def remove_others(paths: AppHome, keep: AbstractSet[tuple[Kind, str, int]]) -> None:
    """Remove every generation but those, and what a crash left of one."""
    kept = {paths.upload(*each) for each in keep}
    for kind in ("continuous", "triggered"):
        for job in (paths.uploads / kind).glob("*"):
            for generation in job.iterdir():
                if generation not in kept:
                    shutil.rmtree(generation, ignore_errors=True)
            if not any(job.iterdir()):
                job.rmdir()


def _write(
    making: Path, kind: Kind, name: str, parcel: Parcel, limits: ZipLimits
) -> tuple[Job, Settled]:
    directory = f"App_Data/jobs/{kind}/{name}"
    target = making / directory
    target.parent.mkdir(parents=True)
    if parcel.form == "zip":
        manifest = dict(extract(parcel.file, target, limits=limits).manifest)
    else:
        manifest = write_files(target, parcel)
    job, _ = _look(making, kind, name)
    settled = settle(kind, name, job.settings.raw)
    if parcel.form == "settings" and settled.wrong:
        raise settled.wrong[0]  # of a zip's the job says it itself, and runs without that key
    if settled.secrets:
        data = json.dumps(settled.raw, ensure_ascii=False).encode()
        inside = job.directory.removeprefix(directory).strip("/")
        wanted = f"{inside}/{_SETTINGS}".strip("/").lower()
        for file in [path for path in manifest if path.lower() == wanted]:
            (target / file).write_bytes(data)
            manifest[file] = (0o100644, blob_id(data))
    job, fix = _look(making, kind, name)
    if not job.runnable:
        raise Invalid(f"{name} can't be taken: {job.error}", fix)
    placed = {f"{directory}/{path}": entry for path, entry in manifest.items()}
    return with_identity(job, placed, settings={}, environment=None), settled


def _look(site: Path, kind: Kind, name: str) -> tuple[Job, str]:
    """The one job of a site, and what to do about it where something is wrong. Raises Invalid."""
    found, problems = discover(site)
    fix = problems[0].fix if problems else ""
    for job in found:
        if job.key == (kind, name):
            return job, fix
    raise Invalid(f"{name} can't be taken: it is empty.", "Put a run.sh, run.py … at its top.")


def _next(paths: AppHome, kind: Kind, name: str) -> int:
    parent = paths.upload(kind, name, 0).parent
    names = [entry.name.removesuffix(_NEW) for entry in parent.glob("*")]
    return 1 + max((int(each) for each in names if each.isdigit()), default=0)


def _sync(directory: Path) -> None:
    """Bring a rename within the directory onto the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
