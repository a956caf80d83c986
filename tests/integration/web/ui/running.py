"""Runs for the pages' tests: real ones to their end, and a past as it is after a while."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from gitdeploy.app import Server
from gitdeploy.store import Execution
from tests.integration.web.conftest import Client
from tests.support import eventually

MINUTE = 60_000_000


async def ran(admin: Client, job: str, arguments: str = "", *, app: str = "shop") -> str:
    """Run a job to its end; the run's id."""
    address = f"/apps/{app}/api/triggeredwebjobs/{job}"
    started = await admin.ask("POST", f"{address}/run?arguments={arguments}")
    assert started.status == 202, started.text

    async def ended() -> str:
        latest = (await admin.get(address)).json["latest_run"]
        return str(latest["id"]) if latest and latest["end_time"] else ""

    return await eventually(ended, what=f"{job} has ended")


async def under_way(admin: Client, job: str, *, app: str = "shop") -> str:
    """Start a job that goes on; the run's id."""
    address = f"/apps/{app}/api/triggeredwebjobs/{job}"
    assert (await admin.ask("POST", f"{address}/run")).status == 202
    return str((await admin.get(address)).json["latest_run"]["id"])


async def past(server: Server, job: str, count: int, *, every: int = 5) -> list[str]:
    """So many runs that ended before now, minutes apart, every fifth of them failed; the ids, newest
    first."""
    ids = []
    now = time.time_ns() // 1000
    for number in range(1, count + 1):
        begun = now - number * every * MINUTE
        run = datetime.fromtimestamp(begun / 1e6, UTC).strftime("%Y%m%d%H%M%S%f")[:18]
        bad = number % 5 == 0
        await server.store.executions.add(
            Execution(
                app="shop",
                kind="triggered",
                job=job,
                id=run,
                status="failed" if bad else "success",
                instance="i",
                created_at=begun,
                started_at=begun,
                ended_at=begun + number * 1_000_000,
                exit_code=3 if bad else 0,
                trigger="Schedule - 0 */5 * * * *",
            )
        )
        ids.append(run)
    return ids
