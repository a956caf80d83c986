"""Which paths and links of a tree are refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.paths import check_links, check_paths, is_dot_git

COMMIT = "4f2c1ab" + "0" * 33


def refuse(*paths: bytes, root_length: int = 20) -> DeployError:
    with pytest.raises(DeployError) as caught:
        check_paths(paths, root_length=root_length, commit=COMMIT)
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        b".git",
        b".GIT",
        b".Git",
        b"git~1",
        b"GIT~1",
        b".git.",
        b".git ",
        b".git . .",
        b".git::$INDEX_ALLOCATION",
        b".git:stream",
        b"x\\.git",
        b".git\\hooks",
        ".g\u200cit".encode(),
        "\ufeff.git".encode(),
        ".gi\u202et".encode(),
    ],
)
def test_every_spelling_of_dot_git_is_refused(name):
    assert is_dot_git(name)
    error = refuse(b"sub/" + name + b"/config")
    assert COMMIT[:10] in error.what
    assert error.fix


@pytest.mark.parametrize(
    "name", [b".gitignore", b".gitmodules", b"git", b".github", b"x.git", b"git~2", b".gi\xfft"]
)
def test_names_that_only_resemble_dot_git_are_allowed(name):
    assert not is_dot_git(name)
    check_paths([name], root_length=20, commit=COMMIT)


@pytest.mark.parametrize("path", [b"..", b"a/../b", b"a//b", b"/etc/passwd", b"./a", b"a\0b", b""])
def test_a_path_that_could_leave_the_release_is_refused(path):
    refuse(path)


def test_a_name_of_more_than_255_bytes_is_refused_and_named():
    assert "255" in refuse(b"d/" + b"x" * 256).what


def test_a_path_too_long_with_the_home_in_front_is_refused():
    long = b"/".join([b"y" * 200] * 20)
    check_paths([long], root_length=20, commit=COMMIT)
    assert "too long" in refuse(long, root_length=200).what


def test_a_path_that_comes_twice_is_refused():
    assert "twice" in refuse(b"a/b", b"a/b").what


def test_a_path_that_is_file_and_directory_is_refused():
    assert "at once" in refuse(b"a", b"b", b"a/b").what


@pytest.mark.parametrize(
    ("links", "reason"),
    [
        ({b"a": b"/etc/passwd"}, "absolute"),
        ({b"a": b".."}, "leaves"),
        ({b"d/a": b"../../x"}, "leaves"),
        ({b"d/a": b"../b", b"b": b"../x"}, "leaves"),
        ({b"s/deep/d": b"../../x", b"s/e": b"deep/d/../.."}, "leaves"),
        ({b"a": b""}, "isn't a path"),
        ({b"a": b"x\0y"}, "isn't a path"),
        ({b"a": b"x" * 5000}, "isn't a path"),
    ],
)
def test_a_link_that_leaves_the_release_is_refused(links, reason):
    with pytest.raises(DeployError) as caught:
        check_links(links, COMMIT)
    assert reason in caught.value.what
    assert COMMIT[:10] in caught.value.what


def test_links_within_the_release_and_loops_are_allowed():
    check_links(
        {b"d/a": b"../b/./c//x", b"loop": b"loop", b"p": b"q", b"q": b"p", b"here": b"."}, COMMIT
    )


def test_links_that_cost_too_much_to_follow_are_refused():
    target = b"/".join([b"d", b".."] * 650)
    with pytest.raises(DeployError, match="entangled"):
        check_links({b"l%d" % number: target for number in range(2000)}, COMMIT)


names = st.sampled_from(["a", "b", "c", "..", "."])
targets = st.lists(names, min_size=1, max_size=5).map("/".join)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b", "d/a", "d/b", "d/e/c"]), targets, max_size=5))
def test_a_link_that_passes_never_leads_out_on_a_real_disk(tmp_path_factory, links):
    """The kernel is the oracle: resolve the accepted links for real."""
    try:
        check_links({os.fsencode(k): os.fsencode(v) for k, v in links.items()}, COMMIT)
    except DeployError:
        return
    outside = tmp_path_factory.mktemp("links")
    root = outside / "1/2/3/4/5/release"
    for folder in ("d/e", "d/e/f"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, target in links.items():
        (root / name).symlink_to(target)
    # Whatever a target may name is there, inside and out: what the kernel can't find leads nowhere.
    for folder in (root / "d/e", root / "d", root, *root.parents[:6]):
        for name in ("a", "b", "c"):
            if not (folder / name).is_symlink():
                (folder / name).mkdir(exist_ok=True)
    for name in links:
        try:
            real = (root / name).resolve(strict=True)
        except (OSError, RuntimeError):  # a loop; RuntimeError before Python 3.13
            continue
        assert real == root or root in real.parents
