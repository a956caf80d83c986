"""`/ui/-/instances/`: this server, how it is and what it runs."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from gitdeploy.web.auth import principal_of
from gitdeploy.web.health import running
from gitdeploy.web.route import Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.render import Crumb, render, show_of

STARTED = web.AppKey("started", int)
"""When this process began to serve, microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Loads over 1, 5, 15 minutes; the disk's bytes."""

    loads: tuple[float, float, float]
    processors: int
    disk_total: int
    disk_free: int


async def show(request: web.Request) -> web.Response:
    """The one instance that there is."""
    services, shown = services_of(request), show_of(request)
    principal = principal_of(request)
    apps = [app for app in await services.store.apps.all() if principal.knows(app.name)]
    return render(
        request,
        "instances.html",
        title=shown.words("instances.title"),
        crumbs=[Crumb(shown.words("instances.title"))],
        section="instances",
        level=services.holders.level,
        levels={str(level): str(found) for level, found in services.holders.report.items()},
        started=request.app[STARTED],
        machine=await asyncio.to_thread(_machine, services.home.root),
        running=await running(services),
        apps=len(apps),
    )


def _machine(home: Path) -> Machine:
    disk = shutil.disk_usage(home)
    return Machine(os.getloadavg(), len(os.sched_getaffinity(0)), disk.total, disk.free)


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/instances",
        handler=show,
        operation="page.instances",
        scope="page",
        summary="This server, how it is and what it runs.",
        tag="pages",
        answers=page("The page."),
    ),
)
