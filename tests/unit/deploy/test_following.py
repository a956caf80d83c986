"""Reading a stream no longer than something lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from gitdeploy.deploy.following import until


async def numbers(count: int, closed: list[bool]) -> AsyncIterator[int]:
    try:
        for number in range(count):
            yield number
        await asyncio.Event().wait()
    finally:
        closed.append(True)


async def test_a_stream_that_waits_for_ever_ends_with_what_it_is_about():
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    closed: list[bool] = []
    got = []
    async for number in until(numbers(3, closed), ended):
        got.append(number)
        if number == 2:
            asyncio.get_running_loop().call_soon(ended.set_result, None)
    assert got == [0, 1, 2]
    assert closed == [True]


async def test_a_stream_that_ends_first_ends_the_reading():
    async def short() -> AsyncIterator[int]:
        yield 1

    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    assert [n async for n in until(short(), ended)] == [1]
