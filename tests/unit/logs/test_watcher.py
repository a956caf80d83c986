"""The watcher: entries, wake-ups, bounded disk, and what it does where inotify fails."""

from __future__ import annotations

import asyncio
import errno
import threading
import time

import pytest

from gitdeploy.logs import Watcher, read_trimmed
from gitdeploy.logs import trim as trimming
from gitdeploy.logs import watcher as watching
from gitdeploy.logs.times import RECORD
from tests.support import eventually


def entries(execution) -> list[tuple[int, int, int]]:
    path = execution.directory / "times"
    return list(RECORD.iter_unpack(path.read_bytes())) if path.exists() else []


async def test_the_first_byte_of_each_stream_has_an_entry(watcher, execution) -> None:
    watcher.watch(execution.directory)
    execution.write(b"a")
    await eventually(lambda: len(entries(execution)) == 1)
    execution.write(b"bcd", "stderr")
    await eventually(lambda: len(entries(execution)) == 2)
    assert [(s, o) for s, o, _ in entries(execution)] == [(0, 1), (1, 3)]
    mtime = (execution.directory / "stderr").stat().st_mtime_ns // 1000
    assert mtime <= entries(execution)[1][2] <= mtime + 10_000


async def test_a_burst_costs_few_entries_and_the_last_byte_has_one(watcher, execution) -> None:
    watcher.watch(execution.directory)
    started = time.monotonic()
    with (execution.directory / "stdout").open("ab", buffering=0) as file:
        for n in range(3000):
            file.write(b"x" * 100 + b"\n")
            if n % 100 == 0:
                await asyncio.sleep(0.001)
    watcher.unwatch(execution.directory)
    found = entries(execution)
    assert len(found) < 70 + 20 * (time.monotonic() - started)
    assert found[-1][:2] == (0, 3000 * 101)


async def test_an_index_is_taken_up_where_an_earlier_server_left_it(watcher, execution) -> None:
    execution.at(1_000, b"one\n")
    execution.write(b"two\n")
    watcher.watch(execution.directory)
    await eventually(lambda: len(entries(execution)) == 2)
    assert [(s, o) for s, o, _ in entries(execution)] == [(0, 4), (0, 8)]


async def test_a_long_stream_is_trimmed_and_it_is_said_how_much(logs, execution) -> None:
    watcher = Watcher(logs.log, retention=200_000)
    await watcher.start()
    watcher.watch(execution.directory, app="demo", job="ticker")
    line = b"x" * 99 + b"\n"
    for _ in range(20):
        execution.write(line * 500)
        await asyncio.sleep(0.005)
    path = execution.directory / "stdout"
    await eventually(
        lambda: path.stat().st_size - read_trimmed(path).offset <= 200_000 + trimming.BLOCK
    )
    await watcher.close()
    note = read_trimmed(path)
    said = logs.records("log.trimmed")
    assert sum(int(str(record["lines"])) for record in said) == note.lines == note.bytes // 100
    assert said[-1]["app"] == "demo"
    assert path.stat().st_size == 1_000_000
    assert path.stat().st_blocks * 512 < 400_000
    assert all(offset > note.offset - 200_000 for _, offset, _ in entries(execution))


async def test_a_trim_that_is_under_way_at_the_end_is_finished_and_said(
    logs, execution, monkeypatch
) -> None:
    punch, started = trimming.punch, threading.Event()

    def slowly(fd: int, start: int, end: int) -> None:
        started.set()
        time.sleep(0.2)
        punch(fd, start, end)

    monkeypatch.setattr(trimming, "punch", slowly)
    watcher = Watcher(logs.log, retention=20_000)
    await watcher.start()
    watcher.watch(execution.directory)
    execution.write(b"x" * 99_999 + b"\n")
    execution.write(b"x\n" * 10_000)
    await eventually(started.is_set)
    await watcher.close()
    note = read_trimmed(execution.directory / "stdout")
    (said,) = logs.records("log.trimmed")
    assert (said["bytes"], said["lines"]) == (note.bytes, note.lines)
    assert note.lines > 1
    with (execution.directory / "stdout").open("rb") as file:
        assert file.read(4096) == bytes(4096)


