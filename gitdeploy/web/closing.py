"""The end of what came by HTTP: nothing new is taken, what is in flight ends or is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from gitdeploy.web.services import SERVICES

LAST_WORDS = 2.0
"""Seconds in which those who are cut off are told so."""


async def finish(
    runner: web.AppRunner,
    *,
    grace: float,
    cut_off: Callable[[], Awaitable[None]],
) -> None:
    """Give requests, the work behind them and deployments `grace` seconds to end.

    Then `cut_off` ends the deployments, so that a pusher who waits for one reads how it ended,
    and what still goes on after a moment is cancelled.
    """
    for site in list(runner.sites):
        await site.stop()
    ending = asyncio.create_task(_in_flight(runner, grace), name="finish requests")
    await asyncio.wait({ending}, timeout=grace)
    await cut_off()
    await asyncio.wait({ending}, timeout=LAST_WORDS)
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    await runner.app[SERVICES].background.close(grace=0.0)
    await runner.cleanup()


async def _in_flight(runner: web.AppRunner, grace: float) -> None:
    server, services = runner.server, runner.app[SERVICES]
    if server is not None:
        server.pre_shutdown()
        await runner.shutdown()
        await server.shutdown(grace)
    await services.background.idle()
    await services.deployer.idle()
