"""How far an attempt is, as the store says it: written down once it is worth looking at."""

from __future__ import annotations

import asyncio
from typing import Any

from gitdeploy.deploy.errors import DeployError
from gitdeploy.store import Store
from gitdeploy.store.deployments import DeploymentStatus

STATUS_OF_STEP: dict[str, DeploymentStatus] = {
    "checkout": "building",
    "activate": "deploying",
}
_UNNOTICED = 0.05
"""Seconds: a state that is over sooner isn't written, so that no pusher waits for the disk."""


class Progress:
    """The state of one attempt; `status` is where it is, `noted` what the store has."""

    def __init__(self, store: Store, app: str, deployment: str) -> None:
        self.status: DeploymentStatus = "pending"
        self.noted: DeploymentStatus = "pending"
        self.started_at: int | None = None
        self._store = store
        self._app = app
        self._deployment = deployment
        self._noting: asyncio.Task[None] | None = None

    async def entering(self, step: str) -> None:
        """A step begins. Raises DeployError where somebody else changed the recorded state."""
        status = STATUS_OF_STEP.get(step)
        if status is not None:
            await self.settle()
            self.status = status
            self._noting = asyncio.create_task(self._note(step))

    async def settle(self) -> None:
        """What isn't written yet needn't be any more; a write that began is waited for."""
        noting, self._noting = self._noting, None
        if noting is None:
            return
        if self.noted != self.status:
            noting.cancel()
        await asyncio.wait({noting})
        if not noting.cancelled():
            noting.result()

    def unnoted(self) -> dict[str, Any]:
        """Columns that the next record of the state has to bring."""
        if self.started_at is None or self.noted != "pending":
            return {}
        return {"started_at": self.started_at}

    async def _note(self, step: str) -> None:
        await asyncio.sleep(_UNNOTICED)
        columns = {"progress": step, **self.unnoted()}
        leave, self.noted = self.noted, self.status
        if not await self._store.deployments.advance(
            self._app, self._deployment, leave, self.noted, **columns
        ):
            raise DeployError(f"Deployment {self._deployment[:10]} isn't {leave} any more.")
