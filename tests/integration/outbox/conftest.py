"""A store, a receiver, and deliverers between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.events import Events, Redactor
from gitdeploy.home import Home
from gitdeploy.outbox import Deliverer, Published, Shown, Subject
from gitdeploy.store import Delivery, Hook, Store
from tests.receiver import Receiver, receiving


def view(hook: Hook, subject: Subject) -> Shown:
    """What is told, as a published body or as the row itself."""
    value: Any = subject
    if isinstance(subject, Published):
        value = msgspec.Raw(subject.body.encode())
    return Shown(kudu=value, data=value, page="http://x/ui/", source="http://x/apps/shop", path="")


class Stage:
    """A home with an app `shop`; `deliverer` is the one that works now, if one does."""

    def __init__(self, root: Path, receiver: Receiver) -> None:
        self.home = Home(root)
        self.receiver = receiver
        self.clock = SystemClock()
        self.options = Options(home=root, allow_private_hooks=True, hook_retry=0.02)
        self.deliverer: Deliverer | None = None
        self.records: list[dict[str, Any]] = []
        self.open()

    def open(self) -> None:
        self.store = Store(self.home.database)
        self.store.open()
        self.events = Events(self.home, self.clock, instance="i", redactor=Redactor([]))
        self.events.subscribe(lambda record: self.records.append(dict(record)))

    async def start(self) -> Deliverer:
        self.deliverer = Deliverer(
            store=self.store,
            events=self.events,
            clock=self.clock,
            options=self.options,
            view=view,
        )
        await self.deliverer.start()
        return self.deliverer

    async def stop(self, *, grace: float = 5) -> None:
        if self.deliverer is not None:
            await self.deliverer.close(grace=grace)
            self.deliverer = None

    async def close(self) -> None:
        await self.stop(grace=0.1)
        self.events.close()
        self.store.close()

    async def hook(self, name: str = "h", path: str | None = None, **changes: Any) -> Hook:
        values: dict[str, Any] = {
            "app": "shop",
            "id": name,
            "event": "Custom",
            "url": self.receiver.url(f"/{name}" if path is None else path),
            "way": "{}",
            "created_at": self.clock.now(),
            "who": "ada",
        }
        return await self.store.hooks.add(Hook(**{**values, **changes}), lambda hooks: None)

    async def publish(self, *bodies: str, event: str = "Custom", app: str = "shop") -> None:
        for body in bodies:
            await self.store.outbox.publish(app, event, body, at=self.clock.now())

    async def delivery(self, n: int = 1, hook: str = "h") -> Delivery:
        found = await self.store.outbox.get("shop", hook, n)
        assert found is not None
        return found

    def told(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as listening:
        yield listening


@pytest.fixture
async def stage(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Stage]:
    (tmp_path / "home" / "apps").mkdir(parents=True)
    stage = Stage(tmp_path / "home", receiver)
    await stage.store.apps.create("shop", at=1)
    yield stage
    await stage.close()
