"""A directory's files given to another one."""

from __future__ import annotations

import errno
import os

import pytest

from gitdeploy.deploy.builds import sharing
from gitdeploy.deploy.builds.sharing import share_tree


@pytest.fixture(params=[True, False], ids=["no clones", "as it is"])
def source(tmp_path, request, monkeypatch):
    if request.param:
        monkeypatch.setattr(sharing, "cloned", lambda read, written: False)
    source = tmp_path / "source"
    (source / "a" / "b").mkdir(parents=True)
    (source / "a" / "i.js").write_text("one")
    (source / "a" / "run").write_text("#!/bin/sh\n")
    (source / "a" / "run").chmod(0o755)
    (source / "link").symlink_to("a/i.js")
    (source / "dangling").symlink_to("../nowhere")
    os.mkfifo(source / "pipe")
    return source


def test_what_is_kept_is_the_same_and_read_only(source, tmp_path):
    target = tmp_path / "target"
    share_tree(source, target, linked=False, kept=True)
    assert (target / "a/i.js").read_text() == "one"
    assert (target / "link").is_symlink()
    assert os.readlink(target / "dangling") == "../nowhere"
    assert (target / "a/b").is_dir()
    assert (target / "a/i.js").stat().st_mode & 0o777 == 0o444
    assert (target / "a/run").stat().st_mode & 0o777 == 0o555
    assert not (target / "pipe").exists()
    assert (target / "a/i.js").stat().st_mtime_ns == (source / "a/i.js").stat().st_mtime_ns


def test_a_copy_may_be_written_to_and_changes_nothing_else(source, tmp_path):
    kept, target = tmp_path / "kept", tmp_path / "target"
    share_tree(source, kept, linked=False, kept=True)
    share_tree(kept, target, linked=False, kept=False)
    with (target / "a/i.js").open("a") as file:
        file.write("two")
    assert (kept / "a/i.js").read_text() == "one"
    assert (target / "a/i.js").stat().st_mode & 0o200


def test_a_linked_file_is_the_same_one_and_read_only(source, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "cloned", lambda read, written: False)
    target = tmp_path / "target"
    share_tree(source, target, linked=True, kept=False)
    assert (target / "a/i.js").stat().st_ino == (source / "a/i.js").stat().st_ino
    assert not (target / "a/i.js").stat().st_mode & 0o222
    assert (target / "link").is_symlink()


def test_what_can_not_be_linked_is_copied(source, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, "Too many links")

    monkeypatch.setattr(sharing, "cloned", lambda read, written: False)
    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "target"
    share_tree(source, target, linked=True, kept=False)
    assert (target / "a/i.js").read_text() == "one"
    assert (target / "a/i.js").stat().st_ino != (source / "a/i.js").stat().st_ino


def test_a_clone_shares_nothing_that_can_be_written(source, tmp_path, monkeypatch):
    def cloned(read: int, written: int) -> bool:
        os.write(written, os.read(read, 1 << 20))
        return True

    monkeypatch.setattr(sharing, "cloned", cloned)
    target = tmp_path / "target"
    share_tree(source, target, linked=True, kept=False)
    assert (target / "a/i.js").read_text() == "one"
    assert (target / "a/i.js").stat().st_ino != (source / "a/i.js").stat().st_ino
    assert (target / "a/i.js").stat().st_mode & 0o200
