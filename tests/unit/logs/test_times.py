"""The sparse index of times, read forward, mended, and kept small."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs.times import RECORD, TimeIndex, compact, entry, mend


def test_a_byte_has_the_time_of_the_first_entry_that_covers_it(tmp_path: Path) -> None:
    path = tmp_path / "times"
    path.write_bytes(entry(0, 10, 100) + entry(1, 5, 150) + entry(0, 20, 200))
    index = TimeIndex(path, (0, 0))
    index.refresh()
    assert index.at(0, 0) == (10, 100)
    assert index.at(0, 9) == (10, 100)
    assert index.at(0, 10) == (20, 200)
    assert index.at(1, 4) == (5, 150)
    assert index.at(1, 5) is None
    index.close()


def test_a_reader_sees_what_is_appended_and_a_rewritten_index(tmp_path: Path) -> None:
    path = tmp_path / "times"
    index = TimeIndex(path, (0, 0))
    index.refresh()
    assert index.at(0, 0) is None
    path.write_bytes(entry(0, 10, 100) + entry(0, 20, 200))
    index.refresh()
    assert index.at(0, 12) == (20, 200)
    compact(path, [10, 0])
    with path.open("ab") as file:
        file.write(entry(0, 30, 300))
    index.refresh()
    assert index.at(0, 15) == (20, 200)
    assert index.at(0, 25) == (30, 300)
    index.close()


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_a_resumed_reader_finds_its_place_in_a_long_index(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "times"
        streams = data.draw(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=1, max_size=60)) * 200
        sizes = [0, 0]
        records = []
        for time, stream in enumerate(streams, 1):
            sizes[stream] += 3
            records.append((stream, sizes[stream], time))
        path.write_bytes(b"".join(entry(*record) for record in records))
        starts = [data.draw(st.integers(0, size)) for size in sizes]
        index = TimeIndex(path, starts)
        index.refresh()
        for stream in (0, 1):
            expected = next(
                ((o, t) for s, o, t in records if s == stream and o > starts[stream]), None
            )
            assert index.at(stream, starts[stream]) == expected
        index.close()


def test_a_record_that_a_crash_cut_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "times"
    path.write_bytes(entry(1, 7, 70) + entry(0, 10, 100) + b"\x00\x01")
    assert mend(path) == [(10, 100), (7, 70)]
    assert path.stat().st_size == 2 * RECORD.size
    assert mend(tmp_path / "none") == [(0, 0), (0, 0)]


def test_a_long_index_is_thinned_and_keeps_the_newest_of_each_stream(tmp_path: Path) -> None:
    path = tmp_path / "times"
    records = [entry(n % 2, n + 1, n) for n in range(100)]
    path.write_bytes(b"".join(records))
    compact(path, [0, 0], limit=RECORD.size * 30)
    left = list(RECORD.iter_unpack(path.read_bytes()))
    assert len(left) <= 30
    assert left == sorted(left, key=lambda record: record[2])
    assert (0, 99, 98) in left
    assert (1, 100, 99) in left


def test_entries_of_a_truncated_stream_and_of_what_was_trimmed_go(tmp_path: Path) -> None:
    path = tmp_path / "times"
    path.write_bytes(entry(0, 10, 1) + entry(1, 10, 2) + entry(0, 20, 3))
    compact(path, [10, None])
    assert path.read_bytes() == entry(0, 20, 3)
