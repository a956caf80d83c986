"""What remains of a fetch that didn't become a deployment: a failed one that says why."""

from __future__ import annotations

import asyncio
import shutil

from gitdeploy.deploy.releases import discard_log
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.store import Deployment
from gitdeploy.web.services import Services
from gitdeploy.web.wanted import Wanted, without_credentials

_KEPT = 100  # as a deployment's prune step


def superseded_text(by: str) -> str:
    """The status of a deployment that another one came before."""
    return f"Superseded by {by}."


async def record_failure(
    services: Services, app: str, wanted: Wanted, error: GitdeployError, *, log_from: int = 0
) -> Deployment | None:
    """Who polls for it sees why it failed; None where that id is somebody else's.

    `log_from` is where the attempt begins in the deployment's journal. A commit that came another way, or that is in effect, keeps its row: the app's events have
    the failed fetch.
    """
    if await services.store.apps.get(app) is None:
        return None
    key = wanted.key
    known = await services.store.deployments.get(app, key)
    if known is not None and (known.trigger != "fetch" or known.active):
        services.events.app_log(app).warning(
            "fetch.not_deployed", commit=wanted.commit, what=error.what, fix=error.fix
        )
        services.events.release_deployment_journal(app, key)
        return None
    row = _failed(services, app, wanted, error.what, log_from=log_from)
    recorded = await services.store.deployments.begin(row)
    log = services.events.deployment_log(app, key, recorded.attempt)
    log.error("deploy.failed", what=error.what, fix=error.fix, step="fetch", tail=[])
    services.events.release_deployment_journal(app, key)
    await _prune(services, app)
    return recorded


def tell_superseded(services: Services, app: str, wanted: Wanted, by: str) -> None:
    """The event of a delivery that isn't deployed as `by`, another deployment, came."""
    services.events.app_log(app).info(
        "hook.superseded",
        url=without_credentials(wanted.url),
        commit=wanted.commit,
        deployment=wanted.key,
        by=by,
    )


async def record_superseded(services: Services, app: str, wanted: Wanted, by: str) -> None:
    """Tell it, and leave a row for a commit that has none, without a log of its own."""
    tell_superseded(services, app, wanted, by)
    if wanted.commit is None or await services.store.apps.get(app) is None:
        return
    if await services.store.deployments.get(app, wanted.commit) is None:
        row = _failed(services, app, wanted, superseded_text(by))
        await services.store.deployments.begin(row)
        await _prune(services, app)


async def move_log(
    services: Services, app: str, wanted: Wanted, deployment: str, *, after: int
) -> None:
    """What was told of a fetch, behind the entry `after`, belongs to another deployment's log."""
    events, pending = services.events, wanted.key
    source = events.deployment_journal(app, pending)
    target = events.deployment_journal(app, deployment)
    known = await services.store.deployments.get(app, deployment)
    attempt = 1 if known is None else known.attempt + 1
    async for entry in source.read(after):
        target.append({**entry.record, "deployment": deployment, "attempt": attempt})
    log, _ = await open_log(services, app, wanted)
    log.debug("fetch.moved", to=deployment)  # ends who follows it
    events.release_deployment_journal(app, pending)
    if after == 0:  # nothing of an earlier attempt is there
        await drop_log(services, app, pending)


async def drop_log(services: Services, app: str, deployment: str) -> None:
    """Remove the log of what never became a deployment."""
    services.events.forget_deployment(app, deployment)
    directory = services.home.app(app).deployment_log(deployment)
    await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def open_log(services: Services, app: str, wanted: Wanted) -> tuple[Log, int]:
    """The log of the attempt that this fetch becomes, and where in the journal it begins."""
    known = await services.store.deployments.get(app, wanted.key)
    attempt = 1 if known is None else known.attempt + 1
    begins = services.events.deployment_journal(app, wanted.key).end
    return services.events.deployment_log(app, wanted.key, attempt), begins


def _failed(
    services: Services, app: str, wanted: Wanted, text: str, *, log_from: int = 0
) -> Deployment:
    return Deployment(
        app=app,
        id=wanted.key,
        attempt=1,
        status="failed",
        status_text=text,
        received_at=wanted.received_at,
        started_at=wanted.received_at,
        ended_at=services.clock.now(),
        instance=services.instance,
        trigger="fetch",
        commit_id=wanted.commit,
        ref=wanted.ref,
        author=wanted.author,
        author_email=wanted.author_email,
        deployer=wanted.deployer,
        message=wanted.shown_message,
        pusher=wanted.pusher,
        log_from=log_from,
    )


async def _prune(services: Services, app: str) -> None:
    """A storm of webhooks leaves no more rows than deployments do."""
    forgotten = await services.store.deployments.prune(app, keep=_KEPT)
    paths = services.home.app(app)
    for deployment in forgotten:
        services.events.forget_deployment(app, deployment)
        if paths.deployment_log(deployment).is_dir():
            await asyncio.to_thread(discard_log, paths, deployment)
