"""A stage for each test; whatever a test leaves running is stopped behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.supervise.stage import Stage
from tests.unit.supervise.conftest import ManualClock


class Stages:
    """Makes stages; those that were not closed by the test are closed at its end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: list[Stage] = []

    async def __call__(self, **options: Any) -> Stage:
        stage = await Stage(self.root, **options).start()
        self._open.append(stage)
        return stage

    async def close(self, stage: Stage, *, stop_jobs: bool) -> None:
        self._open.remove(stage)
        closing = asyncio.ensure_future(stage.close(stop_jobs=stop_jobs))
        while isinstance(stage.clock, ManualClock) and not closing.done():
            await asyncio.wait({closing}, timeout=0.05)
            await stage.clock.advance(1)  # a process that was just started may need its time
        await closing

    async def close_all(self) -> None:
        for stage in list(self._open):
            await self.close(stage, stop_jobs=True)


@pytest.fixture
async def stages(tmp_path: Path) -> AsyncIterator[Stages]:
    made = Stages(tmp_path / "home")
    yield made
    await made.close_all()


@pytest.fixture
async def stage(stages: Stages) -> Stage:
    return await stages()
