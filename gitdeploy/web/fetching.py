"""Fetch and deploy in the background, for webhooks: one at a time for an app, newest follow-up wins."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

import msgspec
from aiohttp import web

from gitdeploy.deploy.branch import HEADS, configured_branch, plan_push
from gitdeploy.errors import GitdeployError
from gitdeploy.repos import FetchResult, RefUpdate, fetch
from gitdeploy.store import Deployment
from gitdeploy.web.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a sender asks for: a branch (None: the remote's own) of a repository.

    `commit` is where the sender says that the branch stands, None where it doesn't say.
    """

    url: str
    branch: str | None
    commit: str | None
    deployer: str
    received_at: int


class Fetcher:
    """Owns what is fetched for each app. Tasks run in the server's background."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._busy: dict[str, Wanted] = {}
        self._next: dict[str, Wanted] = {}

    def under_way(self, app: str) -> Wanted | None:
        """What is being fetched or waits for its turn right now."""
        return self._busy.get(app)

    def submit(self, app: str, wanted: Wanted) -> bool:
        """Begin, or keep it as the one follow-up; False where it has to wait."""
        if app in self._busy:
            self._next[app] = wanted
            return False
        at_once = not self._services.deployer.busy(app)
        self._busy[app] = wanted
        self._services.background.start(self._work(app))
        return at_once

    async def _work(self, app: str) -> None:
        try:
            while True:
                await self._one(app, self._busy[app])
                following = self._next.pop(app, None)
                if following is None:
                    return
                self._busy[app] = following
        finally:
            self._busy.pop(app, None)
            self._next.pop(app, None)

    async def _one(self, app: str, wanted: Wanted) -> None:
        services = self._services
        log = services.events.app_log(app)
        try:
            repository = services.repositories.open(app)
            result = await fetch(
                repository,
                wanted.url,
                wanted.branch,
                allow_private=services.options.allow_private_fetch,
                log=log,
            )
        except GitdeployError as error:
            await self._record_failure(app, wanted, error)
            return
        except Exception:
            log.exception("fetch.crashed", url=without_credentials(wanted.url))
            await self._record_failure(app, wanted, GitdeployError("gitdeploy itself failed."))
            return
        try:
            await self._adopt(app, result)
            deployment = await services.deployer.deploy(
                app,
                result.new,
                ref=result.ref,
                trigger="fetch",
                deployer=wanted.deployer,
                wait_turn=True,
            )
            await services.deployer.wait(app, deployment.id, deployment.attempt)
        except GitdeployError as error:
            log.warning("fetch.not_deployed", commit=result.new, what=error.what, fix=error.fix)
        except Exception:
            log.exception("fetch.not_deployed", commit=result.new, what="the server failed")

    async def _adopt(self, app: str, result: FetchResult) -> None:
        """The first branch that comes in becomes the deployment branch, as with a push."""
        services = self._services
        known = await services.store.apps.get(app)
        settings = await services.store.apps.settings(app)
        repository = services.repositories.open(app)
        refs = await asyncio.to_thread(repository.refs)
        plan = plan_push(
            [RefUpdate(result.ref, result.old, result.new)],
            [ref.removeprefix(HEADS) for ref in refs if ref.startswith(HEADS)],
            configured_branch(None if known is None else known.branch, settings),
        )
        if plan.adopt:
            await services.store.apps.update(app, {"branch": plan.branch})
            await asyncio.to_thread(repository.set_head, plan.branch)

    async def _record_failure(self, app: str, wanted: Wanted, error: GitdeployError) -> None:
        """A fetch that failed is a failed deployment, so that who polls for it sees why."""
        services = self._services
        if await services.store.apps.get(app) is None:
            return
        deployment_id = wanted.commit or secrets.token_hex(16)
        known = await services.store.deployments.get(app, deployment_id)
        if known is not None and known.trigger != "fetch":
            return  # that commit came another way; the app's events have the failed fetch
        journal = services.events.deployment_journal(app, deployment_id)
        new = Deployment(
            app=app,
            id=deployment_id,
            attempt=1,
            status="failed",
            status_text=error.what,
            received_at=wanted.received_at,
            started_at=wanted.received_at,
            ended_at=services.clock.now(),
            instance=services.instance,
            trigger="fetch",
            commit_id=wanted.commit,
            ref=f"refs/heads/{wanted.branch}" if wanted.branch else None,
            deployer=wanted.deployer,
            message=f"Fetch {without_credentials(wanted.url)}",
            log_from=journal.end,
        )
        recorded = await services.store.deployments.begin(new)
        log = services.events.deployment_log(app, deployment_id, recorded.attempt)
        log.error("deploy.failed", what=error.what, fix=error.fix, step="fetch", tail=[])
        services.events.release_deployment_journal(app, deployment_id)


FETCHER = web.AppKey("fetcher", Fetcher)


def pending(app: str, deployment_id: str, wanted: Wanted, instance: str) -> Deployment:
    """A fetch that is under way, as the deployment that it becomes."""
    return msgspec.structs.replace(
        Deployment(
            app=app,
            id=deployment_id,
            attempt=0,
            status="pending",
            received_at=wanted.received_at,
            instance=instance,
            trigger="fetch",
        ),
        status_text="Fetching.",
        commit_id=wanted.commit,
        ref=f"refs/heads/{wanted.branch}" if wanted.branch else None,
        deployer=wanted.deployer,
        message=f"Fetch {without_credentials(wanted.url)}",
    )


def without_credentials(url: str) -> str:
    """The URL without user and password."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url
