"""Numbers of lines agree with reading everything, whatever was written, cut or trimmed."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime
from gitdeploy.logs import AllNumbers, LineNumbers
from gitdeploy.logs.job_reader import blocks_of_job
from gitdeploy.logs.reader import blocks_of_execution
from gitdeploy.logs.trim import trim
from tests.unit.logs.conftest import Execution

BASE = from_datetime(datetime(2026, 11, 23, 21, 20, 39, tzinfo=UTC))
MOST = 1 << 20
Row = tuple[str, bytes, str]


def everything(directory: Path, *, job: bool = False) -> list[Row]:
    """Stream, text and the cursor behind each line, pieces of a cut one joined."""
    reader = blocks_of_job if job else blocks_of_execution
    found: list[Row] = []
    part = b""
    with reader(directory, None) as blocks:
        for block in blocks:
            for line in block.each():
                if line.cut:
                    part += line.line
                    continue
                found.append((line.stream, part + line.line, line.cursor))
                part = b""
    return found


def windowed(numbers: LineNumbers, first: int, most: int) -> list[tuple[int, str, bytes]]:
    """Number, stream and text of a window's lines, pieces of a cut one joined."""
    found: list[tuple[int, str, bytes]] = []
    part = b""
    for at, block in numbers.window(first, most, most_bytes=MOST):
        for place, line in enumerate(block.lines.split(b"\n")):
            if block.cut:
                part += line
                continue
            found.append((at + place, block.stream, part + line))
            part = b""
    return found


def agree(numbers: LineNumbers, directory: Path, *, job: bool = False, first: int = 0) -> None:
    """Every number, window and cursor is that of reading it all."""
    rows = everything(directory, job=job)
    begin, end, cursor = numbers.refresh()
    assert (begin, end) == (first, first + len(rows))
    assert cursor == (rows[-1][2] if rows else None)
    assert numbers.number(None) == first
    for number, (_, _, behind) in enumerate(rows, first + 1):
        assert numbers.number(behind) == number, behind
    wanted = [(n, stream, text) for n, (stream, text, _) in enumerate(rows, first)]
    for start in range(first, end):
        assert windowed(numbers, start, 3) == wanted[start - first : start - first + 3], start
    assert windowed(numbers, end, 5) == []
    seen = [
        (at + place, block.stream, line)
        for at, block in numbers.scan(first, end)
        for place, line in enumerate(block.lines.split(b"\n"))
    ]
    assert seen == wanted


WRITTEN = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr"]),
        st.sampled_from([b"x\n", b"", b"yy\nz\n", b"\n\n", b"part", b"a longer line\n"]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(WRITTEN, WRITTEN)
def test_an_execution_is_numbered_as_it_is_read(
    before: list[tuple[str, bytes, bool]], after: list[tuple[str, bytes, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        execution = Execution(Path(place) / "run")
        numbers = LineNumbers(execution.directory)
        clock = count(1)
        for part, ends in ((before, False), (after, True)):
            for stream, data, stamped in part:
                execution.write(data, stream)
                if stamped:
                    execution.stamp(BASE + next(clock) * 1_000_000, stream)
            if ends:
                execution.end(0, BASE + 99_000_000)
            agree(numbers, execution.directory)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["stdout", "stderr"]),
            st.sampled_from([b"x\n", b"yy\nz\n", b"w\n\n"]),
        ),
        max_size=14,
    )
)
def test_a_job_of_several_executions_is_numbered_as_it_is_read(
    written: list[tuple[int, str, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        executions = [Execution(Path(place) / f"202611232120{39 + n:02}0000") for n in range(3)]
        for tick, (which, stream, data) in enumerate(written, 1):
            executions[which].at(BASE + tick * 1_000_000, data, stream)
        for one in executions:
            one.end(0, BASE + 99_000_000)
        agree(LineNumbers(Path(place), job=True), Path(place), job=True)


def test_a_trimmed_beginning_keeps_the_numbers_of_what_is_left(tmp_path: Path) -> None:
    execution = Execution(tmp_path / "run")
    execution.write(b"".join(b"line %06d\n" % n for n in range(3000)))
    numbers = LineNumbers(execution.directory)
    assert numbers.refresh()[:2] == (0, 3000)
    note = trim(execution.directory / "stdout", 2000)
    assert note is not None
    execution.write(b"after\n")
    execution.end()
    begin, end, _ = numbers.refresh()
    assert (begin, end) == (note.lines, 3001)
    assert windowed(numbers, 0, 1) == [(begin, "stdout", b"line %06d" % begin)]
    agree(numbers, execution.directory, first=begin)


def test_a_line_in_pieces_has_one_number(tmp_path: Path) -> None:
    execution = Execution(tmp_path / "run")
    long = b"x" * (5 << 19)
    execution.write(b"first\n" + long + b"\nthird\n")
    execution.end()
    numbers = LineNumbers(execution.directory)
    assert numbers.refresh()[:2] == (0, 3)
    rows = everything(execution.directory)
    assert [text for _, text, _ in rows] == [b"first", long, b"third"]
    assert [numbers.number(cursor) for _, _, cursor in rows] == [1, 2, 3]
    assert windowed(numbers, 2, 1) == [(2, "stdout", b"third")]
    assert [n for n, _, _ in windowed(numbers, 0, 1)] == [0]


def test_numbers_far_apart_are_found_from_places_between(tmp_path: Path) -> None:
    execution = Execution(tmp_path / "run")
    execution.write(b"".join(b"%d\n" % n for n in range(20_000)))
    execution.end()
    numbers = LineNumbers(execution.directory)
    for first in (0, 4095, 4096, 4097, 12_345, 19_999):
        assert windowed(numbers, first, 2)[0] == (first, "stdout", b"%d" % first)
    rows = everything(execution.directory)
    for number in (1, 4096, 4097, 15_000, 20_000):
        assert numbers.number(rows[number - 1][2]) == number


def test_a_window_ends_at_its_bytes_but_has_a_line(tmp_path: Path) -> None:
    execution = Execution(tmp_path / "run")
    execution.write(b"a" * 900 + b"\n" + b"b" * 900 + b"\n" + b"c\n")
    execution.end()
    numbers = LineNumbers(execution.directory)
    sizes = {most: sum(one.end - one.first for one in numbers.window(0, 9, most_bytes=most)) for most in (1, 1000, 1900)}  # fmt: skip
    assert sizes == {1: 1, 1000: 1, 1900: 3}


def test_the_numbers_of_few_logs_are_kept(tmp_path: Path) -> None:
    known = AllNumbers()
    first = known.of(tmp_path / "0")
    assert known.of(tmp_path / "0") is first
    for number in range(1, 65):
        known.of(tmp_path / str(number))
    assert known.of(tmp_path / "0") is not first


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert LineNumbers(tmp_path / "none").refresh() == (0, 0, None)
    assert LineNumbers(tmp_path / "none", job=True).window(0, 5, most_bytes=MOST) == []
