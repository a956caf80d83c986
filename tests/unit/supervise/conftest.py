"""A clock that only moves when a test says so, and jobs as data."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.jobs.job import Job, JobSettings
from gitdeploy.store import Release
from gitdeploy.supervise.context import Desired


class ManualClock:
    """Wall and monotonic time that `advance` moves; sleepers wake in order."""

    def __init__(self, now: int = 1_800_000_000_000_000) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self.idle: Callable[[], bool] = lambda: True
        """Whether all work is done that a step of time has caused; tests set it."""

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, future))
        await future

    @property
    def sleeping(self) -> list[float]:
        """Seconds that the sleepers still have to wait, shortest first."""
        return sorted(at - self._monotonic for at, _, f in self._sleepers if not f.done())

    def step(self, seconds: float) -> None:
        """Set the wall clock, as an operator or NTP would; nobody wakes."""
        self._now += round(seconds * 1e6)

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its own time."""
        end = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= end + 1e-9:
            at, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._move(max(at, self._monotonic))
            future.set_result(None)
            await self.settle()
        self._move(end)
        await self.settle()

    async def settle(self) -> None:
        """Let woken tasks and the store's writer thread do their work."""
        for _ in range(3):
            await asyncio.sleep(0)
        deadline = time.monotonic() + 20
        while not self.idle():
            assert time.monotonic() < deadline, "what the clock woke never came to rest"
            await asyncio.sleep(0.0005)

    def _move(self, to: float) -> None:
        self._now += round((to - self._monotonic) * 1e6)
        self._monotonic = to


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def job(kind: str = "continuous", name: str = "ticker", **changes: Any) -> Job:
    settings = changes.pop("settings", {})
    values: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "directory": f"App_Data/jobs/{kind}/{name}",
        "script": "run.py",
        "host": "python",
        "identity": "one",
        "settings": JobSettings(**settings),
        **changes,
    }
    return Job(**values)


def desired(*jobs: Job, number: int = 1, settings: dict[str, str] | None = None) -> Desired:
    return Desired(
        app="shop",
        release=Release(app="shop", number=number, deployment="d" * 40, created_at=0),
        root=Path("/nowhere"),
        jobs=jobs,
        settings=settings or {},
        environment=None,
    )


@pytest.fixture
def make_job() -> Callable[..., Job]:
    return job


@pytest.fixture
def make_desired() -> Callable[..., Desired]:
    return desired
