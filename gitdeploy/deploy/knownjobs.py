"""What is known of an app's jobs by name: as the app has them, as they were filed, as they were set."""

from __future__ import annotations

import msgspec

from gitdeploy.errors import Conflict
from gitdeploy.home import Kind
from gitdeploy.jobs import Job
from gitdeploy.store import SettingsRow, Store
from gitdeploy.supervise import Supervisor


def find_job(supervisor: Supervisor, app: str, kind: Kind, name: str) -> Job | None:
    """The job that the app has, uploaded or deployed, without regard to case."""
    folded = name.casefold()
    for view in supervisor.jobs(app):
        if view.job.kind == kind and view.job.name.casefold() == folded:
            return view.job
    return None


def name_as_kept(supervisor: Supervisor, app: str, kind: Kind, name: str) -> str:
    """The name in the spelling that is kept. Raises Conflict where the other kind has it."""
    other: Kind = "triggered" if kind == "continuous" else "continuous"
    if find_job(supervisor, app, other, name) is not None:
        raise Conflict(
            f"{app} has a {other} job {name}.",
            f"Delete it first, or give this {kind} one another name.",
        )
    found = find_job(supervisor, app, kind, name)
    return name if found is None else found.name


async def as_filed(store: Store, app: str, job: Job) -> Job:
    """The job with the settings of its own settings.job."""
    for upload in await store.uploads.all(app):
        if (upload.kind, upload.name) == job.key:
            return msgspec.json.decode(upload.body, type=Job)
    for row in await store.jobs.desired(app):
        if (row.kind, row.name) == job.key:
            return msgspec.json.decode(row.body, type=Job)
    return job


async def given_settings(store: Store, app: str, kind: Kind, name: str) -> SettingsRow | None:
    """Settings of the job that were given over the API."""
    rows = await store.uploads.settings(app)
    return next((row for row in rows if (row.kind, row.name) == (kind, name)), None)
