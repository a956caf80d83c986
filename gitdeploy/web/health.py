"""`/healthz`, `/readyz`, `/metrics`: for load balancers, operators and Prometheus."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter

import msgspec
from aiohttp import web

from gitdeploy.errors import GitdeployError, Unavailable
from gitdeploy.web.answers import as_json, text
from gitdeploy.web.auth import identify
from gitdeploy.web.metrics import CONTENT_TYPE
from gitdeploy.web.route import TEXT, Answer, MiB, Route
from gitdeploy.web.services import Services, services_of

LEAST_FREE = 64 * MiB  # below this a push or a log can fill the disk at any moment


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ready for work; a stranger hears no more than that.

    With a token also `isolation`, the level at which jobs run, what was found at each level, the
    store's state, and the free bytes of the disk that the home is on.
    """

    status: str
    isolation: str = ""
    instance: str = ""
    levels: dict[str, str] = {}
    store: str = ""
    disk_free: int = -1


async def healthz(request: web.Request) -> web.Response:
    return text("ok")


async def readyz(request: web.Request) -> web.Response:
    services = services_of(request)
    principal = await identify(request)
    if services.draining:
        raise Unavailable("The server is stopping.", "Ask the one that follows it.")
    try:
        await services.store.fact("instance")
    except GitdeployError as error:
        raise Unavailable("The store can't be read.", "See the server's log.") from error
    free = (await asyncio.to_thread(shutil.disk_usage, services.home.root)).free
    if free < LEAST_FREE:
        raise Unavailable(
            "The server's disk is full.", f"Free {LEAST_FREE // MiB} MiB or more below its home."
        )
    if principal is None:
        return as_json(Ready(status="ready"))
    return as_json(
        Ready(
            status="ready",
            isolation=services.holders.level,
            instance=services.instance,
            levels={str(level): str(found) for level, found in services.holders.report.items()},
            store="ok",
            disk_free=free,
        )
    )


async def metrics(request: web.Request) -> web.Response:
    services = services_of(request)
    counts = await running(services)
    for kind in ("continuous", "triggered"):
        services.metrics.jobs_running.labels(kind).set(counts[kind])
    body = await asyncio.to_thread(services.metrics.page)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


async def running(services: Services) -> Counter[str]:
    """How many executions of each kind this instance holds open."""
    return Counter(open.kind for open in await services.store.executions.open(services.instance))


ROUTES = (
    Route(
        method="GET",
        path="/healthz",
        handler=healthz,
        operation="server.health",
        scope="open",
        summary="The server is alive.",
        tag="operations",
        answers={200: Answer("ok", str, (TEXT,))},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        operation="server.ready",
        scope="open",
        summary="The server takes work; more details with a token.",
        tag="operations",
        answers={200: Answer("Ready.", Ready), 503: Answer("Not ready, and why.")},
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        operation="server.metrics",
        scope="read",
        public="metrics_public",
        summary="Metrics in Prometheus' text format.",
        tag="operations",
        answers={200: Answer("Metrics.", str, (TEXT,))},
    ),
)
