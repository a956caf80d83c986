"""Fetch and deploy in the background, for webhooks: one at a time for an app, newest follow-up wins.

What was accepted is in the store before the sender has its answer; the next start goes on with it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
from aiohttp import web

from gitdeploy.errors import GitdeployError
from gitdeploy.store import Deployment
from gitdeploy.web.commit_status import CommitStatuses
from gitdeploy.web.fetch_records import record_failure, record_superseded
from gitdeploy.web.fetch_work import FetchWork, Line
from gitdeploy.web.services import Services
from gitdeploy.web.wanted import Wanted, pending, without_credentials

__all__ = ["FETCHER", "Fetcher", "Wanted", "pending", "without_credentials"]

_decode = msgspec.json.Decoder(dict[str, list[Wanted]]).decode
_decode_became = msgspec.json.Decoder(dict[str, dict[str, str]]).decode
_MOST_STARTS = 3  # a fetch that takes the server down with it isn't tried for ever
_MOST_BECAME = 50  # of an app


class Fetcher:
    """Owns what is fetched for each app. Tasks run in the server's background."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._statuses = CommitStatuses(services)
        self._lines: dict[str, Line] = {}
        self._became: dict[str, dict[str, str]] = {}
        self._stopping = asyncio.Event()
        self._fact = f"fetches {services.instance}"
        self._fact_became = f"fetches became {services.instance}"
        self._fetching = FetchWork(
            services=services,
            statuses=self._statuses,
            remember=self._remember,
            save=self._save,
            stopping=self._stopping,
        )

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
                self._lines[app] = Line(again[0], again[-1] if len(again) > 1 else None)
        await self._save()
        for app, line in self._lines.items():
            line.task = services.background.start(self._work(app, line))

    async def stop(self) -> None:
        """Wait for no further try and begin nothing more; the next start goes on with it."""
        self._stopping.set()
        self._statuses.stop()
        for line in self._lines.values():
            if not line.recorded:  # this server ends in good order
                line.busy = replace(line.busy, starts=max(0, line.busy.starts - 1))
            line.hurry.set()
        await self._save_if_possible()

    async def cancel(self, app: str, deployment_id: str, *, who: str) -> bool:
        """Give up what is only fetched or waits; False where that id is nothing such.

        It is recorded as failed when this returns. Raises StoreError.
        """
        line = self._lines.get(app)
        if line is None:
            return False
        why = GitdeployError(f"Cancelled by {who}.", "Send the webhook again to have it deployed.")
        if line.next is not None and line.next.key == deployment_id:
            wanted, line.next = line.next, None
            await self._save()
            await record_failure(self._services, app, wanted, why)
            return True
        if line.recorded or line.busy.key != deployment_id:
            return False
        ended = line.ended
        line.cancel(why)
        await ended.wait()
        return True

    async def forget(self, app: str) -> None:
        """The app is being deleted: give up what is under way for it."""
        line = self._lines.pop(app, None)
        self._became.pop(app, None)
        self._statuses.forget(app)
        if line is not None and line.task is not None:
            line.task.cancel()
            await asyncio.wait({line.task})
            await self._save_if_possible()

    async def submit(self, app: str, wanted: Wanted) -> bool:
        """Begin, or keep it as the one follow-up; False where it has to wait.

        On the disk when this returns. Raises StoreError, and nothing is done then.
        """
        line = self._lines.get(app)
        if line is None:
            at_once = not self._services.deployer.busy(app)
            line = self._lines[app] = Line(wanted)
            if self._stopping.is_set():
                line.hurry.set()
            try:
                await self._save()
            except GitdeployError:
                self._lines.pop(app, None)
                raise
            line.task = self._services.background.start(self._work(app, line))
            return at_once
        skipped, line.next = line.next, wanted
        line.hurry.set()  # now: once others had their turn it may be under way itself
        try:
            await self._save()
        except GitdeployError:
            if line.next is wanted:
                line.next = skipped
            raise
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

    async def _save_if_possible(self) -> None:
        """Where nobody waits for an answer; what stays written down is done once more."""
        try:
            await self._save()
        except GitdeployError as error:
            self._services.events.log.error("store.refused", what=error.what)

    async def _remember(self, app: str, pending_id: str, became: str) -> None:
        known = self._became.setdefault(app, {})
        known[pending_id] = became
        while len(known) > _MOST_BECAME:
            del known[next(iter(known))]
        text = msgspec.json.encode(self._became).decode()
        await self._services.store.remember(self._fact_became, text)

    async def _work(self, app: str, line: Line) -> None:
        while True:
            try:
                await self._fetching.run(app, line)
            except Exception:  # its end couldn't be recorded
                url = without_credentials(line.busy.url)
                self._services.events.app_log(app).exception("fetch.crashed", url=url)
            finally:
                line.ended.set()
            if self._stopping.is_set() or not line.advance():
                break
        if not self._stopping.is_set() and self._lines.get(app) is line:
            del self._lines[app]
            await self._save_if_possible()


FETCHER = web.AppKey("fetcher", Fetcher)
