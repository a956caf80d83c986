"""The splitter: the same lines whatever the chunks, and no byte lost."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs.lines import LINE_LIMIT, BlockSplitter, Piece, Splitter

LIMIT = 5
TEXT = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xff\x00"]), max_size=40).map(
    b"".join
)


def split(chunks: list[bytes], start: int = 0, limit: int = LIMIT) -> list[Piece]:
    splitter = Splitter(start, limit=limit)
    pieces = [piece for chunk in chunks for piece in splitter.feed(chunk)]
    return pieces + splitter.finish()


def joined(pieces: list[Piece], whole: bytes) -> bytes:
    """What was written, put together from its lines."""
    text = b"".join(piece.line + (b"" if piece.cut else b"\n") for piece in pieces)
    return text if whole.endswith(b"\n") or not whole else text[:-1]


@settings(deadline=None, max_examples=300)
@given(TEXT, st.lists(st.integers(0, 80), max_size=8))
def test_any_chunking_gives_the_same_lines_and_loses_no_byte(text: bytes, cuts: list[int]) -> None:
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    chunks = [text[a:b] for a, b in itertools.pairwise(at)]
    pieces = split(chunks)
    assert pieces == split([text])
    assert joined(pieces, text) == text
    assert all(len(piece.line) <= LIMIT for piece in pieces)
    assert not pieces or pieces[-1].end == len(text)
    splitter = BlockSplitter(limit=LIMIT)
    blocks = [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.finish()
    assert joined(blocks, text) == text
    assert not blocks or blocks[-1].end == len(text)


@settings(deadline=None, max_examples=200)
@given(TEXT, st.integers(0, 40))
def test_reading_on_behind_any_line_gives_exactly_the_rest(text: bytes, number: int) -> None:
    pieces = split([text])
    if number >= len(pieces):
        return
    end = pieces[number].end
    assert split([text[end:]], start=end) == pieces[number + 1 :]


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    assert split([b"abcde\nfghij"]) == [Piece(6, b"abcde", False), Piece(11, b"fghij", False)]


def test_a_longer_line_is_cut_and_its_last_piece_is_not_marked() -> None:
    assert split([b"abcdefghijk\n"]) == [
        Piece(5, b"abcde", True),
        Piece(10, b"fghij", True),
        Piece(12, b"k", False),
    ]


def test_carriage_returns_and_bytes_that_are_not_utf8_stay() -> None:
    assert [p.line for p in split([b"a\r\n\xff\xfe\n\n"])] == [b"a\r", b"\xff\xfe", b""]


def test_an_endless_line_is_given_out_by_the_mebibyte() -> None:
    splitter = Splitter()
    pieces = [piece for _ in range(3 * 1024 + 1) for piece in splitter.feed(b"x" * 1024)]
    assert [(len(p.line), p.cut) for p in pieces] == [(LINE_LIMIT, True)] * 3
    assert splitter.position == 3 * LINE_LIMIT + 1024
