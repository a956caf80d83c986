"""How a file differs, as its page shows it."""

from __future__ import annotations

from gitdeploy.web.ui.views.deployment_file import Line, unified


def test_lines_that_differ_have_a_tone() -> None:
    assert unified(b"a\nb\n", b"a\nc\n") == [
        Line("hunk", "@@ -1,2 +1,2 @@"),
        Line("", " a"),
        Line("removed", "-b"),
        Line("added", "+c"),
    ]


def test_a_new_and_a_removed_file_are_all_one_tone() -> None:
    assert [line.tone for line in unified(b"", b"a\n\n") or []] == ["hunk", "added", "added"]
    assert [line.tone for line in unified(b"a\n", b"") or []] == ["hunk", "removed"]


def test_what_could_hide_something_is_shown() -> None:
    lines = unified(b"", b"a\r\n\x1b[2Jb\n")
    assert lines is not None
    assert [line.text for line in lines[1:]] == ["+a\\x0d", "+\\x1b[2Jb"]


def test_what_is_no_text_or_too_long_is_not_compared() -> None:
    assert unified(b"\0", b"a") is None
    assert unified(b"", b"a\n" * 2001) is None
    assert unified(b"a", b"a\n") == []
