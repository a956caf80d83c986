"""Lines with a text: the same ones whether they are looked at by the block or one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.logs import Match, OutputBlock

LINES = st.lists(st.text(alphabet="aAbBéÉß ", max_size=5), min_size=1, max_size=12)


def block_of(lines: list[str]) -> OutputBlock:
    data = "\n".join(lines).encode()
    return OutputBlock("o", 100 + len(data) + 1, ".e3", "stdout", 5, data, False, "x")


@settings(deadline=None, max_examples=300)
@given(LINES, st.text(alphabet="aAbBéÉß ", min_size=1, max_size=2), st.booleans())
def test_the_lines_found_are_those_that_contain_the_text(
    lines: list[str], text: str, ignore_case: bool
) -> None:
    block = block_of(lines)

    def wanted(line: str) -> bool:
        if not ignore_case:
            return text in line
        if text.isascii():
            return text.encode().lower() in line.encode().lower()
        return text.casefold() in line.casefold()

    match = Match(text, ignore_case=ignore_case)
    expected = [line for line in block.each() if wanted(line.line.decode())]
    found = [line for part in match.filter(block) for line in part.each()]
    assert found == expected  # with the cursors that they have in the whole block
    assert match.count(block) == len(expected)
    assert all(match.has(line.line) for line in expected)


def test_a_text_with_the_end_of_a_line_is_refused() -> None:
    with pytest.raises(Invalid):
        Match("one\ntwo")
