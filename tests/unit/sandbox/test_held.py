"""The files in which holders leave what is needed after a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.sandbox import held


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = held.Held(
        level="process", mechanism="cgroup", boot_id="b", outer=1, outer_start=2, cgroup="/c"
    )
    held.write(tmp_path, record)
    assert held.read(tmp_path) == record
    held.clear(tmp_path)
    assert held.read(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [("0\n", 0), ("137\n", 137), ("13", None), ("", None), ("x\n", None), ("\n", None)],
)
def test_a_status_counts_once_its_line_is_whole(
    tmp_path: Path, text: str, code: int | None
) -> None:
    (tmp_path / "status").write_text(text)
    assert held.read_status(tmp_path) == code


def test_without_files_nothing_is_known(tmp_path: Path) -> None:
    assert held.read_status(tmp_path / "missing") is None
    assert held.read_bubblewrap(tmp_path / "missing") == held.Bubblewrap()
    assert held.read(tmp_path / "missing") is None


def test_bubblewraps_lines_are_read_as_far_as_they_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "bwrap.json"
    file.write_text('{ "child-pid": 77, "mnt-namespace": 4026532177 }\n{ "exit-co')
    assert held.read_bubblewrap(tmp_path) == held.Bubblewrap(init=77)
    file.write_text('{ "child-pid": 77 }\n{ "exit-code": 5 }\n')
    assert held.read_bubblewrap(tmp_path) == held.Bubblewrap(init=77, exit_code=5)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_whatever_stands_in_the_files_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    directory = tmp_path_factory.mktemp("held")
    for name in ("held.json", "status", "bwrap.json"):
        (directory / name).write_bytes(data)
    held.read(directory)
    held.read_status(directory)
    held.read_bubblewrap(directory)


def test_the_tail_of_an_output_begins_where_the_start_was(tmp_path: Path) -> None:
    file = tmp_path / "stderr"
    file.write_text("old\n" + "x" * 3000 + "\nlast words\n")
    assert held.tail(file, 4).endswith("last words")
    assert len(held.tail(file, 0, limit=100)) <= 100
    assert held.tail(file, 10**6) == ""
    assert held.tail(tmp_path / "missing", 0) == ""
