"""Work that outlives a request, and threads that outlive a cancellation."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gitdeploy.repos.tasks import Tasks
from gitdeploy.repos.threads import in_thread


async def test_closing_waits_for_what_ends_in_time_and_cancels_the_rest() -> None:
    tasks = Tasks()
    gate = asyncio.Event()
    ends = tasks.start(gate.wait(), "ends")
    stays = tasks.start(asyncio.Event().wait(), "stays")
    assert tasks.running == 2
    asyncio.get_running_loop().call_later(0.02, gate.set)
    await tasks.close(0.3)
    assert ends.result() is True
    assert stays.cancelled()
    assert tasks.running == 0


async def test_a_cancellation_waits_for_the_thread() -> None:
    begun, gate, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(10)
        done.set()

    task = asyncio.create_task(in_thread(work))
    while not begun.is_set():
        await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.sleep(0.02)
    task.cancel()
    assert not task.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_a_threads_result_and_its_error_come_back() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert await in_thread(lambda: 7) == 7
    with pytest.raises(KeyError):
        await in_thread(fail)
