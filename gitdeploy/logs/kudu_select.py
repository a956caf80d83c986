"""Kudu's lines of some executions, of which only a part is wanted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from gitdeploy.logs.kudu import SystemLine, kudu_block
from gitdeploy.logs.kudu_file import Part
from gitdeploy.logs.reader import read_execution_blocks
from gitdeploy.logs.selected import (
    Newest,
    Selection,
    execution_start,
    filtered,
    newest_of_execution,
)
from gitdeploy.logs.watcher import Watcher


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is wanted of a part; `body` is None where it has no output."""

    part: Part
    head: Sequence[SystemLine]
    body: Newest | None
    tail: Sequence[SystemLine]

    @property
    def lines(self) -> int:
        return len(self.head) + len(self.tail) + (0 if self.body is None else self.body.lines)


async def select_lines(
    watcher: Watcher, parts: Sequence[Part], selection: Selection
) -> AsyncGenerator[bytes, None]:
    """The selected lines of the executions, oldest first, the system's among them."""
    chosen: list[_Chosen] = []
    for part in reversed(parts):
        one = await _choose(watcher, part, selection)
        chosen.append(one)
        if selection.tail is not None:
            selection = replace(selection, tail=max(0, selection.tail - one.lines))
            if not selection.tail:
                break
    for one in reversed(chosen):
        if one.head:
            yield _text(one.head, one.part)
        if one.body is not None:
            blocks = read_execution_blocks(watcher, one.part.directory, after=one.body.cursor)
            async with aclosing(filtered(blocks, selection.match, one.body.skip)) as batches:
                async for batch in batches:
                    yield b"".join(kudu_block(block, one.part.instance) for block in batch)
        if one.tail:
            yield _text(one.tail, one.part)


def select_system(lines: Sequence[SystemLine], selection: Selection) -> list[SystemLine]:
    """Of the system's lines the selected ones."""
    return _newest(
        [
            line
            for line in lines
            if (selection.since is None or line.ts >= selection.since)
            and (selection.match is None or selection.match.has(line.text.encode()))
        ],
        selection.tail,
    )


async def _choose(watcher: Watcher, part: Part, selection: Selection) -> _Chosen:
    """The newest lines are those behind the output, then the output's, then those before it."""
    tail = select_system(part.tail, selection)
    if selection.tail is not None:
        selection = replace(selection, tail=selection.tail - len(tail))
    body: Newest | None = None
    if part.directory.is_dir():
        if selection.tail is None:
            body = Newest(execution_start(part.directory, selection), 0, 0)
        elif selection.tail:
            body = await newest_of_execution(watcher, part.directory, selection)
            selection = replace(selection, tail=(selection.tail or 0) - body.lines)
    return _Chosen(part, select_system(part.head, selection), body, tail)


def _newest(lines: list[SystemLine], count: int | None) -> list[SystemLine]:
    return lines if count is None else lines[max(0, len(lines) - count) :]


def _text(lines: Sequence[SystemLine], part: Part) -> bytes:
    return b"".join(line.kudu(part.instance) for line in lines)
