"""`Deployer`: takes commits, deploys them one after the other per app, tells how it went."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy import push as pushes
from gitdeploy.deploy import recover
from gitdeploy.deploy.attempt import Attempt, cancelled_by
from gitdeploy.deploy.content import Kept, gone
from gitdeploy.deploy.context import Tools
from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.following import until
from gitdeploy.deploy.progress import Progress
from gitdeploy.deploy.releases import is_whole
from gitdeploy.deploy.source import CommitSource, Source
from gitdeploy.deploy.turns import Turns
from gitdeploy.errors import Conflict, NotFound
from gitdeploy.events import Entry, Events
from gitdeploy.events.journal import Record
from gitdeploy.home import Home
from gitdeploy.logs import Watcher
from gitdeploy.repos import CommitInfo, Push, Repositories
from gitdeploy.sandbox import Holders
from gitdeploy.store import App, Deployment, Store
from gitdeploy.supervise import Supervisor

Trigger = Literal["push", "fetch", "api", "zip", "publish", "vfs"]
END: frozenset[str] = frozenset({"deploy.succeeded", "deploy.failed"})


class Deployer:
    """One per server.

    `ui_url` gives the address of an app's page for the last line of a push; `environ` is the
    server's environment, of which builds get what builds/environment.py says.
    """

    def __init__(
        self,
        *,
        home: Home,
        store: Store,
        events: Events,
        clock: Clock,
        options: Options,
        repositories: Repositories,
        supervisor: Supervisor,
        holders: Holders,
        watcher: Watcher,
        instance: str,
        ui_url: Callable[[str], str],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.events = events
        self.repositories = repositories
        self.ui_url = ui_url
        self._home = home
        self._clock = clock
        self._holders = holders
        self._instance = instance
        self._tools = Tools(
            store=store,
            events=events,
            clock=clock,
            options=options,
            holders=holders,
            watcher=watcher,
            supervisor=supervisor,
            environ=os.environ if environ is None else environ,
        )
        self._turns = Turns(self._tools, ui_url)

    async def start(self) -> None:
        """Record the end of deployments that a crash cut off, and remove what they left."""
        await recover.end_cut_off(self.store, self.events, self._clock, self._instance)
        await recover.tidy(self.store, self._home, self._clock, self._holders)

    async def idle(self) -> None:
        """Wait until no deployment is under way or waits for its turn."""
        await self._turns.idle()

    async def close(self) -> None:
        """Cut off what is under way (it is recorded as failed) and wait until it has ended."""
        await self._turns.close()

    async def forget(self, app: str) -> None:
        """The app is being deleted: cut off its deployments."""
        await self._turns.forget(app)

    def post_receive(self, push: Push) -> AsyncIterator[str]:
        """Deploy what a push brought and tell the client; see push.py."""
        return pushes.post_receive(self, push)

    def busy(self, app: str) -> bool:
        """Whether a deployment of the app is under way or waits for its turn."""
        return self._turns.busy(app)

    async def deploy(
        self,
        app: str,
        commit: str,
        *,
        ref: str | None,
        trigger: Trigger,
        deployer: str,
        wait_turn: bool,
        clean: bool = False,
        note: str = "",
    ) -> Deployment:
        """Record a deployment of a commit and queue it; returns before it has begun.

        `commit` is anything that Repository.resolve takes. A commit whose release is still on
        the disk is activated again without a build, unless `clean`. One that waits for its turn
        already is joined. Raises NotFound (app or commit), Conflict where the app is locked, or
        busy while `wait_turn` is false. `note` is why it is deployed (again).
        """
        with self._turns.entering(app, wait_turn=wait_turn):
            return await self._enter(
                app, commit, ref=ref, trigger=trigger, deployer=deployer, clean=clean, note=note
            )

    async def deploy_content(
        self,
        app: str,
        content: Source,
        *,
        trigger: Trigger,
        deployer: str,
        wait_turn: bool,
        author: str = "",
        author_email: str = "",
        message: str = "",
    ) -> Deployment:
        """Record a deployment of something that no commit brings (content.py) and queue it.

        Its id is 40 hex digits made at random. `content` is closed when the deployment has
        ended, and where this raises: NotFound (app), Conflict as in `deploy`.
        """
        try:
            with self._turns.entering(app, wait_turn=wait_turn):
                await self._open(app)
                row = self._new(
                    app,
                    secrets.token_hex(20),
                    trigger=trigger,
                    author=author,
                    author_email=author_email,
                    deployer=deployer,
                    message=message,
                )
        except BaseException:
            content.close()
            raise
        return await self._begin(row, content, None, clean=True)

    async def redeploy(
        self, app: str, deployment: str, *, deployer: str, note: str = ""
    ) -> Deployment:
        """Bring a deployment whose content came without a commit into effect again.

        Raises NotFound where it isn't known or its files are gone, Conflict as in `deploy`.
        """
        with self._turns.entering(app, wait_turn=False):
            await self._open(app)
            known = await self._get(app, deployment)
            release = await self.store.releases.of_deployment(app, deployment)
            source = Kept(f"deployment {deployment[:10]}")
            if release is None or not is_whole(self._home.app(app), release.number):
                raise gone(source.name)
            row = self._new(
                app,
                deployment,
                trigger=known.trigger,
                author=known.author,
                author_email=known.author_email,
                deployer=deployer,
                message=known.message,
                note=note,
            )
            return await self._begin(row, source, None, clean=False)

    async def outcome(self, row: Deployment) -> Deployment:
        """The deployment once that attempt has ended well. Raises what made it fail."""
        running = self._turns.get(row.app, row.id)
        ended = await self.wait(row.app, row.id, row.attempt)
        if running is not None and running.row.attempt == row.attempt and running.error:
            raise running.error
        if ended.status == "failed":
            raise DeployError(ended.status_text)
        return ended

    async def cancel(self, app: str, deployment: str, *, who: str) -> Deployment:
        """End a deployment that hasn't ended; what came into effect meanwhile stays.

        Raises NotFound, Conflict where it had ended.
        """
        running = self._turns.get(app, deployment)
        if running is None:
            known = await self._get(app, deployment)
            raise Conflict(f"Deployment {known.id[:10]} has ended.", "Deploy another one.")
        await self._turns.cancel([running], cancelled_by(who))
        return await self._get(app, deployment)

    async def cancel_all(self, app: str, *, who: str) -> list[str]:
        """End all of an app's deployments that haven't ended; their ids."""
        running = self._turns.of(app)
        await self._turns.cancel(running, cancelled_by(who))
        return [attempt.row.id for attempt in running]

    async def wait(self, app: str, deployment: str, attempt: int) -> Deployment:
        """The deployment once that attempt has ended. Raises NotFound."""
        running = self._turns.get(app, deployment)
        if running is not None and running.row.attempt == attempt:
            await asyncio.shield(running.ended)
        return await self._get(app, deployment)

    async def follow(
        self, app: str, deployment: str, *, after: int | None = None
    ) -> AsyncGenerator[Entry, None]:
        """The log of the newest attempt from its beginning, or behind the entry `after`.

        Goes on until the attempt ends. Raises NotFound.
        """
        row = await self._get(app, deployment)
        running = self._turns.get(app, deployment)
        attempt = row.attempt if running is None else running.row.attempt
        position = row.log_from if after is None else after

        def is_end(record: Record) -> bool:
            return record["event"] in END and record.get("attempt") == attempt

        journal = self.events.deployment_journal(app, deployment)
        if running is not None:
            async with aclosing(journal.read(position, follow=True, until=is_end)) as live:
                async for entry in until(live, running.ended):
                    position = entry.id
                    yield entry
                    if is_end(entry.record):
                        return
        async for entry in journal.read(position, until=is_end):
            yield entry

    async def _enter(
        self,
        app: str,
        revision: str,
        *,
        ref: str | None,
        trigger: Trigger,
        deployer: str,
        clean: bool,
        note: str,
    ) -> Deployment:
        await self._open(app)
        repository = self.repositories.open(app)
        info = await asyncio.to_thread(lambda: repository.commit_info(repository.resolve(revision)))
        commit = info.id
        while (other := self._turns.get(app, commit)) is not None:
            if not other.begun and other.clean == clean:
                return other.row
            await asyncio.shield(other.ended)
        row = self._new(
            app,
            commit,
            trigger=trigger,
            commit_id=commit,
            ref=ref,
            author=info.author,
            author_email=info.author_email,
            deployer=deployer,
            message=info.message,
            note=note,
        )
        return await self._begin(row, CommitSource(repository, info), info, clean=clean)

    async def _open(self, app: str) -> None:
        """Raises NotFound, and Conflict where the app is locked."""
        known = await self.store.apps.get(app)
        if known is None:
            raise NotFound(f"There is no app {app}.")
        refuse_locked(known)

    def _new(self, app: str, deployment: str, **columns: Any) -> Deployment:
        return Deployment(
            app=app,
            id=deployment,
            attempt=1,
            status="pending",
            received_at=self._clock.now(),
            instance=self._instance,
            log_from=self.events.deployment_journal(app, deployment).end,
            **columns,
        )

    async def _begin(
        self, row: Deployment, source: Source, commit: CommitInfo | None, *, clean: bool
    ) -> Deployment:
        attempt = Attempt(
            row=row,
            source=source,
            commit=commit,
            paths=self._home.app(row.app),
            clean=clean,
            log=self.events.log,
            ended=asyncio.get_running_loop().create_future(),
            progress=Progress(self.store, row.app, row.id),
        )
        await self._turns.begin(attempt)
        return attempt.row

    async def _get(self, app: str, deployment: str) -> Deployment:
        row = await self.store.deployments.get(app, deployment)
        if row is None:
            raise NotFound(f"{app} has no deployment {deployment}.")
        return row


def refuse_locked(app: App) -> None:
    """Raises Conflict with the reason for which nothing is deployed to the app."""
    if app.locked is not None:
        raise Conflict(
            f"{app.name} is locked: {app.locked}",
            f'PATCH /api/apps/{app.name} with {{"locked": null}} unlocks it.',
        )
