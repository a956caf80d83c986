"""Blocks: their lines, their ends, the last ones of many, batches of bounded size."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs import OutputBlock, OutputLine
from gitdeploy.logs.block import block_batches, in_batches, last, line_batches


def blocks_of(texts: list[bytes]) -> list[OutputBlock]:
    """Blocks that follow each other, their times 0, 1, 2, …"""
    blocks, end = [], 0
    for time, text in enumerate(texts):
        end += len(text) + 1
        blocks.append(OutputBlock("o", end, ".e3", "stdout", time, text, False, "x"))
    return blocks


def each(blocks: Iterator[OutputBlock]) -> list[OutputLine]:
    return [line for block in blocks for line in block.each()]


def test_a_block_gives_each_line_its_own_cursor() -> None:
    block = OutputBlock("a:o", 17, ".e3", "stderr", 5, b"one\n\ntwo", False, "a")
    assert block.line_count == 3
    assert block.ends() == [12, 13, 17]
    assert list(block.each()) == [
        OutputLine("a:o12.e3", "stderr", 5, b"one", False, "a"),
        OutputLine("a:o13.e3", "stderr", 5, b"", False, "a"),
        OutputLine("a:o17.e3", "stderr", 5, b"two", False, "a"),
    ]
    assert list(block.without(1).each()) == list(block.each())[1:]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([b"", b"a", b"\n", b"a\nb\n\nc"]), max_size=8), st.integers(0, 30))
def test_the_last_lines_are_those_of_all_together(texts: list[bytes], count: int) -> None:
    blocks = blocks_of(texts)
    whole = each(iter(blocks))
    assert each(last(blocks, count)) == (whole[-count:] if count else [])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([0, 1, 900, 3000]), max_size=6), st.booleans())
def test_batches_lose_nothing_and_are_bounded(counts: list[int], long: bool) -> None:
    filler = b"y" * (700 if long else 1)
    blocks = blocks_of([b"\n".join([filler] * max(1, n)) for n in counts])
    lines = list(line_batches(blocks))
    assert [line for batch in lines for line in batch] == each(iter(blocks))
    assert all(len(batch) <= 2000 for batch in lines)
    assert all(sum(len(line.line) for line in batch) <= 1 << 20 for batch in lines)
    batches = list(block_batches(blocks))
    assert [block for batch in batches for block in batch] == blocks
    assert all(
        len(batch) == 1 or sum(len(block.lines) for block in batch) <= 1 << 20 for batch in batches
    )


async def test_a_reader_left_in_the_middle_of_a_round_is_closed() -> None:
    closed = False

    async def rounds() -> AsyncGenerator[Iterator[OutputBlock], None]:
        nonlocal closed
        try:
            while True:
                yield iter(blocks_of([b"x"] * 5000))
        finally:
            closed = True

    reading = in_batches(rounds(), line_batches)
    assert len(await anext(reading)) == 2000
    await reading.aclose()
    assert closed
