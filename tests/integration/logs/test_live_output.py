"""A real process writes into an execution's files; followers see it live, whole and in order."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.logs import OutputLine, Watcher, read_execution

END = b'{"exit_code":0,"ended_at":1}'


@pytest.fixture
async def watcher(tmp_path: Path) -> AsyncIterator[Watcher]:
    events = Events(Home(tmp_path / "home"), SystemClock(), instance="i1")
    watcher = Watcher(events.log, retention=256 << 20)
    await watcher.start()
    yield watcher
    await watcher.close()


async def run(directory: Path, *argv: str) -> asyncio.subprocess.Process:
    """Start a program as a job is started: the kernel appends what it writes."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    out, err = os.open(directory / "stdout", flags), os.open(directory / "stderr", flags)
    try:
        return await asyncio.create_subprocess_exec(*argv, stdout=out, stderr=err)
    finally:
        os.close(out)
        os.close(err)


def end(directory: Path) -> None:
    (directory / "end.tmp").write_bytes(END)
    (directory / "end.tmp").replace(directory / "end.json")


async def test_a_shell_s_lines_are_seen_live_in_the_order_they_were_written(
    watcher: Watcher, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    watcher.watch(directory)
    go = tmp_path / "go"
    script = f"""
        echo one; while [ ! -e {go}1 ]; do sleep 0.01; done
        echo two >&2; while [ ! -e {go}2 ]; do sleep 0.01; done
        printf three
    """
    process = await run(directory, "sh", "-c", script)
    lines: list[OutputLine] = []
    async with asyncio.timeout(60):
        async for batch in read_execution(watcher, directory, follow=True):
            lines.extend(batch)
            Path(f"{go}{len(lines)}").touch()  # the next line comes only once this one was seen
            if len(lines) == 2:
                assert await process.wait() == 0
                watcher.unwatch(directory)
                end(directory)
    assert [(line.stream, line.line) for line in lines] == [
        ("stdout", b"one"),
        ("stderr", b"two"),
        ("stdout", b"three"),
    ]
    assert [line.ts for line in lines] == sorted(line.ts for line in lines)
    assert abs(lines[0].ts / 1e6 - time.time()) < 60
    again = [line async for batch in read_execution(watcher, directory) for line in batch]
    assert [(a.stream, a.line, a.cursor) for a in again] == [
        (line.stream, line.line, line.cursor) for line in lines
    ]


async def test_of_a_burst_of_lines_none_is_lost_and_the_server_hardly_works(
    watcher: Watcher, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    watcher.watch(directory)
    writer = (
        "import os\n"
        "line = b'%06d' + b'x' * 93 + b'\\n'\n"
        "for n in range(200_000): os.write(1, line % n)\n"
        "t = os.times(); os.write(2, b'%f\\n' % (t.user + t.system))\n"
    )
    before = time.process_time()
    process = await run(directory, sys.executable, "-c", writer)
    assert await process.wait() == 0
    watcher.unwatch(directory)
    spent = time.process_time() - before
    end(directory)
    numbers: list[int] = []
    writers_cpu = 0.0
    async for batch in read_execution(watcher, directory):
        for line in batch:
            if line.stream == "stderr":
                writers_cpu = float(line.line)
            else:
                numbers.append(int(line.line[:6]))
    assert numbers == list(range(200_000))
    assert spent < writers_cpu
    assert (directory / "times").stat().st_size < 100 * 17


async def test_two_followers_and_one_that_stands_still_do_not_wait_for_each_other(
    watcher: Watcher, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    directory.mkdir()
    watcher.watch(directory)
    process = await run(directory, "sh", "-c", "seq 1 30000")
    still = read_execution(watcher, directory, follow=True)
    first = await anext(still)

    async def follow() -> list[bytes]:
        reading = read_execution(watcher, directory, follow=True)
        return [line.line async for batch in reading for line in batch]

    followers = asyncio.gather(follow(), follow())
    assert await process.wait() == 0
    end(directory)
    one, two = await asyncio.wait_for(followers, 60)
    assert one == two == [b"%d" % n for n in range(1, 30001)]
    rest = [line.line async for batch in still for line in batch]
    assert [line.line for line in first] + rest == one
