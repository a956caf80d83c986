"""One fetch from its first try to the end of the deployment that it becomes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

from gitdeploy.deploy.branch import HEADS, configured_branch, plan_push
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Log
from gitdeploy.repos import FetchResult, Reach, RefUpdate, fetch
from gitdeploy.repos.ssh import SshFiles
from gitdeploy.repos.sshkey import DeployKey
from gitdeploy.web.commit_status import CommitStatuses
from gitdeploy.web.fetch_records import (
    drop_log,
    move_log,
    open_log,
    record_failure,
    superseded_text,
    tell_superseded,
)
from gitdeploy.web.patience import Interrupted, with_patience
from gitdeploy.web.services import Services
from gitdeploy.web.wanted import Wanted, without_credentials


@dataclass(slots=True, eq=False)
class Line:
    """What an app has under way, and what waits behind it.

    `recorded`: `busy` has become a deployment's row. `text` says what it does. `hurry` ends the
    waiting for its next try. `cancelled` is why somebody doesn't want it any more; `ended` is set
    when that, or its end, is recorded.
    """

    busy: Wanted
    next: Wanted | None = None
    recorded: bool = False
    text: str = "Fetching."
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    fetching: asyncio.Task[FetchResult] | None = None
    cancelled: GitdeployError | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def unrecorded(self) -> Iterator[Wanted]:
        """What would be lost with the server if it weren't written down."""
        if not self.recorded:
            yield self.busy
        if self.next is not None:
            yield self.next

    def advance(self) -> bool:
        """Let the next one have its turn; False where there is none."""
        if self.next is None:
            return False
        self.busy, self.next, self.recorded = self.next, None, False
        self.text = "Fetching."
        self.hurry.clear()
        self.cancelled = None
        self.ended = asyncio.Event()
        return True

    def cancel(self, why: GitdeployError) -> None:
        """Give up what is `busy`, unless it is a deployment already."""
        self.cancelled = why
        if self.fetching is not None:
            self.fetching.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchWork:
    """What a fetch works with.

    `remember` keeps which deployment an id became (app, id, deployment's id); `save` writes down
    what is accepted and not a deployment's row yet. `stopping` is set when the server ends.
    """

    services: Services
    statuses: CommitStatuses
    remember: Callable[[str, str, str], Awaitable[None]]
    save: Callable[[], Awaitable[None]]
    stopping: asyncio.Event

    async def run(self, app: str, line: Line) -> None:
        """Fetch what is `busy` and deploy it, or record why not."""
        services, wanted = self.services, line.busy
        log, begins = await open_log(services, app, wanted)
        self.statuses.report(app, wanted, wanted.commit, "pending", "Fetching.")
        error: GitdeployError
        try:
            line.fetching = asyncio.create_task(self._fetch(app, line, log), name=f"fetch {app}")
            result = await line.fetching
        except asyncio.CancelledError:
            if line.cancelled is None:
                raise
            error = line.cancelled
        except Interrupted:
            if self.stopping.is_set():
                return  # it goes on at the next start
            if line.next is None:  # whoever was in a hurry couldn't be written down
                line.hurry.clear()
                await self.run(app, line)
                return
            if line.next.key == wanted.key:
                return  # it goes on at once as the next one
            by = line.next.key
            tell_superseded(services, app, wanted, by)
            if (
                wanted.commit is None
            ):  # its id leads to the newer one; the app's events have its tries
                log.debug("fetch.moved", to=by)
                await drop_log(services, app, wanted.id)
                await self.remember(app, wanted.id, by)
                return
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
            self.statuses.report(app, wanted, wanted.commit, "failure", error.what)

    async def _fetch(self, app: str, line: Line, log: Log) -> FetchResult:
        services, wanted = self.services, line.busy

        async def once() -> FetchResult:
            line.text = "Fetching."
            repository = services.repositories.open(app)
            reach = reach_of(services, app)
            return await fetch(repository, wanted.url, wanted.branch, reach=reach, log=log)

        def wait(text: str) -> None:
            line.text = text

        return await with_patience(
            once,
            retries=services.options.fetch_retries,
            clock=services.clock,
            hurry=line.hurry,
            log=log,
            waiting=wait,
        )

    async def _deploy(self, app: str, line: Line, result: FetchResult, begins: int) -> None:
        """Deploy what was fetched and wait for its end."""
        services, wanted = self.services, line.busy
        log = services.events.app_log(app)
        services.upkeep.consider(app)
        commit = result.new
        try:
            await self._adopt(app, result)
            await services.store.origins.remember(app, without_credentials(wanted.url))
            if wanted.key != commit:
                await move_log(services, app, wanted, commit, after=begins)
                await self._came_later(app, wanted, commit)
            if line.cancelled is not None:
                raise line.cancelled
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
            await self.save()
            if wanted.commit != commit:
                self.statuses.report(app, wanted, commit, "pending", "Deploying.")
            ended = await services.deployer.wait(app, deployment.id, deployment.attempt)
            if ended.status == "success":
                self.statuses.report(app, wanted, commit, "success", "Deployed.")
            else:
                self.statuses.report(app, wanted, commit, "failure", ended.status_text)
        except GitdeployError as error:
            if self.stopping.is_set() and not line.recorded:
                return
            log.warning("fetch.not_deployed", commit=commit, what=error.what, fix=error.fix)
            if not line.recorded:
                await record_failure(services, app, replace(wanted, commit=commit), error)
            self.statuses.report(app, wanted, commit, "failure", error.what)
        except Exception:
            log.exception("fetch.not_deployed", commit=commit, what="the server failed")
            self.statuses.report(app, wanted, commit, "failure", "gitdeploy itself failed.")

    async def _came_later(self, app: str, wanted: Wanted, commit: str) -> None:
        """The id that the sender was given isn't the deployment's: the branch stands elsewhere."""
        if wanted.commit is None:
            await self.remember(app, wanted.id, commit)
            return
        services = self.services
        tell_superseded(services, app, wanted, commit)
        error = GitdeployError(superseded_text(commit), "Look at that one.")
        self.statuses.report(app, wanted, wanted.commit, "failure", error.what)
        if await services.store.deployments.get(app, wanted.commit) is None:
            await record_failure(services, app, wanted, error)

    async def _adopt(self, app: str, result: FetchResult) -> None:
        """The first branch that comes in becomes the deployment branch, as with a push."""
        services = self.services
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


def reach_of(services: Services, app: str) -> Reach:
    """What an app may be fetched from, by the options as they are now."""
    options, home = services.options, services.home
    return Reach(
        allow_private=options.allow_private_fetch,
        ssh=SshFiles(DeployKey(home.app(app).ssh).private, home.known_hosts),
        file_outside=home.root if options.allow_file_fetch else None,
    )
