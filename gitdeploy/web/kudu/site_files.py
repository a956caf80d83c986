"""`site/` of an app's vfs: the active release, the repository's files, what deployments have told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitdeploy import store
from gitdeploy.deploy.branch import DEFAULT, configured_branch
from gitdeploy.logs import remote_lines
from gitdeploy.web.files import (
    DIRECTORY,
    Listed,
    OpenFile,
    directory_within,
    lasting_tag,
    open_below,
)
from gitdeploy.web.forwarded import Way
from gitdeploy.web.kudu.blobs import file_at
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.kudu.found import Found, listed
from gitdeploy.web.kudu.log_files import Text
from gitdeploy.web.route import JSON
from gitdeploy.web.services import Services

LOG, STATUS, ACTIVE = "log.log", "status", "active"
_MOST = 100
_LOG_MOST = 16 << 20


class Site(NamedTuple):
    """The active release, and the root of the site in it."""

    release: Path
    root: Path


async def active_site(services: Services, app: str) -> Site | None:
    """What is live; None before the first deployment."""
    active = await services.store.releases.active(app)
    if active is None:
        return None
    release = services.home.app(app).release(active.number)
    return Site(release, release / active.project)


async def of_site(services: Services, app: str, parts: list[str]) -> Found | None:
    """A file or directory of the active release. Raises NotFound for a link that leaves it."""
    site = await active_site(services, app)
    if site is None:
        return None if parts else []
    return await asyncio.to_thread(open_site, site, parts)


def open_site(site: Site, parts: list[str]) -> OpenFile | list[Listed] | None:
    """As `of_site`, of a release that may have been replaced meanwhile; blocks."""
    return open_below(site.root, parts, lasting_tag, within=site.release)


def site_directory(site: Site, parts: list[str]) -> int | None:
    """The open descriptor of a directory of the site, None where there is none; blocks."""
    return directory_within(site.root, parts, site.release)


async def of_repository(services: Services, app: str, parts: list[str]) -> Found | None:
    """A file or directory of the commit at the deployment branch."""
    known = await services.store.apps.get(app)
    settings = await services.store.apps.settings(app)
    chosen = configured_branch(None if known is None else known.branch, settings)
    repository = services.repositories.open(app)
    tip = repository.branch_tip(chosen or DEFAULT)
    if tip is None:
        return [] if not parts else None
    return await asyncio.to_thread(file_at, repository, tip, parts)


async def of_deployments(
    services: Services, app: str, way: Way, parts: list[str], *, logs: bool = False
) -> Found | None:
    """Each deployment's `log.log` and `status`, and `active`; with `logs` the logs alone."""
    match parts:
        case []:
            rows = await services.store.deployments.newest(app, limit=_MOST)
            shown = [Listed(row.id, 0, _changed(row), DIRECTORY) for row in rows]
            text = None if logs else _active(rows)
            return sorted([*shown, listed(ACTIVE, text)] if text else shown)
        case [name] if name == ACTIVE and not logs:
            return _active(await services.store.deployments.newest(app, limit=_MOST))
        case [deployment_id, *below]:
            row = await services.store.deployments.get(app, deployment_id)
            return None if row is None else await _of_one(services, row, way, below, logs=logs)
    return None


async def _of_one(
    services: Services, row: store.Deployment, way: Way, below: list[str], *, logs: bool
) -> Found | None:
    match below:
        case []:
            shown = [listed(LOG, await _log(services, row))]
            return shown if logs else [*shown, listed(STATUS, _status(row, way))]
        case [name] if name == LOG:
            return await _log(services, row)
        case [name] if name == STATUS and not logs:
            return _status(row, way)
    return None


async def _log(services: Services, row: store.Deployment) -> Text:
    """The log of all attempts, a line of time and text each; what is beyond a limit is left out."""
    journal = services.events.deployment_journal(row.app, row.id)
    lines: list[bytes] = []
    left = _LOG_MOST
    async with aclosing(journal.read()) as entries:
        async for entry in entries:
            for line in filter(str.strip, remote_lines(entry.record)):
                lines.append(f"{entry.record['ts']}  {line.rstrip()}\n".encode())
                left -= len(lines[-1])
            if left < 0:
                lines.append(b"The rest is in GET api/deployments/{id}/log.\n")
                break
    return Text(b"".join(lines), _changed(row))


def _status(row: store.Deployment, way: Way) -> Text:
    return Text(msgspec.json.encode(deployment(row, way)), _changed(row), JSON)


def _active(rows: list[store.Deployment]) -> Text | None:
    for row in rows:
        if row.active:
            return Text(row.id.encode(), row.last_success_at or row.received_at)
    return None


def _changed(row: store.Deployment) -> int:
    return row.ended_at or row.started_at or row.received_at
