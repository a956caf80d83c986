"""Writing a tree as a release directory."""

from __future__ import annotations

import os
import stat

import pytest

from gitdeploy.deploy.errors import DeployError
from gitdeploy.deploy.tree import below, site_manifest, write_tree

COMMIT = "4f2c1ab" + "0" * 33


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_files_have_their_bytes_modes_and_manifest(tree, tmp_path):
    blob = tree.add("run.sh", b"#!/bin/sh\r\necho hi\r\n", 0o100755)
    tree.add("App_Data/jobs/continuous/t/run.py", b"print(1)\n")
    tree.add("group-writable", b"x", 0o100664)
    previous = os.umask(0o077)
    try:
        written = write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    finally:
        os.umask(previous)
    root = tmp_path / "1"
    assert (root / "run.sh").read_bytes() == b"#!/bin/sh\r\necho hi\r\n"
    assert mode(root / "run.sh") == 0o755
    assert mode(root / "group-writable") == 0o644
    assert mode(root / "App_Data/jobs/continuous/t/run.py") == 0o644
    assert mode(root) == mode(root / "App_Data") == 0o755
    assert written.manifest["run.sh"] == (0o100755, blob)
    assert written.size == 20 + 9 + 1


def test_the_folders_of_interleaved_paths_are_each_made_once(tree, tmp_path):
    for path in ("a.txt", "a/x", "a/b/y", "a/z", "b/a/q", "c"):
        tree.add(path, path.encode())
    write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    for path in ("a.txt", "a/x", "a/b/y", "a/z", "b/a/q", "c"):
        assert (tmp_path / "1" / path).read_text() == path


def test_a_link_within_is_written_as_a_link(tree, tmp_path):
    tree.add("real/file", b"x")
    tree.add("link", b"real/file", 0o120000)
    write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    assert os.readlink(tmp_path / "1" / "link") == "real/file"
    assert (tmp_path / "1" / "link").read_bytes() == b"x"


def test_a_refused_link_leaves_nothing_written(tree, tmp_path):
    tree.add("a", b"x")
    tree.add("evil", b"/etc/passwd", 0o120000)
    with pytest.raises(DeployError, match="evil"):
        write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    assert not (tmp_path / "1").exists()


def test_nothing_is_written_through_a_link_of_the_same_tree(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    tree.add("d", b"../outside", 0o120000)
    tree.add("d/file", b"x")
    with pytest.raises(DeployError):
        write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    assert list(outside.iterdir()) == []


def test_submodules_stay_empty_and_lfs_pointers_stay_pointers(tree, tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    tree.add("vendor/lib", b"", 0o160000)
    tree.add("model.bin", pointer)
    tree.add("talks-about-lfs.md", pointer + b"x" * 2000)
    written = write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    assert written.submodules == ["vendor/lib"]
    assert list((tmp_path / "1/vendor/lib").iterdir()) == []
    assert written.lfs == ["model.bin"]
    assert (tmp_path / "1/model.bin").read_bytes() == pointer


def test_names_that_are_not_utf8_survive(tree, tmp_path):
    tree.add(b"caf\xe9", b"x")
    written = write_tree(tree, "t", tmp_path / "1", commit=COMMIT)
    assert os.listdir(os.fsencode(tmp_path / "1")) == [b"caf\xe9"]
    assert os.fsdecode(b"caf\xe9") in written.manifest


def test_an_entry_that_git_does_not_know_is_refused(tree, tmp_path):
    tree.add("pipe", b"", 0o010644)
    with pytest.raises(DeployError, match="10644"):
        write_tree(tree, "t", tmp_path / "1", commit=COMMIT)


def test_an_existing_release_is_never_written_into(tree, tmp_path):
    (tmp_path / "1").mkdir()
    tree.add("a", b"x")
    with pytest.raises(FileExistsError):
        write_tree(tree, "t", tmp_path / "1", commit=COMMIT)


def test_below_strips_the_project():
    manifest = {"site/a": (1, "x"), "site2/b": (1, "y"), "c": (1, "z")}
    assert below(manifest, "site") == {"a": (1, "x")}
    assert below(manifest, "") == manifest


def test_a_change_outside_the_project_is_seen_by_its_jobs():
    one = site_manifest({"site/a": (1, "x"), "lib/b": (1, "y")}, "site")
    same = site_manifest({"site/a": (1, "x"), "lib/b": (1, "y")}, "site")
    other = site_manifest({"site/a": (1, "x"), "lib/b": (1, "z")}, "site")
    assert one == same
    assert one != other
    assert one["a"] == other["a"]
