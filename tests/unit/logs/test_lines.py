"""The splitter: the same lines whatever the chunks, and no byte lost."""

from __future__ import annotations

import io
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs.lines import LINE_LIMIT, Piece, Splitter

LIMIT = 5
TEXT = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xff\x00"]), max_size=40).map(
    b"".join
)


def split(chunks: list[bytes], start: int = 0, limit: int = LIMIT) -> list[Piece]:
    splitter = Splitter(start, limit=limit)
    pieces = [piece for chunk in chunks for piece in splitter.feed(chunk)]
    return pieces + splitter.finish()


def lines_of(pieces: list[Piece]) -> list[tuple[int, bytes, bool]]:
    """Offset behind, text, cut: of each line on its own."""
    lines: list[tuple[int, bytes, bool]] = []
    for end, text, cut in pieces:
        at = end - len(text) - 1
        for line in text.split(b"\n"):
            at += len(line) + 1
            lines.append((at, line, cut))
    return lines


def by_hand(text: bytes, limit: int) -> list[tuple[int, bytes, bool]]:
    """The same by the letter of the rule, a line at a time."""
    lines: list[tuple[int, bytes, bool]] = []
    end = 0
    for line in io.BytesIO(text):
        body = line.removesuffix(b"\n")
        while len(body) > limit:
            end += limit
            lines.append((end, body[:limit], True))
            body, line = body[limit:], line[limit:]
        end += len(line)
        lines.append((end, body, False))
    return lines


@settings(deadline=None, max_examples=300)
@given(TEXT, st.lists(st.integers(0, 80), max_size=8))
def test_any_chunking_gives_the_same_lines_and_loses_no_byte(text: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[a:b] for a, b in itertools.pairwise(at)]
    assert lines_of(split(chunks)) == by_hand(text, LIMIT)


@settings(deadline=None, max_examples=200)
@given(TEXT, st.integers(0, 40))
def test_reading_on_behind_any_line_gives_exactly_the_rest(text: bytes, number: int) -> None:
    lines = lines_of(split([text]))
    if number >= len(lines):
        return
    end = lines[number][0]
    assert lines_of(split([text[end:]], start=end)) == lines[number + 1 :]


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    assert split([b"abcde\nfghij"]) == [Piece(6, b"abcde", False), Piece(11, b"fghij", False)]


def test_a_longer_line_is_cut_and_its_last_piece_is_not_marked() -> None:
    assert split([b"abcdefghijk\n"]) == [
        Piece(5, b"abcde", True),
        Piece(10, b"fghij", True),
        Piece(12, b"k", False),
    ]


def test_carriage_returns_and_bytes_that_are_not_utf8_stay() -> None:
    assert split([b"a\r\n\xff\xfe\n\n"]) == [Piece(7, b"a\r\n\xff\xfe\n", False)]


def test_lines_that_are_there_at_once_stay_together_but_for_what_is_cut() -> None:
    assert split([b"a\nb\n", b"c\nabcdefg\nd\ne"]) == [
        Piece(4, b"a\nb", False),
        Piece(6, b"c", False),
        Piece(11, b"abcde", True),
        Piece(16, b"fg\nd", False),
        Piece(17, b"e", False),
    ]


def test_a_line_over_the_limit_is_cut_wherever_its_end_came() -> None:
    for at in range(13):
        pieces = split([b"abcdefghijk\n"[:at], b"abcdefghijk\nl\n"[at:]])
        assert lines_of(pieces)[:2] == [(5, b"abcde", True), (10, b"fghij", True)]


def test_an_endless_line_is_given_out_by_the_mebibyte() -> None:
    splitter = Splitter()
    pieces = [piece for _ in range(3 * 1024 + 1) for piece in splitter.feed(b"x" * 1024)]
    assert [(len(p.lines), p.cut) for p in pieces] == [(LINE_LIMIT, True)] * 3
    assert splitter.position == 3 * LINE_LIMIT + 1024
