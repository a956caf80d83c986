"""Parts of logs, compared with what one would pick from all of their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy.logs import Match, OutputLine, Selection, read_job, select_execution, select_job
from gitdeploy.logs.selected import Batches
from tests.support import eventually

TS = 1_795_468_839_000_000


async def lines_of(batches: Batches) -> list[OutputLine]:
    return [line async for batch in batches for block in batch for line in block.each()]


def fill(execution, *, first: int, count: int) -> None:
    for number in range(first, first + count):
        stream = "stderr" if number % 3 == 0 else "stdout"
        execution.at(TS + number * 1000, b"line %d\n" % number, stream)


@pytest.mark.parametrize("tail", [None, 0, 1, 5, 17, 1000])
@pytest.mark.parametrize("since", [None, 0, 25, 99])
@pytest.mark.parametrize("text", [None, "7", "nothing"])
async def test_the_newest_of_the_matching_lines_of_a_time_are_picked(
    watcher, execution, tail: int | None, since: int | None, text: str | None
) -> None:
    fill(execution, first=0, count=60)
    execution.end(0, TS)
    every = await lines_of(select_execution(watcher, execution.directory, Selection()))
    assert [line.line for line in every] == [b"line %d" % n for n in range(60)]
    expected = [
        line
        for line in every
        if (since is None or line.ts >= TS + since * 1000)
        and (text is None or text in line.line.decode())
    ]
    if tail is not None:
        expected = expected[max(0, len(expected) - tail) :]
    selection = Selection(
        tail=tail,
        since=None if since is None else TS + since * 1000,
        match=None if text is None else Match(text),
    )
    assert await lines_of(select_execution(watcher, execution.directory, selection)) == expected


@pytest.mark.parametrize("tail", [None, 1, 12, 1000])
@pytest.mark.parametrize("since", [None, 35])
@pytest.mark.parametrize("text", [None, "7"])
async def test_a_job_s_executions_are_picked_from_together(
    watcher, execution, tmp_path: Path, tail: int | None, since: int | None, text: str | None
) -> None:
    make = type(execution)
    for number, name in enumerate(("20261123212039", "20261123212040", "20261123212041")):
        one = make(tmp_path / "job" / f"{name}0000")
        fill(one, first=20 * number, count=20)
        one.end(0, TS + (20 * number + 19) * 1000)
    every = [line async for batch in read_job(watcher, tmp_path / "job") for line in batch]
    assert len(every) == 60
    expected = [
        (line.line, line.execution)
        for line in every
        if (since is None or line.ts >= TS + since * 1000)
        and (text is None or text in line.line.decode())
    ]
    if tail is not None:
        expected = expected[max(0, len(expected) - tail) :]
    selection = Selection(
        tail=tail,
        since=None if since is None else TS + since * 1000,
        match=None if text is None else Match(text),
    )
    found = await lines_of(select_job(watcher, tmp_path / "job", selection))
    assert [(line.line, line.execution) for line in found] == expected


async def test_a_follower_sees_what_matches_as_it_comes_and_resumes_behind_it(
    watcher, execution
) -> None:
    watcher.watch(execution.directory)
    execution.write(b"old yes\nold no\n")
    selection = Selection(tail=1, match=Match("YES", ignore_case=True))
    batches = select_execution(watcher, execution.directory, selection, follow=True)
    seen: list[OutputLine] = []
    for number in range(3):
        (block,) = await anext(batches)
        seen.extend(block.each())
        execution.write(b"no %d\nyes %d\n" % (number, number))
        await eventually(lambda: (execution.directory / "stdout").stat().st_size > 0)
    await batches.aclose()
    assert [line.line for line in seen] == [b"old yes", b"yes 0", b"yes 1"]
    execution.end()
    rest = select_execution(watcher, execution.directory, selection, after=seen[1].cursor)
    assert [line.line for line in await lines_of(rest)] == [b"yes 1", b"yes 2"]
    watcher.unwatch(execution.directory)


async def test_a_job_that_never_ran_has_no_lines(watcher, tmp_path: Path) -> None:
    selection = Selection(tail=3, since=TS, match=Match("x"))
    assert await lines_of(select_job(watcher, tmp_path / "none", selection)) == []
