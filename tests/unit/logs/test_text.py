"""Text from outside can't act on a terminal; records of output."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.logs import OutputLine, event_text, output_record, safe_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext ü ✓", "plain\ttext ü ✓"),
        ("\x1b[2J", "\\x1b[2J"),
        ("10%\r20%", "10%\\x0d20%"),
        ("two\nlines", "two\\x0alines"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
        (b"caf\xe9", "caf\\xe9"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    ],
)
def test_controls_are_shown_not_sent(text: str | bytes, shown: str) -> None:
    assert safe_text(text) == shown


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), st.binary()))
def test_whatever_comes_in_one_line_without_controls_goes_out(text: str | bytes) -> None:
    shown = safe_text(text)
    assert len(shown.splitlines()) <= 1
    assert all(unicodedata.category(c) != "Cc" or c == "\t" for c in shown)
    colored = re.sub("\x1b\\[[0-9;:]*m", "", safe_text(text, colors=True))
    assert "\x1b" not in colored


def test_colours_stay_where_asked_for_and_end_with_the_line() -> None:
    assert safe_text("\x1b[31mred", colors=True) == "\x1b[31mred\x1b[0m"
    assert safe_text("\x1b[31mred\x1b[0m", colors=True) == "\x1b[31mred\x1b[0m"
    assert safe_text("\x1b[31mred\x1b[2J", colors=True) == "\x1b[31mred\\x1b[2J\x1b[0m"


def test_a_line_of_output_as_a_record() -> None:
    line = OutputLine("o5.e0", "stderr", 1_795_468_839_123_456, b"caf\xe9", False, "20261123")
    assert output_record(line, app="demo", job="ticker", instance="i1") == {
        "ts": "2026-11-23T21:20:39.123456Z",
        "level": "info",
        "event": "job.output",
        "run": "20261123",
        "app": "demo",
        "job": "ticker",
        "instance": "i1",
        "stream": "stderr",
        "line": "caf\\xe9",
    }
    assert output_record(line._replace(cut=True))["cut"] is True


def test_a_record_as_one_line_for_people() -> None:
    record = {
        "ts": "T",
        "level": "info",
        "event": "job.started",
        "job": "a b",
        "pid": 7,
        "x": "y\n",
    }
    assert event_text(record) == 'T info job.started job="a b" pid=7 x="y\\n"'
