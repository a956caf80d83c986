"""Files of a directory that somebody else may write to."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from gitdeploy.errors import NotFound
from gitdeploy.web.files import Listed, OpenFile, media_of, open_below


async def read(file: OpenFile) -> bytes:
    data = b"".join([piece async for piece in file.read(0, file.size)])
    file.close()
    return data


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file.txt").write_text("hello")
    return root


async def test_files_and_directories_are_found_at_their_paths(tree: Path) -> None:
    file = open_below(tree, ("a", "b", "file.txt"))
    assert isinstance(file, OpenFile)
    assert (file.size, file.media) == (5, "text/plain; charset=utf-8")
    assert await read(file) == b"hello"
    (listed,) = open_below(tree, ("a", "b")) or ()
    assert isinstance(listed, Listed)
    assert (listed.name, listed.size, listed.media) == ("file.txt", 5, "text/plain")
    assert [one.name for one in open_below(tree, ()) or ()] == ["a"]
    for missing in (("x",), ("a", "x", "y"), ("a", "b", "file.txt", "x")):
        assert open_below(tree, missing) is None
    assert open_below(tree / "none", ()) is None


@pytest.mark.parametrize("part", ["..", ".", "", "../secret", "a/b", "\0"])
def test_nothing_that_is_no_name_leads_anywhere(tree: Path, part: str) -> None:
    assert open_below(tree, (part,)) is None
    assert open_below(tree, ("a", part)) is None


def test_links_are_listed_and_never_followed(tree: Path) -> None:
    (tree / "a" / "link").symlink_to(tree.parent / "secret")
    (tree / "a" / "up").symlink_to("..")
    (tree / "a" / "own").symlink_to("b")
    for path in (("a", "link"), ("a", "up"), ("a", "own", "file.txt")):
        with pytest.raises(NotFound, match="link"):
            open_below(tree, path)
    media = {one.name: one.media for one in open_below(tree, ("a",)) or ()}
    assert media == {
        "b": "inode/directory",
        "link": "inode/symlink",
        "own": "inode/symlink",
        "up": "inode/symlink",
    }


def test_what_would_block_or_speak_is_not_opened(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/s")
        for root, name in ((tree, "fifo"), (Path(short), "s")):
            with pytest.raises(NotFound):
                open_below(root, (name,))


async def test_a_file_that_became_shorter_ends_early(tree: Path) -> None:
    path = tree / "a" / "b" / "file.txt"
    file = open_below(tree, ("a", "b", "file.txt"))
    assert isinstance(file, OpenFile)
    path.write_text("he")
    assert await read(file) == b"he"


def test_the_tag_is_another_when_the_file_is(tree: Path) -> None:
    def tag() -> str:
        file = open_below(tree, ("a", "b", "file.txt"))
        assert isinstance(file, OpenFile)
        file.close()
        return file.tag

    first = tag()
    assert tag() == first
    (tree / "a" / "b" / "file.txt").write_text("other")
    assert tag() != first


@pytest.mark.parametrize(
    ("name", "media"),
    [
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.LOG", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.zip", "application/zip"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.html", "text/plain; charset=utf-8"),
        ("a.svg", "text/plain; charset=utf-8"),
        ("a.xml", "text/plain; charset=utf-8"),
        ("a.js", "text/plain; charset=utf-8"),
    ],
)
def test_nothing_that_a_browser_runs_is_sent_as_such(name: str, media: str) -> None:
    assert media_of(name) == media
