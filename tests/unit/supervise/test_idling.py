"""Who falls asleep, and who is woken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gitdeploy.store import App
from gitdeploy.supervise.idling import IDLE_TIMEOUT, Idling
from tests.support import eventually
from tests.unit.supervise.conftest import ManualClock


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[str, bool]] = []
        self.idling = Idling(self.clock, self._change)
        self.clock.idle = self._at_rest

    def _at_rest(self) -> bool:
        """It waits for somebody's time to be over, or nobody's can be."""
        awake = [app for app in self.idling._limits if not self.idling.asleep(app)]
        return bool(self.clock.sleeping) or not awake

    async def _change(self, app: str, asleep: bool) -> None:
        self.told.append((app, asleep))

    async def pass_time(self, seconds: float) -> None:
        for _ in range(20):  # what the test has just said is taken up first
            await asyncio.sleep(0)
        await self.clock.advance(seconds)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    world.idling.start()
    await asyncio.sleep(0)
    yield world
    await world.idling.close()


def app(name: str = "shop", *, always_on: bool = False, after: float | None = None) -> App:
    return App(name=name, created_at=1, always_on=always_on, idle_timeout=after)


async def test_an_app_that_is_always_on_never_sleeps(world: World) -> None:
    world.idling.follow(app(always_on=True))
    await world.pass_time(365 * 86_400)
    assert world.told == []


async def test_twenty_minutes_without_a_request_put_an_app_to_sleep_once(world: World) -> None:
    world.idling.follow(app())
    await world.pass_time(IDLE_TIMEOUT - 1)
    assert world.told == []
    await world.pass_time(2)
    await eventually(lambda: world.told == [("shop", True)])
    await world.pass_time(10 * IDLE_TIMEOUT)
    assert world.told == [("shop", True)]
    assert world.idling.asleep("shop")


async def test_a_request_puts_it_off(world: World) -> None:
    world.idling.follow(app(after=60))
    for _ in range(10):
        await world.pass_time(50)
        assert not world.idling.asked("shop")
    assert world.told == []
    await world.pass_time(61)
    await eventually(lambda: world.told == [("shop", True)])


async def test_a_request_to_one_that_sleeps_wakes_it_once(world: World) -> None:
    world.idling.follow(app(after=60))
    await world.pass_time(61)
    await eventually(lambda: world.idling.asleep("shop"))
    assert world.idling.asked("shop")
    await asyncio.gather(*(world.idling.wake("shop") for _ in range(5)))
    assert world.told == [("shop", True), ("shop", False)]
    await world.pass_time(61)
    await eventually(lambda: world.told[-1] == ("shop", True))


async def test_always_on_wakes_one_that_sleeps(world: World) -> None:
    world.idling.follow(app(after=60))
    await world.pass_time(61)
    await eventually(lambda: world.idling.asleep("shop"))
    world.idling.follow(app(always_on=True))
    await eventually(lambda: world.told == [("shop", True), ("shop", False)])


async def test_each_app_has_its_own_time(world: World) -> None:
    world.idling.follow(app("early", after=60))
    world.idling.follow(app("late", after=600))
    await world.pass_time(61)
    await eventually(lambda: world.told == [("early", True)])
    world.idling.forget("early")
    await world.pass_time(600)
    await eventually(lambda: world.told == [("early", True), ("late", True)])
    assert not world.idling.asleep("early")


async def test_an_app_in_use_stays_awake_and_its_time_begins_behind_that(world: World) -> None:
    world.idling.follow(app(after=60))
    with world.idling.in_use("shop"):
        world.clock.idle = lambda: True
        await world.pass_time(600)
        assert world.told == []
    world.clock.idle = world._at_rest
    await world.pass_time(59)
    assert world.told == []
    await world.pass_time(2)
    await eventually(lambda: world.told == [("shop", True)])
