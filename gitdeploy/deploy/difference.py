"""What one deployment has other than another: jobs, files, app settings."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from gitdeploy.deploy.releases import is_whole, read_meta
from gitdeploy.deploy.tree import Manifest, list_tree
from gitdeploy.errors import NotFound
from gitdeploy.home import AppHome
from gitdeploy.repos import Repository, RepositoryError
from gitdeploy.store import Deployment, Store

_JOB = re.compile(r"(?:.*/)?App_Data/jobs/(continuous|triggered)/([^/]+)/", re.IGNORECASE)


class Changes(msgspec.Struct, frozen=True):
    """Names by what became of them, each list sorted."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class Snapshot(NamedTuple):
    """What a deployment brought; None where it isn't known any more.

    `jobs` are identities as a build found them, None where it was never built.
    """

    manifest: Manifest
    jobs: Mapping[str, str] | None
    settings: Mapping[str, str] | None


EMPTY = Snapshot({}, {}, {})


def digests(settings: Mapping[str, str]) -> dict[str, str]:
    """App settings so that they can be compared and not read."""
    return {
        key: hashlib.sha256(f"{key}\0{value}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
        for key, value in settings.items()
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What became of the names of one mapping in the other."""
    return Changes(
        added=sorted(after.keys() - before.keys()),
        changed=sorted(k for k in after.keys() & before.keys() if after[k] != before[k]),
        removed=sorted(before.keys() - after.keys()),
    )


def job_changes(before: Snapshot, after: Snapshot) -> Changes:
    """What became of the jobs; told by their directories alone where one side was never built."""
    if before.jobs is None or after.jobs is None:
        return changes(by_path(before.manifest), by_path(after.manifest))
    return changes(before.jobs, after.jobs)


async def snapshot(
    store: Store, paths: AppHome, repository: Repository, deployment: Deployment
) -> Snapshot:
    """What a deployment brought: from its release, else from its commit.

    Raises NotFound where neither is there.
    """
    release = await store.releases.of_deployment(deployment.app, deployment.id)
    if release is not None and is_whole(paths, release.number):
        meta = await asyncio.to_thread(read_meta, paths, release.number)
        return Snapshot(meta.manifest, meta.jobs, meta.settings)
    commit = deployment.commit_id
    if commit is None:
        raise NotFound(f"What deployment {deployment.id} brought isn't kept any more.")
    try:
        manifest = await asyncio.to_thread(
            lambda: list_tree(repository, repository.commit_info(commit).tree)
        )
    except RepositoryError as error:
        raise NotFound(error.what, error.fix) from error
    return Snapshot(manifest, None, None)


def by_path(manifest: Manifest) -> dict[str, str]:
    """Jobs told by their directories alone, for what was never built here."""
    found: dict[str, list[str]] = {}
    for path, (mode, blob) in sorted(manifest.items()):
        match = _JOB.match(path)
        if match is not None:
            found.setdefault(f"{match[1].lower()}/{match[2]}", []).append(f"{path} {mode} {blob}")
    return {
        job: hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
        for job, lines in found.items()
    }


async def previous(store: Store, deployment: Deployment) -> Deployment | None:
    """The deployment whose release came before this one's; None for the first.

    One that failed is compared with what was in effect then, one that never began with what is now.
    """
    number = deployment.release
    if number is None:
        tried = await store.releases.tried(deployment.app, deployment.id)
        number = None if tried is None else tried.number
    if number is None:
        active = await store.releases.active(deployment.app)
        return (
            None if active is None else await store.deployments.get(active.app, active.deployment)
        )
    number -= 1
    while number > 0:
        release = await store.releases.get(deployment.app, number)
        if release is not None and release.deployment != deployment.id:
            found = await store.deployments.get(deployment.app, release.deployment)
            if found is not None and found.last_success_at is not None:
                return found
        number -= 1
    return None
