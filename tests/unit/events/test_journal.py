"""The journal: ids that stay, readers that are woken, files that end well after a crash."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.events import Journal
from tests.support import eventually


async def collect(journal: Journal, after: int = 0) -> list[dict]:
    return [entry.record async for entry in journal.read(after)]


async def test_records_come_back_in_order_and_resume_behind_any_id(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", segment_bytes=200, keep=100)
    ids = [journal.append({"n": n}) for n in range(100)]
    assert [r["n"] for r in await collect(journal)] == list(range(100))
    for n in (0, 1, 37, 98):
        assert [r["n"] for r in await collect(journal, ids[n])] == list(range(n + 1, 100))
    assert await collect(journal, ids[-1]) == []


async def test_an_id_that_was_never_given_goes_on_at_the_next_whole_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", segment_bytes=100, keep=100)
    for n in range(30):
        journal.append({"n": n})
    for forged in range(journal.end):
        numbers = [r["n"] for r in await collect(journal, forged)]
        assert numbers == list(range(30 - len(numbers), 30))


async def test_old_segments_are_removed_and_reading_starts_at_what_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", segment_bytes=100, keep=2)
    for n in range(200):
        journal.append({"n": n})
    assert len(list((tmp_path / "j").glob("*.ndjson"))) == 2
    numbers = [r["n"] for r in await collect(journal)]
    assert numbers[-1] == 199
    assert numbers == list(range(numbers[0], 200))
    assert [e.record["n"] for e in journal.tail(3)] == [197, 198, 199]


async def test_a_follower_gets_what_is_written_later_until_it_has_seen_the_end(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "j")
    seen: list[int] = []

    async def follow() -> None:
        async for entry in journal.read(follow=True, until=lambda r: r["n"] == 9):
            seen.append(entry.record["n"])

    task = asyncio.create_task(follow())
    for n in range(10):
        journal.append({"n": n})
        await eventually(lambda n=n: len(seen) == n + 1)
    await asyncio.wait_for(task, 5)
    assert journal.readers == 0


async def test_a_line_that_a_crash_cut_is_dropped_and_the_next_is_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append({"n": 1})
    journal.close()
    segment = next((tmp_path / "j").glob("*.ndjson"))
    segment.write_bytes(segment.read_bytes() + b'{"n": 2, "cut')
    again = Journal(tmp_path / "j")
    again.append({"n": 3})
    assert [r["n"] for r in await collect(again)] == [1, 3]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=60), st.integers(50, 2000))
def test_any_text_survives_whatever_the_size_of_segments(tmp_path_factory, texts, size) -> None:
    journal = Journal(tmp_path_factory.mktemp("j"), segment_bytes=size, keep=1000)
    for text in texts:
        journal.append({"text": text})
    journal.close()
    again = Journal(journal.directory)
    assert [r["text"] for r in asyncio.run(collect(again))] == texts


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """As a disk that is full: files of this process don't grow past `size` bytes (setrlimit(2))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_a_full_disk_doesnt_take_is_read_at_once_and_written_when_there_is_room(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path / "j")
    ids = [journal.append({"n": 0})]
    with no_file_beyond(12):
        ids += [journal.append({"n": n}) for n in range(1, 200)]
        assert not journal.whole
        assert [r["n"] for r in await collect(journal, ids[0])] == list(range(1, 200))
        assert [r["n"] for r in await collect(journal, ids[150])] == list(range(151, 200))
    journal.append({"n": 200})
    assert journal.whole
    assert [r["n"] for r in await collect(Journal(tmp_path / "j"))] == list(range(201))


async def test_more_than_fits_into_memory_is_dropped_and_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append({"n": 0})
    with no_file_beyond(12):
        for _ in range(30):
            journal.append({"text": "x" * 100_000})
    assert journal.dropped == 20
    journal.append({"n": 1})
    assert journal.whole
    assert len(await collect(Journal(tmp_path / "j"))) == 12


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 90), st.just("close")), max_size=30))
def test_wherever_the_disk_ends_no_record_is_lost_or_twice(tmp_path_factory, steps) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal(directory, segment_bytes=60, keep=1000)
    journal.append({"n": 0})
    count = 1
    for step in steps:
        if isinstance(step, int):
            with no_file_beyond(step):
                journal.append({"n": count})
            count += 1
        else:
            journal.close()
        assert [r["n"] for r in asyncio.run(collect(journal))] == list(range(count))
    journal.append({"n": count})
    assert [r["n"] for r in asyncio.run(collect(Journal(directory)))] == list(range(count + 1))
