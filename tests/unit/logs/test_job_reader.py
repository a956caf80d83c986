"""A job's output over its executions: in order, overlapping, resumed, live."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime
from gitdeploy.errors import Invalid
from gitdeploy.logs import OutputLine, read_execution, read_job, read_job_blocks
from tests.support import eventually
from tests.unit.logs.conftest import Execution
from tests.unit.logs.test_reader import NO_WATCHER, each

BASE = from_datetime(datetime(2026, 11, 23, 21, 20, 39, tzinfo=UTC))


def name(seconds: int) -> str:
    return f"202611232120{39 + seconds:02}0000"


def us(seconds: float) -> int:
    return BASE + int(seconds * 1e6)


async def collect(batches: AsyncIterator[list[OutputLine]]) -> list[OutputLine]:
    return [line async for batch in batches for line in batch]


async def test_executions_follow_each_other_and_overlapping_ones_mix(watcher, tmp_path) -> None:
    a, b, c = (Execution(tmp_path / name(s)) for s in (0, 2, 10))
    a.at(us(1), b"a1\n")
    a.at(us(5), b"a5\n")
    b.at(us(3), b"b3\n")
    b.at(us(6), b"b6\n", "stderr")
    c.at(us(11), b"c11\n")
    a.end(0, us(7))
    b.end(0, us(9))
    lines = await collect(read_job(watcher, tmp_path))
    assert [line.line for line in lines] == [b"a1", b"b3", b"a5", b"b6", b"c11"]
    assert await each(read_job_blocks(watcher, tmp_path)) == lines
    assert lines[0].cursor == f"{name(0)}:o3.e0"
    assert lines[1].cursor == f"{name(0)}:o3.e0,{name(2)}:o3.e0"
    assert lines[4].cursor.endswith(f"{name(10)}:o4.e0")


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["stdout", "stderr"]),
        st.sampled_from([b"x\n", b"y", b"z\n\n"]),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(EVENTS, st.sets(st.integers(0, 3)), st.integers(0, 40))
async def test_resuming_from_any_cursor_gives_exactly_the_rest(events, ended, number) -> None:
    with tempfile.TemporaryDirectory() as folder:
        executions = [Execution(Path(folder) / name(2 * n)) for n in range(4)]
        for time, (which, stream, data) in enumerate(events):
            executions[which].at(us(2 * which + 1 + time / 5), data, stream)
        for which in ended:
            executions[which].end(0, us(30))
        whole = await collect(read_job(NO_WATCHER, Path(folder)))
        assert len({line.cursor for line in whole}) == len(whole)
        assert await each(read_job_blocks(NO_WATCHER, Path(folder))) == whole
        if number < len(whole):
            rest = await collect(read_job(NO_WATCHER, Path(folder), after=whole[number].cursor))
            assert rest == whole[number + 1 :] or [
                (line.execution, line.stream, line.line) for line in rest
            ] == [(line.execution, line.stream, line.line) for line in whole[number + 1 :]]
            tail = await collect(read_job(NO_WATCHER, Path(folder), tail=number))
            shown = [(t.execution, t.stream, t.line) for t in tail]
            expected = whole[-number:] if number else []
            assert shown == [(t.execution, t.stream, t.line) for t in expected]


async def test_a_new_execution_is_picked_up_while_the_old_one_still_writes(
    watcher, tmp_path
) -> None:
    folder = tmp_path / "executions"
    seen: list[OutputLine] = []

    async def follow() -> None:
        async for batch in read_job(watcher, folder, follow=True):
            seen.extend(batch)

    following = asyncio.create_task(follow())
    old = Execution(folder / name(0))
    old.write(b"old 1\n")
    await eventually(lambda: len(seen) == 1)
    new = Execution(folder / name(1))
    new.write(b"new 1\n")
    await eventually(lambda: len(seen) == 2)
    old.write(b"old 2")
    old.end()
    await eventually(lambda: len(seen) == 3)
    new.write(b"new 2\n")
    await eventually(lambda: len(seen) == 4)
    assert [line.line for line in seen] == [b"old 1", b"new 1", b"old 2", b"new 2"]
    assert seen[-1].cursor == f"{name(1)}:o12.e0"
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_followers_end_when_what_they_follow_is_removed(watcher, tmp_path) -> None:
    folder = tmp_path / "executions"
    running = Execution(folder / name(0))
    running.write(b"one\n")
    job = asyncio.create_task(collect(read_job(watcher, folder, follow=True)))
    run = asyncio.create_task(collect(read_execution(watcher, running.directory, follow=True)))
    await asyncio.sleep(0.05)
    shutil.rmtree(folder)
    lines = await asyncio.wait_for(asyncio.gather(job, run), 20)
    assert [[line.line for line in each] for each in lines] == [[b"one"], [b"one"]]


async def test_the_place_survives_pruned_executions(watcher, tmp_path) -> None:
    Execution(tmp_path / name(3)).write(b"three\n")
    cursor = f"{name(0)}:o10.e0,{name(1)}:o5.e0"
    lines = await collect(read_job(watcher, tmp_path, after=cursor))
    assert [line.line for line in lines] == [b"three"]


async def test_a_job_that_never_ran_has_no_lines_and_a_bad_cursor_is_refused(
    watcher, tmp_path
) -> None:
    assert await collect(read_job(watcher, tmp_path / "none")) == []
    with pytest.raises(Invalid):
        await anext(read_job(watcher, tmp_path, after="../x:o1.e1"))
