"""Lines in Kudu's form, and the files that are made of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitdeploy.logs import (
    Match,
    Measures,
    OutputBlock,
    Part,
    Selection,
    end_lines,
    kudu_line,
    open_file,
    select_lines,
    shown_block,
    start_lines,
)
from gitdeploy.logs.kudu import kudu_block
from gitdeploy.logs.measure import measure, take
from gitdeploy.logs.trim import note_path

TS = 1_795_468_839_000_000


def part_of(directory: Path, *, ended_at: int | None = TS + 3_000_000) -> Part:
    tail = (
        ()
        if ended_at is None
        else tuple(end_lines(ended_at, status="Failed", exit_code=3, error=None))
    )
    head = tuple(start_lines(TS, TS, script="run.sh", host="BashScriptHost"))
    return Part(directory=directory, instance="i", head=head, tail=tail)


async def content(parts: list[Part], measures: Measures | None = None) -> bytes:
    file = await open_file(parts, measures or Measures(), TS)
    data = b"".join([piece async for piece in file.read(0, file.size)])
    assert len(data) == file.size
    return data


def test_a_line_has_kudu_s_form_and_a_level_of_four() -> None:
    assert kudu_line(TS, "1a2b3c", "INFO", "hi") == "[11/23/2026 21:20:39 > 1a2b3c: INFO] hi"
    assert kudu_line(TS, "1a2b3c", "ERR", b"\x1b[1m") == (
        "[11/23/2026 21:20:39 > 1a2b3c: ERR ] \\x1b[1m"
    )
    assert kudu_line(TS, "i", "SYS ERR", "x") == "[11/23/2026 21:20:39 > i: SYS ERR ] x"


def test_a_block_is_its_lines_one_by_one_shown_or_as_they_are() -> None:
    block = OutputBlock("o", 0, "", "stderr", TS, b"one\r\n\x1b[1m\xff\ntwo\r", False, "x")
    prefix = b"[11/23/2026 21:20:39 > i: ERR ] "
    assert shown_block(block, "i").split(b"\n") == [
        prefix + b"one",
        prefix + rb"\x1b[1m\xff",
        prefix + b"two",
        b"",
    ]
    assert kudu_block(block, "i").split(b"\n") == [
        prefix + b"one\r",
        prefix + b"\x1b[1m\xff",
        prefix + b"two\r",
        b"",
    ]


@pytest.mark.parametrize("ts", [-(10**15), 0, TS, 10**18])
def test_a_prefix_is_as_long_at_all_times(ts: int) -> None:
    assert len(kudu_line(ts, "i", "INFO", "")) == len(kudu_line(TS, "i", "ERR", ""))


async def test_an_execution_is_framed_by_the_system_s_lines(execution) -> None:
    execution.at(TS + 1_000_000, b"hello\n")
    execution.at(TS + 2_000_000, b"oops\nunfinished", "stderr")
    execution.end(3, TS + 3_000_000)
    assert (await content([part_of(execution.directory)])).decode() == (
        "[11/23/2026 21:20:39 > i: SYS INFO] Status changed to Initializing\n"
        "[11/23/2026 21:20:39 > i: SYS INFO] Run script 'run.sh' with script host -"
        " 'BashScriptHost'\n"
        "[11/23/2026 21:20:39 > i: SYS INFO] Status changed to Running\n"
        "[11/23/2026 21:20:40 > i: INFO] hello\n"
        "[11/23/2026 21:20:41 > i: ERR ] oops\n"
        "[11/23/2026 21:20:41 > i: ERR ] unfinished\n"
        "[11/23/2026 21:20:42 > i: SYS ERR ] Job failed due to exit code 3\n"
        "[11/23/2026 21:20:42 > i: SYS INFO] Status changed to Failed\n"
    )


async def test_what_was_dropped_is_said_and_not_counted(execution) -> None:
    execution.at(TS, b"one\ntwo\n")
    measures = Measures()
    whole = await content([part_of(execution.directory)], measures)
    note_path(execution.directory / "stdout").write_text('{"offset":4,"bytes":4,"lines":1}')
    text = (await content([part_of(execution.directory)], measures)).decode()
    assert b"INFO] one\n" in whole
    assert "SYS WARN] The first 1 lines (4 bytes) of stdout were dropped" in text
    assert "INFO] two\n" in text
    assert "INFO] one" not in text


def test_how_it_ended_is_told_by_what_is_known() -> None:
    def told(**how) -> list[str]:
        return [line.text for line in end_lines(TS, **{"exit_code": 0, "error": None, **how})]

    assert told(status="Success") == ["Status changed to Success"]
    assert told(status="Failed", exit_code=2) == [
        "Job failed due to exit code 2",
        "Status changed to Failed",
    ]
    assert told(status="Failed", error="It idled.")[0] == "It idled."
    assert "lost" in told(status="Aborted", exit_code=None)[0]
    assert told(status="Stopped", exit_code=143) == ["Status changed to Stopped"]


async def test_a_file_that_does_not_exist_is_only_its_system_lines(tmp_path: Path) -> None:
    text = await content([part_of(tmp_path / "none")])
    assert text.count(b"\n") == text.count(b"SYS ") == 5


async def test_any_range_is_that_slice_of_the_whole(execution, monkeypatch) -> None:
    monkeypatch.setattr("gitdeploy.logs.measure._EVERY", 3000)
    chance = random.Random(7)
    for number in range(300):
        line = b"x" * chance.randrange(40) + b"\n"
        stream = chance.choice(("stdout", "stderr"))
        execution.at(TS + number, line * chance.randrange(1, 4), stream)
    execution.write(b"y" * ((1 << 20) + 5))
    execution.end(0, TS + 1000)
    measures = Measures()
    parts = [part_of(execution.directory), part_of(execution.directory.with_name("none"))]
    whole = await content(parts, measures)
    file = await open_file(parts, measures, TS)
    for _ in range(60):
        start = chance.randrange(file.size)
        stop = min(file.size, start + chance.choice((1, 50, 5000, 2_000_000)))
        data = b"".join([piece async for piece in file.read(start, stop)])
        assert data == whole[start:stop]


async def test_a_log_that_has_grown_is_counted_on_from_the_last_mark(
    execution, monkeypatch
) -> None:
    monkeypatch.setattr("gitdeploy.logs.measure._EVERY", 1000)
    directory = execution.directory
    execution.at(TS, b"0123456789\n" * 1000)
    first = measure(directory, 31, take(directory), None, TS + 10_000_000)
    assert first.size == 1000 * (11 + 31)
    assert first.marks[-1].position == first.size
    execution.at(TS + 1, b"0123456789\n", "stderr")
    second = measure(directory, 31, take(directory), first, TS + 10_000_000)
    assert second.size == first.size + 11 + 31
    assert second.marks[: len(first.marks)] == first.marks
    assert [position for position, _ in second.blocks(first.size)] == [first.size]
    unsettled = measure(directory, 31, take(directory), None, TS)
    assert len(unsettled.marks) == 1, "a line's place is sure once its time is"


async def test_the_tag_changes_with_each_byte_and_with_nothing_else(execution) -> None:
    measures = Measures()

    async def tag(part: Part) -> str:
        return (await open_file([part], measures, TS)).tag

    part = part_of(execution.directory, ended_at=None)
    execution.at(TS, b"one\n")
    first = await tag(part)
    assert await tag(part) == first
    execution.at(TS, b"two\n")
    second = await tag(part)
    execution.end(3, TS)
    third = await tag(part_of(execution.directory))
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("tail", [None, 0, 1, 4, 9, 100])
@pytest.mark.parametrize("text", [None, "changed", "line 1"])
@pytest.mark.parametrize("since", [None, TS + 2])
async def test_selected_lines_are_those_of_the_whole_file(
    watcher, execution, tmp_path: Path, tail: int | None, text: str | None, since: int | None
) -> None:
    other = type(execution)(tmp_path / "other")
    for number in range(12):
        where = execution if number < 6 else other
        where.at(TS + number, b"line %d\n" % number, "stderr" if number % 2 else "stdout")
    execution.end(3, TS)
    other.end(3, TS)
    parts = [part_of(execution.directory), part_of(other.directory)]
    match = None if text is None else Match(text)
    expected = (await content(parts)).splitlines(keepends=True)
    if since is not None:  # the head's lines and the first two are earlier
        expected = [*expected[5 : 3 + 6 + 2], *expected[3 + 6 + 2 + 3 :]]
    if text is not None:
        expected = [line for line in expected if text.encode() in line]
    if tail is not None:
        expected = expected[max(0, len(expected) - tail) :]
    selection = Selection(tail=tail, since=since, match=match)
    pieces = select_lines(watcher, parts, selection)
    assert b"".join([piece async for piece in pieces]) == b"".join(expected)
