"""A line of output as spans."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.web.ui.ansi import Span, plain, spans

ESC = "\x1b"
CLASSES = re.compile(r"(?:bold|dim|slanted|under|turned|struck|[cb](?:\d|1[0-5]))")
PIECES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\n"), max_size=6),
        st.sampled_from(
            [
                "\r",
                f"{ESC}[",
                f"{ESC}[31m",
                f"{ESC}[1;38;5;9m",
                f"{ESC}[48;2;1;2;3m",
                f"{ESC}[38m",
                f"{ESC}[38;5m",
                f"{ESC}[2K",
                f"{ESC}]8;;http://x\x07",
                f"{ESC}]0;title{ESC}\\",
                f"{ESC}c",
                f"{ESC}[4:3m",
                f"{ESC}[?25l",
                f"{ESC}[m",
                "\x9b31m",
            ]
        ),
        st.lists(st.integers(0, 300), max_size=6).map(
            lambda codes: f"{ESC}[{';'.join(map(str, codes))}m"
        ),
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", [Span("plain", "")]),
        (f"a{ESC}[31mb{ESC}[0mc", [Span("a", ""), Span("b", "c1"), Span("c", "")]),
        (f"{ESC}[1;92mx{ESC}[22my", [Span("x", "bold c10"), Span("y", "c10")]),
        (f"{ESC}[41;97mx{ESC}[49;39my", [Span("x", "c15 b1"), Span("y", "")]),
        (f"{ESC}[38;5;12mx", [Span("x", "c12")]),
        (f"{ESC}[38;2;1;2;3;1mx", [Span("x", "bold")]),
        (f"{ESC}[38;5;200;4mx", [Span("x", "under")]),
        ("10 %\r50 %\r100 %", [Span("100 %", "")]),
        ("windows\r", [Span("windows", "")]),
        (f"a{ESC}[2Kb", [Span("a", ""), Span("b", "")]),
        ("\ttab\0", [Span("\ttab\u2400", "")]),
        ("", []),
    ],
)
def test_colours_become_classes_and_nothing_else_stays(line: str, shown: list[Span]) -> None:
    assert spans(line) == shown


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs"))))
def test_a_text_without_controls_stays_as_it_is(text: str) -> None:
    assert plain(text) == text
    assert "".join(span.text for span in spans(text)) == text


@settings(deadline=None, max_examples=500)
@given(PIECES)
def test_spans_are_the_plain_text_without_a_control_character(line: str) -> None:
    found = spans(line)
    text = "".join(span.text for span in found)
    assert text == plain(line)
    assert not re.search("[\x00-\x08\x0a-\x1f\x7f]", text)
    for span in found:
        assert span.text
        assert all(CLASSES.fullmatch(one) for one in span.classes.split())
