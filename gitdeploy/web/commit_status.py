"""Tell the host that a commit was fetched from what became of it, where the app has a token for it.

In the background, one after the other for an app, tried again for some minutes. A status that can't
be told is an event and fails nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from gitdeploy.errors import GitdeployError
from gitdeploy.net import Outcome, send
from gitdeploy.web.services import Services
from gitdeploy.web.statuses import State, Status, status_request
from gitdeploy.web.wanted import Wanted

_DELAYS = (2.0, 10.0, 30.0, 120.0)  # seconds before each further try
_MOST = 20  # commits of an app that wait to be told


@dataclass(slots=True, eq=False)
class _Box:
    """What an app has to tell, the newest state of each commit, and who tells it."""

    waiting: dict[str, Status] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class CommitStatuses:
    """Owns what isn't told yet; it isn't kept beyond the server's end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._boxes: dict[str, _Box] = {}
        self._stopping = asyncio.Event()

    def report(self, app: str, wanted: Wanted, commit: str | None, state: State, text: str) -> None:
        """Tell it soon; a state that wasn't told yet is replaced. Never raises, never waits."""
        if commit is None:
            return
        link = f"{wanted.page}deployments/{commit}/log" if wanted.page else ""
        status = Status(
            app=app,
            commit=commit,
            state=state,
            text=text,
            link=link,
            url=wanted.url,
            sender=wanted.sender,
        )
        box = self._boxes.setdefault(app, _Box())
        box.waiting.pop(commit, None)
        box.waiting[commit] = status
        if len(box.waiting) > _MOST:
            oldest = box.waiting.pop(next(iter(box.waiting)))
            self._failed(oldest, "Too many statuses wait to be told.", "")
        if box.task is None:
            box.task = self._services.background.start(self._work(app, box))

    def stop(self) -> None:
        """From now on each status gets one try."""
        self._stopping.set()

    def forget(self, app: str) -> None:
        """The app is being deleted."""
        box = self._boxes.pop(app, None)
        if box is not None and box.task is not None:
            box.task.cancel()

    async def _work(self, app: str, box: _Box) -> None:
        while box.waiting:
            commit = next(iter(box.waiting))
            try:
                await self._tell(box, box.waiting.pop(commit))
            except Exception:
                self._services.events.app_log(app).exception("status.failed", commit=commit)
        if self._boxes.get(app) is box:
            del self._boxes[app]

    async def _tell(self, box: _Box, status: Status) -> None:
        """Try until it is told, refused, or a newer one has come for the commit."""
        services = self._services
        for number in range(len(_DELAYS) + 1):
            app = await services.store.apps.get(status.app)
            if app is None or app.status_token is None:
                return
            try:
                request = status_request(status, token=app.status_token, base=app.status_url)
            except GitdeployError as error:
                self._failed(status, error.what, error.fix)
                return
            outcome = await send(request, allow_private=services.options.allow_private_hooks)
            if outcome.ok or _told_before(outcome):
                services.events.app_log(status.app).info(
                    "status.sent", commit=status.commit, state=status.state, url=outcome.url
                )
                return
            last = number == len(_DELAYS) or self._stopping.is_set()
            if last or not _temporary(outcome):
                self._failed(status, *_why(outcome))
                return
            await self._pause(_DELAYS[number])
            if status.commit in box.waiting:
                return

    async def _pause(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._services.clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, stopping):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _failed(self, status: Status, what: str, fix: str) -> None:
        self._services.events.app_log(status.app).warning(
            "status.failed", commit=status.commit, state=status.state, what=what, fix=fix or None
        )


def _temporary(outcome: Outcome) -> bool:
    if outcome.refused:
        return False
    return outcome.error is not None or (outcome.status or 0) >= 500 or outcome.status == 429


def _told_before(outcome: Outcome) -> bool:
    """GitLab refuses a state that a commit has already."""
    return outcome.status == 400 and b"Cannot transition status" in outcome.body


def _why(outcome: Outcome) -> tuple[str, str]:
    if outcome.error is not None:
        return outcome.error, "Is status_url right?"
    fix = "Does the repository exist there?"
    if outcome.status in (401, 403):
        fix = "May the app's status_token write commit statuses there?"
    return f"{outcome.url} answers {outcome.status}.", fix
