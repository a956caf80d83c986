"""Reading an execution: order, cursors, tails, following, holes and truncation."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.logs import (
    OutputBlock,
    OutputLine,
    Watcher,
    read_execution,
    read_execution_blocks,
    read_raw,
)
from gitdeploy.logs import trim as trimming
from tests.support import eventually


async def collect(batches: AsyncIterator[list[OutputLine]]) -> list[OutputLine]:
    return [line async for batch in batches for line in batch]


def text_of(blocks: list[OutputBlock]) -> bytes:
    """What who copies the text sends."""
    return b"".join(block.lines if block.cut else block.lines + b"\n" for block in blocks)


async def each(batches: AsyncIterator[list[OutputBlock]]) -> list[OutputLine]:
    """The lines in the blocks."""
    return [line async for batch in batches for block in batch for line in block.each()]


def texts(lines: list[OutputLine]) -> list[bytes]:
    return [line.line for line in lines]


async def test_both_streams_come_in_the_order_of_their_times(watcher, execution) -> None:
    execution.at(100, b"one\n")
    execution.at(200, b"two\n", "stderr")
    execution.at(300, b"three\nfour\n")
    execution.at(400, b"five\n", "stderr")
    execution.end()
    lines = await collect(read_execution(watcher, execution.directory))
    assert [(line.stream, line.ts, line.line) for line in lines] == [
        ("stdout", 100, b"one"),
        ("stderr", 200, b"two"),
        ("stdout", 300, b"three"),
        ("stdout", 300, b"four"),
        ("stderr", 400, b"five"),
    ]
    assert lines[1].cursor == "o4.e4"
    assert {line.execution for line in lines} == {"execution"}


async def test_output_without_an_entry_has_the_time_of_its_file(watcher, execution) -> None:
    execution.write(b"one\n")
    mtime = (execution.directory / "stdout").stat().st_mtime_ns // 1000
    lines = await collect(read_execution(watcher, execution.directory))
    assert [line.ts for line in lines] == [mtime]


WRITES = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr"]),
        st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"\r\n", b"\xff"]), max_size=6).map(
            b"".join
        ),
        st.booleans(),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(WRITES, st.integers(0, 40))
async def test_resuming_from_any_cursor_gives_exactly_the_rest(writes, number: int) -> None:
    from tests.unit.logs.conftest import Execution

    with tempfile.TemporaryDirectory() as folder:
        execution = Execution(Path(folder) / "e")
        for time, (stream, data, stamped) in enumerate(writes, 1):
            execution.write(data, stream)
            if stamped:
                execution.stamp(time, stream)
        execution.end()
        whole = await collect(read_execution(NO_WATCHER, execution.directory))
        for stream in ("stdout", "stderr"):
            path = execution.directory / stream
            written = path.read_bytes() if path.exists() else b""
            seen = b"".join(line.line + b"\n" for line in whole if line.stream == stream)
            assert seen in (written, written + b"\n")
        if number < len(whole):
            after = whole[number].cursor
            rest = await collect(read_execution(NO_WATCHER, execution.directory, after=after))
            assert rest == whole[number + 1 :]
            tail = await collect(read_execution(NO_WATCHER, execution.directory, tail=number))
            assert tail == (whole[-number:] if number else [])
        assert [line.ts for line in whole] == sorted(line.ts for line in whole)
        assert await each(read_execution_blocks(NO_WATCHER, execution.directory)) == whole
        for tail in (0, 1, number):
            blocks = read_execution_blocks(NO_WATCHER, execution.directory, tail=tail)
            assert await each(blocks) == (whole[-tail:] if tail else [])


async def test_a_follower_sees_each_line_and_ends_with_the_execution(watcher, execution) -> None:
    seen: list[bytes] = []

    async def follow() -> None:
        async for batch in read_execution(watcher, execution.directory, follow=True):
            seen.extend(texts(batch))

    following = asyncio.create_task(follow())
    for n in range(3):
        execution.write(b"line %d\n" % n)
        await eventually(lambda n=n: len(seen) == n + 1)
    execution.write(b"no newline")
    execution.end()
    await asyncio.wait_for(following, 20)
    assert seen == [b"line 0", b"line 1", b"line 2", b"no newline"]


async def test_a_concurrent_writer_s_every_byte_is_seen_in_order(watcher, execution) -> None:
    watcher.watch(execution.directory)
    chance = random.Random(7)
    alphabet = [b"x" * n for n in (1, 3, 50, 700)] + [b"\n"] * 3 + [b"\r", b"\xfe"]
    written = {"stdout": b"", "stderr": b""}

    async def write() -> None:
        for _ in range(400):
            stream = chance.choice(["stdout", "stderr"])
            data = b"".join(chance.choices(alphabet, k=chance.choice([1, 5, 200])))
            written[stream] += data
            execution.write(data, stream)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() / 200)
        execution.end()
        watcher.unwatch(execution.directory)

    reading = collect(read_execution(watcher, execution.directory, follow=True))
    lines, _ = await asyncio.gather(reading, write())
    for stream, data in written.items():
        ours = [line for line in lines if line.stream == stream]
        assert b"\n".join(texts(ours)) == data.removesuffix(b"\n")
        assert [line.ts for line in ours] == sorted(line.ts for line in ours)
    again = await collect(read_execution(watcher, execution.directory))
    assert sorted(texts(again)) == sorted(texts(lines))


async def test_blocks_hold_many_lines_and_follow_a_tail(watcher, execution) -> None:
    execution.write(b"line\n" * 10_000 + b"begun")
    seen: list[OutputBlock] = []

    async def follow() -> None:
        async for batch in read_execution_blocks(watcher, execution.directory, follow=True, tail=2):
            seen.extend(batch)

    following = asyncio.create_task(follow())
    await eventually(lambda: text_of(seen) == b"line\nline\n")
    execution.write(b" line\n" + b"more\n" * 1000)
    execution.write(b"z" * (3 << 20) + b"\nlast")
    execution.end()
    await asyncio.wait_for(following, 20)
    more = b"begun line\n" + b"more\n" * 1000 + b"z" * (3 << 20) + b"\nlast\n"
    assert text_of(seen) == b"line\nline\n" + more
    assert len(seen) < 100


async def test_batches_are_bounded(watcher, execution) -> None:
    execution.write(b"x\n" * 4500 + (b"y" * 400_000 + b"\n") * 4)
    execution.end()
    batches = [b async for b in read_execution(watcher, execution.directory)]
    assert [len(b) for b in batches[:2]] == [2000, 2000]
    assert all(sum(len(line.line) for line in b) <= 1 << 20 for b in batches)
    assert sum(len(b) for b in batches) == 4504


async def test_the_tail_goes_on_live(watcher, execution) -> None:
    execution.write(b"".join(b"%d\n" % n for n in range(50_000)))
    lines: list[bytes] = []

    async def follow() -> None:
        async for batch in read_execution(watcher, execution.directory, follow=True, tail=2):
            lines.extend(texts(batch))

    following = asyncio.create_task(follow())
    await eventually(lambda: len(lines) == 2)
    execution.write(b"new\n")
    execution.end()
    await asyncio.wait_for(following, 20)
    assert lines == [b"49998", b"49999", b"new"]


async def test_what_was_trimmed_is_passed_over_even_by_a_reader_behind(watcher, execution) -> None:
    execution.write(b"".join(b"%07d\n" % n for n in range(100_000)))
    reading = read_execution(watcher, execution.directory)
    first = await anext(reading)
    try:
        note = trimming.trim(execution.directory / "stdout", 8 * 1000)
    except OSError as error:
        assert trimming.unsupported(error)
        pytest.skip("this file system can't punch holes")
    assert note is not None
    rest = await collect(reading)
    numbers = [int(line) for line in texts(first + rest)]
    assert numbers == sorted(numbers)
    assert numbers[-1000:] == list(range(99_000, 100_000))
    fresh = await collect(read_execution(watcher, execution.directory))
    assert [int(line) for line in texts(fresh)] == list(range(99_000, 100_000))
    raw = b"".join([data async for data in read_raw(watcher, execution.directory, "stdout")])
    assert raw == b"".join(b"%07d\n" % n for n in range(99_000, 100_000))


async def test_a_truncated_stream_is_read_anew(watcher, execution) -> None:
    execution.write(b"one\ntwo\nthree\n")
    reading = read_execution(watcher, execution.directory, follow=True)
    assert texts(await anext(reading)) == [b"one", b"two", b"three"]
    (execution.directory / "stdout").write_bytes(b"four\n")
    execution.end()
    assert texts(await collect(reading)) == [b"four"]


async def test_raw_bytes_are_untouched(watcher, execution) -> None:
    data = bytes(range(256)) * 4000
    execution.write(data, "stderr")
    chunks = [c async for c in read_raw(watcher, execution.directory, "stderr")]
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= 1 << 18


async def test_raw_follows_to_the_end(watcher, execution) -> None:
    async def write() -> None:
        execution.write(b"a")
        await asyncio.sleep(0.01)
        execution.write(b"b\nc")
        execution.end()

    async def read() -> bytes:
        reading = read_raw(watcher, execution.directory, "stdout", follow=True)
        return b"".join([data async for data in reading])

    got, _ = await asyncio.gather(asyncio.wait_for(read(), 20), write())
    assert got == b"ab\nc"


async def test_a_bad_cursor_is_refused_and_a_missing_execution_not_found(
    watcher, execution, tmp_path
) -> None:
    for bad in ("o1", "o1.e2x", "o-1.e0", "o1.e99999999999999999999"):
        with pytest.raises(Invalid):
            await anext(read_execution(watcher, execution.directory, after=bad))
    with pytest.raises(NotFound):
        await anext(read_execution(watcher, tmp_path / "none"))
    with pytest.raises(NotFound):
        await anext(read_raw(watcher, tmp_path / "none", "stdout"))


async def test_a_reader_that_leaves_lets_go_of_its_files(watcher, execution) -> None:
    import os

    execution.write(b"one\n")
    before = len(os.listdir("/proc/self/fd"))
    reading = read_execution(watcher, execution.directory, follow=True)
    await anext(reading)
    assert len(os.listdir("/proc/self/fd")) > before
    await reading.aclose()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_closing_the_watcher_ends_its_followers(logs, execution) -> None:
    watcher = Watcher(logs.log)
    await watcher.start()
    reading = asyncio.create_task(
        collect(read_execution(watcher, execution.directory, follow=True))
    )
    await asyncio.sleep(0.02)
    await watcher.close()
    assert await asyncio.wait_for(reading, 20) == []


NO_WATCHER: Watcher = Watcher.__new__(Watcher)  # not following needs none
