"""What the store is told of an attempt's state, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.progress import Progress
from gitdeploy.store import Deployment, Store
from tests.support import eventually

ID = "a" * 40


@pytest.fixture
async def store(tmp_path: Path):
    store = Store(tmp_path / "db")
    store.open()
    await store.apps.create("shop", at=1)
    await store.deployments.begin(
        Deployment(
            app="shop",
            id=ID,
            attempt=1,
            status="pending",
            received_at=5,
            instance="i",
            trigger="push",
        )
    )
    yield store
    store.close()


async def status(store: Store) -> str:
    row = await store.deployments.get("shop", ID)
    assert row is not None
    return row.status


async def test_a_state_that_is_over_at_once_is_not_written(store: Store) -> None:
    progress = Progress(store, "shop", ID)
    progress.started_at = 7
    await progress.entering("checkout")
    await progress.entering("activate")
    await progress.settle()
    assert progress.status == "deploying"
    assert progress.noted == await status(store) == "pending"
    assert progress.unnoted() == {"started_at": 7}


async def test_a_state_that_lasts_is_written_with_the_start_and_the_step(store: Store) -> None:
    progress = Progress(store, "shop", ID)
    progress.started_at = 7
    await progress.entering("checkout")

    async def written() -> bool:
        return await status(store) == "building"

    await eventually(written)
    row = await store.deployments.get("shop", ID)
    assert row is not None
    assert (row.started_at, row.progress) == (7, "checkout")
    await progress.settle()
    assert progress.unnoted() == {}


async def test_a_state_that_somebody_else_changed_ends_the_attempt(store: Store) -> None:
    progress = Progress(store, "shop", ID)
    await progress.entering("checkout")
    await store.deployments.advance("shop", ID, "pending", "failed")

    async def noted() -> bool:
        return progress.noted == "building"

    await eventually(noted)
    with pytest.raises(DeployError, match="isn't pending any more"):
        await progress.settle()
