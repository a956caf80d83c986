"""A stage for each test; whatever a test leaves running is stopped behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.supervise.stage import Stage


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
        await stage.close(stop_jobs=stop_jobs)

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
