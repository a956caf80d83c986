"""`Services`: what the handlers work with, put together by app.py and carried by the application."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from gitdeploy.clock import Clock
from gitdeploy.config import Options
from gitdeploy.deploy import Deployer, JobUploads
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.logs import Watcher
from gitdeploy.repos import Repositories, Upkeep
from gitdeploy.sandbox import Holders
from gitdeploy.store import Store
from gitdeploy.supervise import Supervisor
from gitdeploy.web.background import Background
from gitdeploy.web.metrics import Metrics

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = frozenset({"sign-in", "sign-out"})  # pages of their own below /ui/


@dataclass(kw_only=True)
class Services:
    """One server's rooms.

    `admin_token` is the administrator's secret, from the options or `HOME/admin-token`.
    `delete_app` stops an app's jobs and removes all that it has; False where there is none.
    `draining` is set when the server stops taking work, so that /readyz says so.
    """

    options: Options
    home: Home
    clock: Clock
    events: Events
    store: Store
    repositories: Repositories
    upkeep: Upkeep
    deployer: Deployer
    supervisor: Supervisor
    uploads: JobUploads
    watcher: Watcher
    holders: Holders
    instance: str
    admin_token: str
    delete_app: Callable[[str], Awaitable[bool]]
    metrics: Metrics = field(default_factory=Metrics)
    background: Background = field(default_factory=Background)
    draining: bool = False
    _making: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def create_app(self, name: str) -> bool:
        """Make an app with its bare repository; False where it is there already.

        Raises Invalid for a bad name and Conflict while an app of that name is being deleted.
        """
        check_app_name(name)
        created = await self.store.apps.create(name, at=self.clock.now())
        if not created and await self.store.apps.get(name) is None:
            raise Conflict(f"The app {name} is being deleted.", "Try again in a moment.")
        async with self._making:
            try:
                self.repositories.open(name)
            except NotFound:  # a new app, or one whose making a crash has cut off
                await self.repositories.create(name)
        if created:
            self.events.app_log(name).info("app.created")
        return created


def check_app_name(name: str) -> None:
    """Raises Invalid where this can't be the name of an app."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise Invalid(
            f"{name!r} can't be the name of an app.",
            "Use 1 to 63 lower-case letters, digits and inner hyphens, not sign-in or sign-out.",
        )


SERVICES = web.AppKey("services", Services)


def services_of(request: web.Request) -> Services:
    """The services of the server that this request came to."""
    return request.app[SERVICES]
