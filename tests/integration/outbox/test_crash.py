"""A server that is killed at the worst moment: what happened is told, what didn't isn't."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from gitdeploy.store import Deployment
from tests.receiver import Receiver
from tests.support import eventually

ID = "d" * 40
DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from gitdeploy.store import Store

async def main(path, when):
    store = Store(Path(path))
    store.open()

    def work(c):
        c.execute("UPDATE deployments SET status = 'success', ended_at = 9")
        assert c.execute("SELECT count(*) FROM outbox").fetchone()[0] == 1
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)

    store.listen(lambda: os.kill(os.getpid(), signal.SIGKILL))
    await store.database.write(work)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("when", "told"), [("before", False), ("after", True)])
async def test_the_end_and_its_telling_are_on_the_disk_together_or_not_at_all(
    stage: Any, receiver: Receiver, when: str, told: bool
) -> None:
    await stage.hook(event="PostDeployment", path="/ended")
    await stage.hook("later", event="Custom")
    row = Deployment(
        app="shop",
        id=ID,
        attempt=1,
        status="pending",
        received_at=5,
        instance="i",
        trigger="push",
    )
    await stage.store.deployments.begin(row)
    await stage.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, str(stage.home.database), when
    )
    assert await asyncio.wait_for(process.wait(), 60) == -9
    stage.open()
    found = await stage.store.deployments.get("shop", ID)
    assert (found.status == "success") is told
    await stage.start()
    await stage.publish("1")
    await eventually(lambda: receiver.at("/later"), limit=60)
    await eventually(lambda: len(stage.told("hook.delivered")) == 1 + told, limit=60)
    assert [got.json["status"] for got in receiver.at("/ended")] == ["success"] * told
