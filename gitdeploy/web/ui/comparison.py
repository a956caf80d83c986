"""What a deployment has other than another one, as pages show it."""

from __future__ import annotations

from typing import NamedTuple

from gitdeploy.deploy.difference import (
    EMPTY,
    Changes,
    Snapshot,
    changes,
    digests,
    job_changes,
    snapshot,
)
from gitdeploy.errors import NotFound
from gitdeploy.store import Deployment
from gitdeploy.web.services import Services

MOST = 200
"""Names of each kind that a page lists."""


class Name(NamedTuple):
    """A job, file or setting; `change` is added, changed or removed. `address` is False for a
    path that isn't UTF-8, which no address can say."""

    text: str
    change: str
    addressable: bool = True


class Part(NamedTuple):
    """Jobs, files or settings; `total` may be more than the names that are listed."""

    names: list[Name]
    total: int


class Comparison(NamedTuple):
    """`against` is None where there is nothing to compare with; `settings` where they aren't
    known."""

    against: Deployment | None
    jobs: Part
    files: Part
    settings: Part | None

    @property
    def nothing(self) -> bool:
        settings = 0 if self.settings is None else self.settings.total
        return not (self.jobs.total or self.files.total or settings)


async def snapshot_of(services: Services, row: Deployment) -> Snapshot:
    """What a deployment brought. Raises NotFound."""
    paths, repository = services.home.app(row.app), services.repositories.open(row.app)
    return await snapshot(services.store, paths, repository, row)


async def compare(
    services: Services, before: Deployment | None, after: Deployment
) -> Comparison | None:
    """From one deployment (None: nothing) to another; None where it can't be known any more."""
    try:
        new = await snapshot_of(services, after)
        old = EMPTY if before is None else await snapshot_of(services, before)
    except NotFound:
        return None
    settings = None
    if old.settings is not None and new.settings is not None:
        settings = _part(changes(old.settings, new.settings))
    return Comparison(
        before,
        _part(job_changes(old, new)),
        _part(changes(old.manifest, new.manifest)),
        settings,
    )


async def settings_since(services: Services, row: Deployment) -> Part | None:
    """App settings that are other now than when the deployment came into effect."""
    try:
        then = (await snapshot_of(services, row)).settings
    except NotFound:
        then = None
    if then is None:
        return None
    now = digests(await services.store.apps.settings(row.app))
    return _part(changes(then, now))


def text_of(name: str) -> str:
    """A path that isn't UTF-8 as it can be shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _part(found: Changes) -> Part:
    names: list[Name] = []
    for change in ("added", "changed", "removed"):
        for name in getattr(found, change):
            text = text_of(name)
            names.append(Name(text, change, text == name and "\\" not in name))
    return Part(names[:MOST], len(names))