async def test_a_file_system_without_holes_is_said_once(logs, execution, monkeypatch) -> None:
    def refuse(fd: int, start: int, end: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(trimming, "punch", refuse)
    watcher = Watcher(logs.log, retention=10_000)
    await watcher.start()
    watcher.watch(execution.directory)
    for _ in range(3):
        execution.write(b"x\n" * 20_000)
        await eventually(lambda: logs.records("log.trim_unsupported"))
        await asyncio.sleep(0.02)
    await watcher.close()
    assert len(logs.records("log.trim_unsupported")) == 1
    assert (execution.directory / "stdout").read_bytes() == b"x\n" * 60_000


async def test_a_trim_that_fails_is_not_tried_again_at_once(logs, execution, monkeypatch) -> None:
    tries = []

    def refuse(fd: int, start: int, end: int) -> None:
        tries.append(start)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(trimming, "punch", refuse)
    watcher = Watcher(logs.log, retention=10_000)
    await watcher.start()
    watcher.watch(execution.directory)
    execution.write(b"x\n" * 20_000)
    await eventually(lambda: logs.records("log.trim_failed"))
    await asyncio.sleep(0.3)
    await watcher.close()
    assert len(tries) == 1


async def test_a_truncated_stream_is_reported_with_the_cause(watcher, logs, execution) -> None:
    watcher.watch(execution.directory)
    execution.write(b"one two three\n")
    await eventually(lambda: entries(execution))
    (execution.directory / "stdout").write_bytes(b"new\n")
    await eventually(lambda: logs.records("log.truncated"))
    await eventually(lambda: [(s, o) for s, o, _ in entries(execution)] == [(0, 4)])
    assert ">&1" in str(logs.records("log.truncated")[0]["fix"])


async def test_without_inotify_it_looks_and_says_so_once(logs, execution, monkeypatch) -> None:
    def refuse(**options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(watching, "Inotify", refuse)
    watcher = Watcher(logs.log)
    await watcher.start()
    watcher.watch(execution.directory)
    execution.write(b"one\n")
    await eventually(lambda: entries(execution))
    await watcher.close()
    assert len(logs.records("log.polling")) == 1


async def test_past_the_limit_of_watches_it_looks_instead(logs, execution, monkeypatch) -> None:
    def refuse(self: object, path: object, mask: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(watching.Inotify, "add_watch", refuse)
    watcher = Watcher(logs.log)
    await watcher.start()
    with watcher.follow(execution.directory) as follower:
        follower.clear()
        execution.write(b"one\n")
        assert await asyncio.wait_for(follower.wait(), 20)
    await watcher.close()
    assert len(logs.records("log.polling")) == 1


async def test_a_directory_that_does_not_exist_yet_can_be_followed(watcher, tmp_path) -> None:
    with watcher.follow(tmp_path / "later") as follower:
        (tmp_path / "later").mkdir()
        for _ in range(50):
            follower.clear()
            if (tmp_path / "later" / "stdout").exists():
                break
            (tmp_path / "later" / "stdout").touch()
            assert await asyncio.wait_for(follower.wait(), 20)


async def test_nothing_is_kept_of_what_nobody_watches(watcher, execution) -> None:
    watcher.watch(execution.directory)
    with watcher.follow(execution.directory):
        watcher.unwatch(execution.directory)
        assert watcher._watched
    assert not watcher._watched
    assert not watcher._by_descriptor


@pytest.mark.parametrize("depth", ["apps/demo/executions/continuous/ticker/1"])
async def test_events_name_app_and_job_by_the_directory_s_place(logs, tmp_path, depth) -> None:
    from gitdeploy.logs.watcher import _named

    assert _named(tmp_path / depth) == {
        "app": "demo",
        "kind": "continuous",
        "job": "ticker",
        "run": "1",
    }
