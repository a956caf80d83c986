"""From a form that is right to a job: the code that it brings, then the settings."""

from __future__ import annotations

import asyncio
import json
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gitdeploy.deploy import Parcel
from gitdeploy.deploy.knownjobs import find_job
from gitdeploy.home import Kind
from gitdeploy.jobs import Job
from gitdeploy.supervise.desired import site_root
from gitdeploy.web.auth import principal_of
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.jobform.reading import Filled, merged
from gitdeploy.web.ui.jobform.sent import Uploaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is asked for: `job` is what is edited, `source` what a new one is to be like, `file` a
    place on the disk for what is made on the way, which is removed in the end."""

    app: str
    filled: Filled
    upload: Uploaded | None
    job: Job | None
    source: Job | None
    file: Path


async def store(request: web.Request, change: Change) -> str:
    """Make it so; the job's name as it is kept. Raises what JobUploads raises."""
    services, filled, app = services_of(request), change.filled, change.app
    who = principal_of(request).who
    kind = filled.kind
    try:
        name = change.job.name if change.job is not None else filled.name
        parcel = await _parcel(services, change)
        if parcel is not None:
            name = await services.uploads.put(app, kind, name, parcel, who=who)
        now = find_job(services.supervisor, app, kind, name)
        before = {} if now is None else now.settings.raw
        raw = merged(before, filled)
        if raw != before and not (parcel is not None and parcel.form == "settings"):
            await services.uploads.put_settings(app, kind, name, raw)
        return name
    finally:
        change.file.unlink(missing_ok=True)


async def _parcel(services: Services, change: Change) -> Parcel | None:
    """What is uploaded; None where the job's code stays."""
    if change.filled.how == "http":
        if change.job is not None:
            return None
        change.file.write_text(json.dumps(change.filled.raw, ensure_ascii=False), "utf-8")
        return Parcel("settings", change.file)
    if change.upload is not None:
        return change.upload.parcel()
    if change.source is None:
        return None
    folder = await _folder(services, change.app, change.source)
    await asyncio.to_thread(_pack, folder, change.file)
    return Parcel("zip", change.file)


async def _folder(services: Services, app: str, job: Job) -> Path:
    """Where a job's files are."""
    paths = services.home.app(app)
    for upload in await services.store.uploads.all(app):
        key: tuple[Kind, str] = (upload.kind, upload.name)
        if key == job.key:
            return paths.upload(upload.kind, upload.name, upload.generation) / job.directory
    return site_root(paths, await services.store.releases.active(app)) / job.directory


def _pack(folder: Path, target: Path) -> None:
    """A zip of a directory's plain files; links stay out."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for file in sorted(folder.rglob("*")):
            if stat.S_ISREG(file.lstat().st_mode):
                archive.write(file, str(file.relative_to(folder)))
