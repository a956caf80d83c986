"""Fetch and deploy in the background, for webhooks: one at a time for an app, newest follow-up wins.

What was accepted is in the store before the sender has its answer; the next start goes on with it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace

import msgspec
from aiohttp import web

from gitdeploy.deploy.branch import HEADS, configured_branch, plan_push
from gitdeploy.errors import GitdeployError
from gitdeploy.repos import FetchResult, Reach, RefUpdate, fetch
from gitdeploy.store import Deployment
from gitdeploy.web.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a sender asks for: a branch (None: the remote's own) of a repository.

    `commit` is where the sender says that the branch stands, None where it doesn't say; with it
    come its author and message, and `pusher`, who pushed it there, as far as the sender tells.
    `sender` is the kind of sender ("github", "gitlab", …). `starts` counts the servers that ended
    while it was under way.
    """

    url: str
    branch: str | None
    commit: str | None
    deployer: str
    received_at: int
    starts: int = 0
    sender: str = ""
    author: str = ""
    author_email: str = ""
    message: str = ""
    pusher: str = ""


_decode = msgspec.json.Decoder(dict[str, list[Wanted]]).decode
_MOST_STARTS = 3  # a fetch that takes the server down with it isn't tried for ever


class Fetcher:
    """Owns what is fetched for each app. Tasks run in the server's background."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._busy: dict[str, Wanted] = {}
        self._next: dict[str, Wanted] = {}
        self._recorded: set[str] = set()  # apps whose fetch has become a deployment's row
        self._fact = f"fetches {services.instance}"

    def under_way(self, app: str) -> Wanted | None:
        """What is being fetched or waits for its turn right now."""
        return self._busy.get(app)

    async def start(self) -> None:
        """Take up what an earlier server had accepted and not yet recorded as a deployment."""
        text = await self._services.store.fact(self._fact)
        for app, accepted in (_decode(text) if text else {}).items():
            again = [replace(wanted, starts=wanted.starts + 1) for wanted in accepted]
            if again[0].starts >= _MOST_STARTS:
                error = GitdeployError("The server ended during each try.", "Send it again.")
                await self._record_failure(app, again.pop(0), error)
            if not again:
                continue
            self._busy[app] = again[0]
            if len(again) > 1:
                self._next[app] = again[-1]
        await self._save()
        for app in self._busy:
            self._services.background.start(self._work(app))

    async def submit(self, app: str, wanted: Wanted) -> bool:
        """Begin, or keep it as the one follow-up; False where it has to wait.

        On the disk when this returns. Raises StoreError, and nothing is done then.
        """
        if app in self._busy:
            self._next[app] = wanted
            await self._save()
            return False
        at_once = not self._services.deployer.busy(app)
        self._busy[app] = wanted
        try:
            await self._save()
        except GitdeployError:
            self._busy.pop(app)
            raise
        self._services.background.start(self._work(app))
        return at_once

    async def _save(self) -> None:
        """Write down what isn't a deployment's row yet. Snapshots reach the store in order."""
        kept: dict[str, list[Wanted]] = {}
        for app, wanted in self._busy.items():
            following = self._next.get(app)
            rest = [] if app in self._recorded else [wanted]
            rest += [] if following is None else [following]
            if rest:
                kept[app] = rest
        await self._services.store.remember(self._fact, msgspec.json.encode(kept).decode())

    async def _work(self, app: str) -> None:
        try:
            while True:
                await self._one(app, self._busy[app])
                self._recorded.discard(app)
                following = self._next.pop(app, None)
                if following is None:
                    break
                self._busy[app] = following
        finally:
            self._busy.pop(app, None)
            self._next.pop(app, None)
            self._recorded.discard(app)
        await self._save()

    async def _one(self, app: str, wanted: Wanted) -> None:
        services = self._services
        log = services.events.app_log(app)
        try:
            repository = services.repositories.open(app)
            result = await fetch(
                repository,
                wanted.url,
                wanted.branch,
                reach=Reach(allow_private=services.options.allow_private_fetch),
                log=log,
            )
        except GitdeployError as error:
            await self._record_failure(app, wanted, error)
            return
        except Exception:
            log.exception("fetch.crashed", url=without_credentials(wanted.url))
            await self._record_failure(app, wanted, GitdeployError("gitdeploy itself failed."))
            return
        services.upkeep.consider(app)
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
            self._recorded.add(app)
            await self._save()
            await services.deployer.wait(app, deployment.id, deployment.attempt)
        except GitdeployError as error:
            log.warning("fetch.not_deployed", commit=result.new, what=error.what, fix=error.fix)
            if app not in self._recorded:
                await self._record_failure(app, wanted, error)
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
        author=wanted.author,
        author_email=wanted.author_email,
        message=wanted.message or f"Fetch {without_credentials(wanted.url)}",
    )


def without_credentials(url: str) -> str:
    """The URL without user and password."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else url
