"""A fetch is tried again, later each time, while it may still work."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events, Log
from gitdeploy.home import Home
from gitdeploy.repos import FetchError
from gitdeploy.web.patience import Interrupted, delay, with_patience


class Clock(SystemClock):
    """Sleeps without taking time, and knows how long; with `stuck` it sleeps for ever."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.stuck = False

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.stuck:
            await asyncio.Event().wait()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Events(Home(tmp_path), SystemClock(), instance="t", stderr=io.StringIO()).log


class Host:
    """Down for the first `down` calls."""

    def __init__(self, down: int, *, temporary: bool = True, after: float | None = None) -> None:
        self.down = down
        self.calls = 0
        self.error = FetchError("It is down.", "Wait.", temporary=temporary, after=after)

    async def ask(self) -> str:
        self.calls += 1
        if self.calls <= self.down:
            raise self.error
        return "here"


async def test_a_host_that_comes_back_is_asked_until_then(log: Log) -> None:
    clock, host, texts = Clock(), Host(3), []
    answer = await with_patience(
        host.ask,
        retries=6,
        clock=clock,
        hurry=asyncio.Event(),
        log=log,
        waiting=texts.append,
    )
    assert (answer, clock.slept) == ("here", [5.0, 10.0, 20.0])
    assert texts[-1] == "It is down. Tried 3 of 7 times."


async def test_it_gives_up_after_some_minutes_and_says_how_long_it_was(log: Log) -> None:
    clock, host = Clock(), Host(99)
    with pytest.raises(FetchError) as caught:
        await with_patience(host.ask, retries=6, clock=clock, hurry=asyncio.Event(), log=log)
    assert host.calls == 7
    assert caught.value.what == "It is down. It was tried 7 times in 315 s."
    assert caught.value.fix == "Wait."


@pytest.mark.parametrize(("temporary", "retries"), [(False, 6), (True, 0)])
async def test_what_waiting_does_not_mend_or_may_not_wait_is_tried_once(
    log: Log, temporary: bool, retries: int
) -> None:
    clock, host = Clock(), Host(99, temporary=temporary)
    with pytest.raises(FetchError, match=r"^It is down\. Wait\.$"):
        await with_patience(host.ask, retries=retries, clock=clock, hurry=asyncio.Event(), log=log)
    assert (host.calls, clock.slept) == (1, [])


async def test_somebody_in_a_hurry_ends_the_waiting(log: Log) -> None:
    clock, host, hurry = Clock(), Host(1), asyncio.Event()
    clock.stuck = True
    waiting = asyncio.create_task(
        with_patience(host.ask, retries=6, clock=clock, hurry=hurry, log=log)
    )
    while not clock.slept:
        await asyncio.sleep(0)
    assert not waiting.done()
    hurry.set()
    with pytest.raises(Interrupted):
        await waiting


def test_delays_grow_up_to_a_limit_and_heed_what_the_other_side_asks() -> None:
    assert [delay(n) for n in (1, 2, 3, 7, 50)] == [5, 10, 20, 300, 300]
    assert [delay(1, 60.0), delay(3, 1.0), delay(1, 1e9)] == [60, 20, 300]
