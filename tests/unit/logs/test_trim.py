"""Holes in front of long streams, on the file system the tests run on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gitdeploy.logs import trim as trimming
from gitdeploy.logs.trim import Trimmed, note_path, read_trimmed, trim

LINE = b"%07d" + b"x" * 92 + b"\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "stdout"
    path.write_bytes(b"".join(LINE % n for n in range(10_000)))
    return path


def test_the_front_goes_the_rest_stays_at_its_offsets(file: Path) -> None:
    size = file.stat().st_size
    blocks = file.stat().st_blocks
    try:
        note = trim(file, 100_050)
    except OSError as error:
        assert trimming.unsupported(error)
        pytest.skip("this file system can't punch holes")
    assert note == Trimmed(offset=900_000, bytes=900_000, lines=9_000)
    assert read_trimmed(file) == note
    assert file.stat().st_size == size
    assert file.stat().st_blocks < blocks / 5
    assert file.read_bytes()[900_000:] == b"".join(LINE % n for n in range(9_000, 10_000))


def test_a_second_trim_counts_on(file: Path) -> None:
    trim(file, 500_000)
    assert trim(file, 500_000) is None
    assert trim(file, 100_000) == Trimmed(offset=900_000, bytes=900_000, lines=9_000)


def test_a_file_system_without_holes_keeps_all_and_has_no_note(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def refuse(fd: int, start: int, end: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(trimming, "punch", refuse)
    with pytest.raises(OSError, match="not supported") as caught:
        trim(file, 100_000)
    assert trimming.unsupported(caught.value)
    assert not note_path(file).exists()
    assert file.read_bytes() == before


def test_a_stream_without_newlines_is_cut_where_it_must(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes(b"x" * (3 << 20))
    assert trim(path, 1 << 21) == Trimmed(offset=1 << 20, bytes=1 << 20, lines=0)


def test_nothing_was_trimmed_of_a_stream_without_a_note(tmp_path: Path) -> None:
    assert read_trimmed(tmp_path / "stdout") == Trimmed()
