"""Arguments are split as sh splits them."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.jobs import split_arguments


def test_nothing_is_no_argument() -> None:
    assert split_arguments(None) == []
    assert split_arguments("") == []
    assert split_arguments("  \t\n") == []


def test_quotes_group_and_nothing_is_executed() -> None:
    assert split_arguments("""a 'b c' "d\\"e" $(id) `x` f\\ g '' # h""") == [
        "a", "b c", 'd"e', "$(id)", "`x`", "f g", "", "#", "h"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["'", 'a "b', "a\\", "a\0b"])
def test_what_can_not_be_split_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="arguments"):
        split_arguments(text)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split_arguments(shlex.join(words)) == words


@settings(deadline=None, max_examples=60)
@given(st.text(st.sampled_from("ab '\"\\-\t"), max_size=15))
def test_it_splits_as_a_posix_shell_does(text: str) -> None:
    shell = subprocess.run(
        ["/bin/sh", "-c", f"set -f; printf '%s\\0' {text}"], capture_output=True, text=True
    )
    try:
        words = split_arguments(text)
    except Invalid as error:
        # dash takes a backslash at the end for itself
        assert shell.returncode != 0 or "backslash" in error.what
        return
    assert shell.returncode == 0
    expected = shell.stdout.split("\0")[:-1]
    assert (words or [""]) == expected
