"""Fetch and deploy in the background, for webhooks: one at a time for an app, newest follow-up wins.

What was accepted is in the store before the sender has its answer; the next start goes on with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec
from aiohttp import web

from gitdeploy.deploy.branch import HEADS, configured_branch, plan_push
from gitdeploy.errors import GitdeployError
from gitdeploy.repos import FetchResult, Reach, RefUpdate, fetch
from gitdeploy.repos.ssh import SshFiles
from gitdeploy.repos.sshkey import DeployKey
from gitdeploy.store import Deployment
from gitdeploy.web.commit_status import CommitStatuses
from gitdeploy.web.fetch_records import (
    move_log,
    open_log,
    record_failure,
    record_superseded,
    superseded_text,
    tell_superseded,
)
from gitdeploy.web.patience import Interrupted, with_patience
from gitdeploy.web.services import Services
from gitdeploy.web.wanted import Wanted, pending, without_credentials

__all__ = ["FETCHER", "Fetcher", "Wanted", "pending", "without_credentials"]

_decode = msgspec.json.Decoder(dict[str, list[Wanted]]).decode
_decode_became = msgspec.json.Decoder(dict[str, dict[str, str]]).decode
_MOST_STARTS = 3  # a fetch that takes the server down with it isn't tried for ever
_MOST_BECAME = 50  # of an app


@dataclass(slots=True, eq=False)
class _Line:
    """What an app has under way, and what waits behind it.

    `recorded`: `busy` has become a deployment's row. `hurry` ends the waiting for its next try.
    """

    busy: Wanted
    next: Wanted | None = None
    recorded: bool = False
    text: str = "Fetching."
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def unrecorded(self) -> Iterator[Wanted]:
        if not self.recorded:
            yield self.busy
        if self.next is not None:
            yield self.next


class Fetcher:
    """Owns what is fetched for each app. Tasks run in the server's background."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._statuses = CommitStatuses(services)
        self._lines: dict[str, _Line] = {}
        self._became: dict[str, dict[str, str]] = {}
        self._stopping = False
        self._fact = f"fetches {services.instance}"
        self._fact_became = f"fetches became {services.instance}"

    def under_way(self, app: str) -> Wanted | None:
        """What is being fetched or waits for its turn right now."""
        line = self._lines.get(app)
        return None if line is None else line.busy

    async def find(self, app: str, deployment_id: str) -> tuple[Deployment, bool] | None:
        """The deployment that an id stands for, and whether it is one only in the making.

        An id that was given for a fetch whose commit wasn't known leads to what it became.
        """
        wanted_id = deployment_id
        for _ in range(_MOST_BECAME):
            line = self._lines.get(app)
            for wanted in () if line is None else line.unrecorded():
                if line is not None and wanted.key == wanted_id:
                    text = line.text if wanted is line.busy else "Waiting for the one before it."
                    return await self._pending(app, wanted, text), True
            row = await self._services.store.deployments.get(app, wanted_id)
            if row is not None:
                return row, False
            became = self._became.get(app, {}).get(wanted_id)
            if became is None:
                return None
            wanted_id = became
        return None

    async def _pending(self, app: str, wanted: Wanted, text: str) -> Deployment:
        known = await self._services.store.deployments.get(app, wanted.key)
        row = pending(app, wanted.key, wanted, self._services.instance, text=text)
        return msgspec.structs.replace(row, attempt=1 if known is None else known.attempt + 1)

    async def start(self) -> None:
        """Take up what an earlier server had accepted and not yet recorded as a deployment."""
        services = self._services
        became = await services.store.fact(self._fact_became)
        self._became = _decode_became(became) if became else {}
        text = await services.store.fact(self._fact)
        for app, accepted in (_decode(text) if text else {}).items():
            again = [replace(wanted, starts=wanted.starts + 1) for wanted in accepted]
            if again[0].starts >= _MOST_STARTS:
                error = GitdeployError("The server ended during each try.", "Send it again.")
                await record_failure(services, app, again.pop(0), error)
            if again:
                self._lines[app] = _Line(again[0], again[-1] if len(again) > 1 else None)
        await self._save()
        for app, line in self._lines.items():
            line.task = services.background.start(self._work(app, line))

    async def stop(self) -> None:
        """Wait for no further try and begin nothing more; the next start goes on with it."""
        self._stopping = True
        self._statuses.stop()
        for line in self._lines.values():
            if not line.recorded:  # this server ends in good order
                line.busy = replace(line.busy, starts=max(0, line.busy.starts - 1))
            line.hurry.set()
        try:
            await self._save()
        except GitdeployError as error:
            self._services.events.log.error("store.refused", what=error.what)

    async def forget(self, app: str) -> None:
        """The app is being deleted: give up what is under way for it."""
        line = self._lines.pop(app, None)
        self._became.pop(app, None)
        self._statuses.forget(app)
        if line is not None and line.task is not None:
            line.task.cancel()
            await asyncio.wait({line.task})
            await self._save()

    async def submit(self, app: str, wanted: Wanted) -> bool:
        """Begin, or keep it as the one follow-up; False where it has to wait.

        On the disk when this returns. Raises StoreError, and nothing is done then.
        """
        line = self._lines.get(app)
        if line is None:
            at_once = not self._services.deployer.busy(app)
            line = self._lines[app] = _Line(wanted)
            try:
                await self._save()
            except GitdeployError:
                self._lines.pop(app, None)
                raise
            line.task = self._services.background.start(self._work(app, line))
            return at_once
        skipped, line.next = line.next, wanted
        try:
            await self._save()
        except GitdeployError:
            if line.next is wanted:
                line.next = skipped
            raise
        line.hurry.set()
        if skipped is not None:
            await self._skip(app, skipped, wanted.key, alive={wanted.key, line.busy.key})
        return False

    async def _skip(self, app: str, wanted: Wanted, by: str, *, alive: set[str]) -> None:
        """It won't be deployed as `by` came; nothing to tell where its id is another's too."""
        if wanted.key in alive:
            return
        if wanted.commit is None:
            await self._remember(app, wanted.id, by)
        await record_superseded(self._services, app, wanted, by)

    async def _save(self) -> None:
        """Write down what isn't a deployment's row yet. Snapshots reach the store in order."""
        lines = {app: list(line.unrecorded()) for app, line in self._lines.items()}
        kept = {app: every for app, every in lines.items() if every}
        await self._services.store.remember(self._fact, msgspec.json.encode(kept).decode())

    async def _remember(self, app: str, pending_id: str, became: str) -> None:
        known = self._became.setdefault(app, {})
        known[pending_id] = became
        while len(known) > _MOST_BECAME:
            del known[next(iter(known))]
        text = msgspec.json.encode(self._became).decode()
        await self._services.store.remember(self._fact_became, text)

    async def _work(self, app: str, line: _Line) -> None:
        while True:
            try:
                await self._one(app, line)
            except Exception:  # its end couldn't be recorded
                url = without_credentials(line.busy.url)
                self._services.events.app_log(app).exception("fetch.crashed", url=url)
            if self._stopping or line.next is None:
                break
            line.busy, line.next, line.recorded = line.next, None, False
            line.text = "Fetching."
            line.hurry.clear()
        if not self._stopping and self._lines.get(app) is line:
            del self._lines[app]
            await self._save()

    async def _one(self, app: str, line: _Line) -> None:
        services, wanted = self._services, line.busy
        log, begins = await open_log(services, app, wanted)
        self._statuses.report(app, wanted, wanted.commit, "pending", "Fetching.")

        async def once() -> FetchResult:
            line.text = "Fetching."
            repository = services.repositories.open(app)
            return await fetch(
                repository, wanted.url, wanted.branch, reach=reach(services, app), log=log
            )

        def wait(text: str) -> None:
            line.text = text

        error: GitdeployError
        try:
            result = await with_patience(
                once,
                retries=services.options.fetch_retries,
                clock=services.clock,
                hurry=line.hurry,
                log=log,
                waiting=wait,
            )
        except Interrupted:
            if line.next is None:  # the server stops
                return
            by = line.next.key
            tell_superseded(services, app, wanted, by)
            error = GitdeployError(superseded_text(by), "Look at that one.")
        except GitdeployError as failure:
            error = failure
        except Exception:
            log.exception("fetch.crashed", url=without_credentials(wanted.url))
            error = GitdeployError("gitdeploy itself failed.")
        else:
            await self._deploy(app, line, result, begins)
            return
        if await record_failure(services, app, wanted, error, log_from=begins) is not None:
            self._statuses.report(app, wanted, wanted.commit, "failure", error.what)

    async def _deploy(self, app: str, line: _Line, result: FetchResult, begins: int) -> None:
        """Deploy what was fetched and wait for its end."""
        services, wanted = self._services, line.busy
        log = services.events.app_log(app)
        services.upkeep.consider(app)
        commit = result.new
        try:
            await self._adopt(app, result)
            if wanted.key != commit:
                await move_log(services, app, wanted, commit, after=begins)
                await self._came_later(app, wanted, commit)
            deployment = await services.deployer.deploy(
                app,
                commit,
                ref=result.ref,
                trigger="fetch",
                deployer=wanted.deployer,
                wait_turn=True,
            )
            line.recorded = True
            if wanted.pusher:
                await services.store.deployments.update(app, commit, pusher=wanted.pusher)
            await self._save()
            if wanted.commit != commit:
                self._statuses.report(app, wanted, commit, "pending", "Deploying.")
            ended = await services.deployer.wait(app, deployment.id, deployment.attempt)
            if ended.status == "success":
                self._statuses.report(app, wanted, commit, "success", "Deployed.")
            else:
                self._statuses.report(app, wanted, commit, "failure", ended.status_text)
        except GitdeployError as error:
            if self._stopping and not line.recorded:
                return
            log.warning("fetch.not_deployed", commit=commit, what=error.what, fix=error.fix)
            if not line.recorded:
                await record_failure(services, app, replace(wanted, commit=commit), error)
            self._statuses.report(app, wanted, commit, "failure", error.what)
        except Exception:
            log.exception("fetch.not_deployed", commit=commit, what="the server failed")
            self._statuses.report(app, wanted, commit, "failure", "gitdeploy itself failed.")

    async def _came_later(self, app: str, wanted: Wanted, commit: str) -> None:
        """The id that the sender was given isn't the deployment's: the branch stands elsewhere."""
        if wanted.commit is None:
            await self._remember(app, wanted.id, commit)
            return
        services = self._services
        tell_superseded(services, app, wanted, commit)
        error = GitdeployError(superseded_text(commit), "Look at that one.")
        self._statuses.report(app, wanted, wanted.commit, "failure", error.what)
        if await services.store.deployments.get(app, wanted.commit) is None:
            await record_failure(services, app, wanted, error)

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


def reach(services: Services, app: str) -> Reach:
    """What an app may be fetched from, by the options as they are now."""
    options, home = services.options, services.home
    return Reach(
        allow_private=options.allow_private_fetch,
        ssh=SshFiles(DeployKey(home.app(app).ssh).private, home.known_hosts),
        file_outside=home.root if options.allow_file_fetch else None,
    )


FETCHER = web.AppKey("fetcher", Fetcher)
