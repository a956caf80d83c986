"""Writing into a directory that a job writes to as well."""

from __future__ import annotations

import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gitdeploy.errors import Conflict, NotFound
from gitdeploy.web import placing
from gitdeploy.web.files import OpenFile, open_below


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    root.mkdir()
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    return outside


def body(root: Path, text: str) -> Path:
    file = root.with_name("incoming")
    file.write_text(text)
    return file


def any_tag(tag: str | None) -> None:
    """Lets every change through."""


def test_a_file_comes_whole_with_its_parents_and_the_tag_that_reading_gives(root: Path) -> None:
    new, modified, tag = placing.put_file(root, ["a", "b", "c"], body(root, "one"), any_tag)
    assert new
    found = open_below(root, ["a", "b", "c"])
    assert isinstance(found, OpenFile)
    assert (found.tag, found.modified, found.size) == (tag, modified, 3)
    found.close()
    assert not root.with_name("incoming").exists()
    seen: list[str | None] = []
    new, _, other = placing.put_file(root, ["a", "b", "c"], body(root, "two"), seen.append)
    assert not new
    assert seen == [tag]
    assert other != tag


def test_a_missing_root_is_made(root: Path) -> None:
    root.rmdir()
    placing.put_file(root, ["x"], body(root, "x"), any_tag)
    assert (root / "x").read_text() == "x"


def test_a_program_stays_one_and_others_can_t_write_to_it(root: Path) -> None:
    (root / "run").write_text("old")
    (root / "run").chmod(0o777)
    placing.put_file(root, ["run"], body(root, "new"), any_tag)
    assert stat.S_IMODE((root / "run").stat().st_mode) == 0o755
    placing.put_file(root, ["plain"], body(root, "new"), any_tag)
    assert stat.S_IMODE((root / "plain").stat().st_mode) == 0o644


def test_a_refused_change_changes_nothing(root: Path) -> None:
    (root / "x").write_text("old")

    def refuse(tag: str | None) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        placing.put_file(root, ["x"], body(root, "new"), refuse)
    with pytest.raises(PermissionError):
        placing.remove_file(root, ["x"], refuse)
    assert (root / "x").read_text() == "old"


@pytest.mark.parametrize(
    "work",
    [
        lambda root: placing.put_file(root, ["out", "new"], body(root, "x"), any_tag),
        lambda root: placing.put_file(root, ["out"], body(root, "x"), any_tag),
        lambda root: placing.put_file(root, ["file"], body(root, "x"), any_tag),
        lambda root: placing.make_folder(root, ["out", "new"]),
        lambda root: placing.make_folder(root, ["out"]),
        lambda root: placing.remove_file(root, ["out", "kept"], any_tag),
        lambda root: placing.remove_file(root, ["file"], any_tag),
        lambda root: placing.remove_folder(root, ["out"], recursive=True),
        lambda root: placing.remove_folder(root, ["out"], recursive=False),
        lambda root: placing.remove_folder(root, ["out", "sub"], recursive=True),
    ],
)
def test_no_link_is_followed(root: Path, outside: Path, work: Callable[[Path], object]) -> None:
    (outside / "sub").mkdir()
    (root / "out").symlink_to(outside)
    (root / "file").symlink_to(outside / "kept")
    with pytest.raises((Conflict, NotFound, OSError)):
        work(root)
    assert sorted(entry.name for entry in outside.iterdir()) == ["kept", "sub"]
    assert (outside / "kept").read_text() == "kept"


def test_a_link_that_comes_and_goes_meanwhile_is_never_followed(root: Path, outside: Path) -> None:
    done = threading.Event()
    real, link = root / "real", root / "link"
    real.mkdir()
    link.symlink_to(outside)

    def swap() -> None:
        while not done.is_set():
            for each in (real, link):
                try:
                    each.rename(root / "d")
                except OSError:  # the writer was quicker and has made it
                    shutil.rmtree(root / "d", ignore_errors=True)
                else:
                    (root / "d").rename(each)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for number in range(300):
            try:
                placing.put_file(root, ["d", f"f{number}"], body(root, "x"), any_tag)
            except (Conflict, NotFound, OSError):
                continue
    finally:
        done.set()
        swapping.join()
    assert [entry.name for entry in outside.iterdir()] == ["kept"]


def test_a_tree_is_merged_or_left_alone(root: Path, tmp_path: Path) -> None:
    (root / "in/sub").mkdir(parents=True)
    (root / "in/sub/old").write_text("old")
    (root / "in/file").write_text("file")
    source = tmp_path / "source"
    (source / "sub/deep").mkdir(parents=True)
    (source / "sub/deep/x").write_text("x")
    (source / "sub/old").write_text("new")
    placing.merge(source, root, ["in"])
    assert (root / "in/sub/old").read_text() == "new"
    assert (root / "in/sub/deep/x").read_text() == "x"
    for clash in ("file/x", "sub"):
        again = tmp_path / clash.replace("/", "-")
        (again / "aaa").mkdir(parents=True)
        (again / clash).parent.mkdir(exist_ok=True)
        (again / clash).write_text("clash")
        with pytest.raises(Conflict):
            placing.merge(again, root, ["in"])
        assert not (root / "in/aaa").exists()
    assert (root / "in/file").read_text() == "file"


def test_directories_go_only_when_empty_or_on_request(root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    with pytest.raises(Conflict):
        placing.remove_folder(root, ["a"], recursive=False)
    placing.remove_folder(root, ["a", "b"], recursive=False)
    (root / "a/link").symlink_to("/")
    placing.remove_folder(root, ["a"], recursive=True)
    with pytest.raises(NotFound):
        placing.remove_folder(root, ["a"], recursive=True)
    with pytest.raises(NotFound):
        placing.remove_file(root, ["a", "x"], any_tag)
