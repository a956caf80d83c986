"""The journal: ids that stay, readers that are woken, files that end well after a crash."""

from __future__ import annotations

import asyncio
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
