"""A repository's directory: made whole, and cleaned of what a crash left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gitdeploy.repos import layout
from tests.support import git


def test_it_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "app" / "repo.git"

    def full(target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(layout, "_copy_hooks", full)
        with pytest.raises(OSError, match="space"):
            layout.create(path)
    assert not path.exists()
    layout.create(path, "trunk")
    assert git("symbolic-ref", "HEAD", cwd=path).stdout == "refs/heads/trunk\n"
    with pytest.raises(FileExistsError):
        layout.create(path)
    assert [p.name for p in path.parent.iterdir()] == ["repo.git"]


def test_only_quarantines_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "repo.git"
    layout.create(path)
    (path / "objects/incoming-x1/pack").mkdir(parents=True)
    (path / "objects/incoming-x1/pack/p.pack").touch()
    (path / "objects/incoming-file").touch()
    assert layout.remove_quarantines(path) == 1
    assert {p.name for p in (path / "objects").iterdir()} == {"info", "pack", "incoming-file"}


def test_an_old_lock_goes_and_one_that_changes_hands_stays(tmp_path: Path) -> None:
    path = tmp_path / "repo.git"
    layout.create(path)
    old, used = path / "refs/heads/a.lock", path / "refs/heads/b.lock"
    for lock in (old, used):
        lock.touch()
        os.utime(lock, (time.time() - 60, time.time() - 60))
    seen = layout.locks(path)
    assert set(seen) == {old, used}
    used.unlink()
    used.write_text("of somebody else")
    assert layout.remove_stale_locks(seen) == [old]
    assert used.exists()


def test_a_fresh_lock_is_given_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_STALE", 0.2)
    path = tmp_path / "repo.git"
    layout.create(path)
    lock = path / "packed-refs.lock"
    lock.touch()
    started = time.time()
    assert layout.remove_stale_locks(layout.locks(path)) == [lock]
    assert time.time() - started >= 0.15
