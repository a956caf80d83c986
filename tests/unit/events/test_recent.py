"""What has happened lately: read from now on or behind an id, and told where something was missed."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events, Recent
from gitdeploy.home import Home


async def first(recent: Recent, after: str | None) -> list[tuple[str | None, str]]:
    """The app and the event of the next batch."""
    reading = recent.read(after)
    try:
        batch = await asyncio.wait_for(anext(reading), 5)
    finally:
        await reading.aclose()
    return [(one.app, one.record.get("event", "")) for one in batch]


async def test_what_came_behind_an_id_is_read_at_once() -> None:
    recent = Recent()
    recent.add("shop", {"event": "a"})
    after = recent.end
    recent.add("shop", {"event": "b"})
    recent.add("other", {"event": "c"})
    assert await first(recent, after) == [("shop", "b"), ("other", "c")]


async def test_without_an_id_only_what_is_still_to_come_is_read() -> None:
    recent = Recent()
    recent.add("shop", {"event": "a"})
    reading = recent.read()

    async def following() -> list[str]:
        return [one.record["event"] for one in await anext(reading)]

    task = asyncio.create_task(following())
    await asyncio.sleep(0)  # it has begun, and waits
    assert not task.done()
    recent.add("shop", {"event": "b"})
    assert await asyncio.wait_for(task, 5) == ["b"]
    await reading.aclose()


async def test_each_id_goes_on_behind_its_own_record() -> None:
    recent = Recent()
    start = recent.end
    for name in "abcd":
        recent.add("shop", {"event": name})
    reading = recent.read(start)
    ids = [one.id for one in await anext(reading)]
    await reading.aclose()
    assert len(set(ids)) == 4
    assert await first(recent, ids[1]) == [("shop", "c"), ("shop", "d")]
    assert ids[-1] == recent.end


async def test_an_id_that_is_too_old_or_of_another_run_is_told_that_something_was_missed() -> None:
    recent = Recent(most=3)
    old = recent.end
    for name in "abcde":
        recent.add("shop", {"event": name})
    for unknown in (old, Recent().end, "nonsense", f"{recent.end}9", ""):
        reading = recent.read(unknown)
        [missed] = await anext(reading)
        assert missed == (recent.end, None, {})
        recent.add("shop", {"event": "next"})
        assert [one.record["event"] for one in await anext(reading)] == ["next"]
        await reading.aclose()


async def test_of_all_that_is_told_what_is_about_an_app_is_recent(tmp_path: Path) -> None:
    events = Events(Home(tmp_path), SystemClock(), instance="1a2b3c", stderr=io.StringIO())
    start = events.recent.end
    events.log.info("server.ready")
    events.app_log("shop").debug("build.output", line="compiling")
    events.app_log("shop").info("job.started", job="ticker", token="gd_" + "x" * 43)
    events.log.info("app.deleted", name="other")
    reading = events.recent.read(start)
    found = await anext(reading)
    await reading.aclose()
    assert [(one.app, one.record["event"]) for one in found] == [
        ("shop", "job.started"),
        ("other", "app.deleted"),
    ]
    assert found[0].record["token"] == "***"
    events.close()
