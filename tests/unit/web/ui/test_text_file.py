"""A file as text, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.web.ui.text_file import as_bytes, as_text, newline_of


@pytest.mark.parametrize(
    ("text", "newline"),
    [
        ("", "lf"),
        ("a", "lf"),
        ("a\nb\n", "lf"),
        ("a\r\nb", "crlf"),
        ("a\r\nb\n", None),
        ("a\rb", None),
        ("a\r\r\n", None),
        ("\r\n", "crlf"),
    ],
)
def test_lines_end_in_one_way_or_in_none_that_can_be_kept(text, newline):
    assert newline_of(text) == newline


def test_what_is_no_utf_8_is_no_text():
    assert as_text(b"\xff\xfe").text is None
    assert as_text(b"a\0b").text is None
    assert as_text("하나\n".encode()).text == "하나\n"


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60))
def test_what_can_be_edited_comes_back_as_it_was(text):
    """A browser shows the text with line feeds and sends it with CRLF."""
    data = text.encode()
    found = as_text(data)
    if found.editable:
        assert found.text is not None
        assert found.newline is not None
        sent = found.text.replace("\r\n", "\n").replace("\n", "\r\n")
        assert as_bytes(sent, found.newline) == data


def test_what_is_only_shown_moves_no_cursor():
    assert as_text(b"a\x1b[2Jb\tc\r\nd").shown == "a\\x1b[2Jb\tc\nd"
