"""Ref names: `git check-ref-format` is the oracle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitdeploy.repos.refnames import MAX_COMPONENT, MAX_NAME, refusal, valid

names = st.lists(
    st.text(st.sampled_from("abZ0.@{}-~^:?*[\\ \x01\x7fé/_lock"), min_size=0, max_size=6).map(
        lambda part: part + (".lock" if part.endswith("k") else "")
    ),
    min_size=1,
    max_size=4,
).map("/".join)


def git_says(name: str) -> bool:
    done = subprocess.run(
        ["git", "check-ref-format", name], cwd=Path("/"), capture_output=True, check=False
    )
    return done.returncode == 0


@settings(deadline=None, max_examples=150)
@given(names)
@example("heads/main")
@example("heads/a..b")
@example("heads/@")
@example("@/x")
@example("heads/x.lock/y")
@example("heads/.x")
@example("heads/x.")
@example("heads/x./y")
@example("/heads")
@example("/heads/x")
@example("heads/x/")
@example("heads/a@{b")
def test_we_say_what_git_says(name: str) -> None:
    name = f"refs/{name}"  # a name that begins with "-" would be an option
    assert valid(name) == git_says(name)


def test_a_name_without_a_slash_is_not_valid() -> None:
    assert not valid("main")


@pytest.mark.parametrize("name", ["HEAD", "main", "heads/main", "refs", "refs/stash", "refs/"])
def test_a_push_reaches_only_below_refs(name: str) -> None:
    assert refusal(name) is not None


@pytest.mark.parametrize("name", ["refs/gitdeploy/x", "refs/gitdeploy/a/b", "refs/gitdeploy/"])
def test_our_own_refs_are_hidden(name: str) -> None:
    assert "hidden" in (refusal(name) or "")


@pytest.mark.parametrize("name", ["refs/heads/gitdeploy/x", "refs/gitdeploy2/x", "refs/notes/x"])
def test_names_that_only_look_like_ours_are_allowed(name: str) -> None:
    assert refusal(name) is None


def test_lengths_are_counted_in_bytes_and_named() -> None:
    assert refusal("refs/heads/" + "é" * (MAX_COMPONENT // 2)) is None
    assert f"the limit is {MAX_COMPONENT}" in (refusal("refs/heads/" + "é" * 126) or "")
    assert f"the limit is {MAX_NAME}" in (refusal("refs/heads" + "/abcdefghi" * 103) or "")
