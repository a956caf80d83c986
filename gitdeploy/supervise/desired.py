"""What the store says that an app should have: its release's jobs and those that were uploaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from gitdeploy.home import AppHome, Home
from gitdeploy.jobs import Effective, Job, Override, effective
from gitdeploy.store import Release, Store, Upload
from gitdeploy.supervise.context import Desired


async def load(
    store: Store, home: Home, app: str, uploads: Sequence[Upload] | None = None
) -> Desired | None:
    """The app's desired state; None where it has neither a release nor an uploaded job.

    `uploads` stand for those that the store has.
    """
    if uploads is None:
        uploads = await store.uploads.all(app)
    release = await store.releases.active(app)
    rows = await store.jobs.desired(app)
    deployed = [msgspec.json.decode(row.body, type=Job) for row in rows]
    found = await put_together(store, app, deployed, release, uploads)
    if release is None and not found.jobs:
        return None
    paths = home.app(app)
    environment = None
    if release is not None and release.environment:
        environment = paths.environments / release.environment
    return Desired(
        app=app,
        release=release,
        root=site_root(paths, release),
        jobs=found.jobs,
        settings=await store.apps.settings(app),
        environment=environment,
        uploads=roots(paths, uploads),
    )


async def put_together(
    store: Store,
    app: str,
    deployed: Iterable[Job],
    release: Release | None,
    uploads: Iterable[Upload],
) -> Effective:
    """The app's jobs, were `deployed` those of its active release and `uploads` its uploaded ones."""
    uploaded = [msgspec.json.decode(upload.body, type=Job) for upload in uploads]
    number = None if release is None else release.number
    removed = [(r.kind, r.name) for r in await store.uploads.removed(app) if r.release == number]
    overrides = {
        (s.kind, s.name): Override(s.base, s.body) for s in await store.uploads.settings(app)
    }
    return effective(deployed, uploaded, removed, overrides)


def roots(paths: AppHome, uploads: Iterable[Upload]) -> Mapping[str, Path]:
    """`kind/name` of each uploaded job → the directory that is its site."""
    return {f"{u.kind}/{u.name}": paths.upload(u.kind, u.name, u.generation) for u in uploads}


def site_root(paths: AppHome, release: Release | None) -> Path:
    """The site's root: the release's, or an empty directory where nothing was deployed yet."""
    if release is None:
        return paths.uploads
    return paths.release(release.number) / release.project
