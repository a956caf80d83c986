"""The end of a job's output: the newest lines, never more than asked for, and where it goes on."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs import JobTail, Watcher, read_job
from gitdeploy.logs.tail import tail_start
from tests.unit.logs.conftest import Execution

FIRST, SECOND, THIRD = "202611240900000000", "202611241000000000", "202611241100000000"


def text(tail: JobTail, count: int, **how: object) -> list[bytes]:
    blocks, _ = tail.read(count, **{"most_bytes": 1 << 20, **how})  # type: ignore[arg-type]
    return [line for block in blocks for line in block.lines.split(b"\n")]


def test_a_job_that_never_ran_has_no_lines_and_no_place(tmp_path: Path) -> None:
    tail = JobTail(tmp_path / "nothing")
    assert tail.read(10, most_bytes=100) == ([], "")
    assert tail.end() == ""
    assert tail.written_at() == 0


def test_the_newest_lines_come_of_as_many_runs_as_it_takes(tmp_path: Path) -> None:
    for name in (FIRST, SECOND, THIRD):
        run = Execution(tmp_path / name)
        run.write(f"{name} out\n".encode())
        run.write(f"{name} err\n".encode(), "stderr")
        run.end()
    tail = JobTail(tmp_path)
    assert text(tail, 3) == [
        f"{SECOND} err".encode(),
        *(f"{THIRD} {s}".encode() for s in ("out", "err")),
    ]
    assert text(tail, 3, stream="stderr") == [f"{n} err".encode() for n in (FIRST, SECOND, THIRD)]
    assert len(text(tail, 100)) == 6


async def test_reading_goes_on_behind_the_end_without_loss_or_repetition(
    tmp_path: Path, watcher: Watcher
) -> None:
    done, runs = Execution(tmp_path / FIRST), Execution(tmp_path / SECOND)
    done.write(b"no newline behind this")
    done.end()
    runs.write(b"one\ntwo\nunfinis")
    tail = JobTail(tmp_path)
    blocks, at = tail.read(10, most_bytes=1 << 20)
    assert [block.lines for block in blocks] == [b"no newline behind this", b"one\ntwo"]
    ends = (at, tail.end(), JobTail(tmp_path).read(1, most_bytes=1, stream="stderr")[1])
    runs.write(b"hed\nthree\n")
    Execution(tmp_path / THIRD).write(b"of the next run\n")
    for end in ends:
        behind = [
            line.line async for batch in read_job(watcher, tmp_path, after=end) for line in batch
        ]
        assert behind == [b"unfinished", b"three", b"of the next run"]


def test_long_lines_are_read_by_bytes_and_not_by_their_number(tmp_path: Path) -> None:
    run = Execution(tmp_path / FIRST)
    run.write(b"".join(b"%d %s\n" % (n, b"x" * 100_000) for n in range(60)))
    blocks, _ = JobTail(tmp_path).read(500, most_bytes=1 << 20)
    lines = [line for block in blocks for line in block.lines.split(b"\n")]
    assert [int(line.split()[0]) for line in lines] == list(range(50, 60))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30),
    st.integers(0, 35),
    st.integers(1, 400),
)
def test_a_bounded_tail_begins_at_a_line_within_the_bound(
    tmp_path_factory: object, lines: list[bytes], count: int, most: int
) -> None:
    file = tmp_path_factory.mktemp("tail") / "stdout"  # type: ignore[attr-defined]
    whole = b"".join(line + b"\n" for line in lines)
    file.write_bytes(whole)
    at = tail_start(file, count, most)
    unbounded = tail_start(file, count)
    assert at >= unbounded
    assert len(whole) - at <= max(most, len(whole) - unbounded)
    if len(whole) - unbounded <= most:
        assert at == unbounded
    else:
        assert len(whole) - at <= most
