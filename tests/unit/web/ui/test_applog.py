"""The newest lines of several jobs, and places in all of their logs as an id."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.web.ui.applog import LONGEST, Newest, Place, newest, read_place, shown, write_place
from tests.unit.logs.conftest import Execution

NOW = 1_795_000_000_000_000
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=60)
cursors = st.from_regex(r"[0-9]{18}:o[0-9]{1,9}\.e[0-9]{1,9}", fullmatch=True)
places = st.builds(
    Place,
    st.dictionaries(st.tuples(st.sampled_from(("continuous", "triggered")), names), cursors),
    st.none() | st.integers(0, 10**17),
)


def wrote(path: Path, *lines: tuple[int, str], ago: int = 10) -> Path:
    """A run's directory whose lines have these times (seconds before NOW)."""
    run = Execution(path / "202611240900000000")
    for before, line in lines:
        run.at(NOW - before * 1_000_000, f"{line}\n".encode())
    last = NOW // 1_000_000 - min((before for before, _ in lines), default=ago)
    os.utime(run.directory / "stdout", (last, last))
    return path


def told(found: Newest) -> list[tuple[str, str]]:
    return [(line.key[1], "".join(span.text for span in line.spans)) for line in found.lines]


def test_lines_of_all_jobs_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    one = wrote(tmp_path / "one", (90, "a"), (50, "c"), (10, "e"))
    two = wrote(tmp_path / "two", (70, "b"), (30, "d"))
    jobs = {("continuous", "one"): one, ("triggered", "two"): two}
    found = newest(jobs, 500, now=NOW)
    assert told(found) == [("one", "a"), ("two", "b"), ("one", "c"), ("two", "d"), ("one", "e")]
    assert told(newest(jobs, 2, now=NOW)) == [("two", "d"), ("one", "e")]
    assert set(found.place.cursors) == set(jobs)


def test_jobs_that_can_have_none_of_the_lines_are_not_read_but_followed_on(tmp_path: Path) -> None:
    jobs = {
        ("triggered", f"old{n}"): wrote(tmp_path / f"old{n}", (1000 + n, "x")) for n in range(5)
    }
    jobs |= {("continuous", "new"): wrote(tmp_path / "new", *((20 - n, f"{n}") for n in range(10)))}
    for n in range(5):  # whoever reads it fails
        (tmp_path / f"old{n}" / "202611240900000000" / "times").unlink()
        (tmp_path / f"old{n}" / "202611240900000000" / "times").mkdir()
    found = newest(jobs, 10, now=NOW)  # type: ignore[arg-type]
    assert [text for _, text in told(found)] == [str(n) for n in range(10)]
    assert set(found.place.cursors) == set(jobs)
    assert all(at.endswith(":o2.e0") for key, at in found.place.cursors.items() if key[1] != "new")


def test_a_page_has_no_more_text_than_its_bound(tmp_path: Path) -> None:
    jobs = {("continuous", "one"): wrote(tmp_path / "one", *((9, "x" * 10_000) for _ in range(40)))}
    found = newest(jobs, 500, now=NOW, most_bytes=5 * (LONGEST + 1))  # type: ignore[arg-type]
    assert len(found.lines) == 5
    assert all(len(text) == LONGEST + 1 and text.endswith("…") for _, text in told(found))


def test_what_a_job_prints_is_text_in_colours() -> None:
    found = shown("\x1b[31mred\x1b[0m <b>\x1b]0;title\x07\x1b[2J")
    assert [(span.text, span.classes) for span in found] == [("red", "c1"), (" <b>", "")]
    assert shown("") == []


@settings(deadline=None, max_examples=80)
@given(places)
def test_a_place_comes_back_from_its_id(place: Place) -> None:
    text = write_place(place)
    assert len(text) < 7100
    assert text.isascii()
    assert read_place(text) == place


def test_the_id_of_very_many_jobs_leaves_those_that_wrote_longest_ago_to_the_time() -> None:
    many = {
        ("triggered", f"{hash((n, 'a')):x}{n}"): f"2026112409{n:08}:o{n * 7919}.e{n * 104_729}"
        for n in range(1000)
    }
    place = Place(many, NOW)  # type: ignore[arg-type]
    text = write_place(place)
    assert len(text) < 7100
    kept = read_place(text)
    assert kept.since == NOW
    assert 100 < len(kept.cursors) < 1000
    assert list(kept.cursors) == list(many)[-len(kept.cursors) :]


@pytest.mark.parametrize(
    "text", ["x", "~", "~!", "~AAAA", "@;", "@x;", "@1;nonsense", "continuous/a=b", "@" + "9" * 30]
)
def test_an_id_that_was_never_given_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_place(text)
