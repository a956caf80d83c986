"""Reading a journal backwards, a part at a time."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.events import Entry, Journal


def backwards(journal: Journal, size: int) -> list[Entry]:
    found: list[Entry] = []
    place = journal.end
    while place:
        entries, place = journal.back(place, size)
        found += reversed(entries)
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(max_size=80), max_size=40),
    st.integers(1, 600),
    st.integers(50, 400),
    st.integers(1, 9),
)
def test_going_back_gives_what_is_kept_once_and_in_order(
    tmp_path_factory: object, texts: list[str], size: int, segment: int, keep: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"  # type: ignore[attr-defined]
    journal = Journal(path, segment_bytes=segment, keep=keep)
    for number, text in enumerate(texts):
        journal.append({"n": number, "text": text})
    kept = journal.tail(1000)
    assert backwards(journal, size) == kept[::-1]
    journal.close()


def test_a_place_that_was_never_given_goes_back_from_the_record_before_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", segment_bytes=100)
    ids = [journal.append({"n": n}) for n in range(20)]
    for forged in range(1, journal.end + 50):
        entries, _ = journal.back(forged, 64)
        expected = [n for n, entry_id in enumerate(ids) if entry_id <= forged]
        assert [entry.record["n"] for entry in entries][-1:] == expected[-1:]
    journal.close()


def test_an_empty_journal_has_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    assert journal.back(0, 100) == ([], 0)
    assert journal.back(999, 100) == ([], 0)
