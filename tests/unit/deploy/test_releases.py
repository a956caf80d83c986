"""Release directories on the disk."""

from __future__ import annotations

import os

import pytest

from gitdeploy.deploy.prune import surplus
from gitdeploy.deploy.releases import (
    Meta,
    discard_environments,
    discard_log,
    discard_release,
    discard_strays,
    discard_unused,
    empty_trash,
    flush,
    is_whole,
    point_current,
    read_meta,
    write_meta,
)
from gitdeploy.home import AppHome
from gitdeploy.store import Release


@pytest.fixture
def paths(tmp_path):
    paths = AppHome(tmp_path / "app")
    paths.releases.mkdir(parents=True)
    return paths


def release(paths, number, *, finished=True):
    paths.release(number).mkdir()
    (paths.release(number) / "file").write_text("x")
    if finished:
        write_meta(paths, number, Meta(manifest={}, environment=None, project=""))


def test_what_was_written_of_a_release_is_read_again_even_odd_names(paths):
    manifest = {"a/b": (0o100755, "f" * 40), os.fsdecode(b"caf\xe9"): (0o100644, "0" * 40)}
    meta = Meta(manifest=manifest, environment="e", project="site")
    write_meta(paths, 3, meta)
    assert read_meta(paths, 3) == meta


def test_a_release_is_whole_only_once_it_was_finished(paths):
    release(paths, 1, finished=False)
    assert not is_whole(paths, 1)
    release(paths, 2)
    assert is_whole(paths, 2)
    discard_release(paths, 2)
    assert not is_whole(paths, 2)
    assert not paths.release(2).exists()
    with pytest.raises(FileNotFoundError):
        read_meta(paths, 2)


def test_current_leads_to_one_release_after_the_other(paths):
    release(paths, 1)
    release(paths, 2)
    point_current(paths, 1)
    assert (paths.current / "file").read_text() == "x"
    point_current(paths, 2)
    point_current(paths, 2)
    assert os.readlink(paths.current) == "releases/2"
    assert sorted(p.name for p in paths.root.iterdir()) == ["current", "releases"]


def test_strays_go_and_the_rest_stays(paths):
    release(paths, 1)
    release(paths, 2)
    release(paths, 3, finished=False)
    (paths.releases / "4.new").write_text("{")
    (paths.releases / "5.json").write_text("{}")
    assert discard_strays(paths, [2]) == [1, 3, 5]
    assert sorted(p.name for p in paths.releases.iterdir()) == ["2", "2.json"]


def test_a_link_in_a_release_is_removed_not_followed(paths, tmp_path):
    (tmp_path / "precious").write_text("x")
    release(paths, 1)
    (paths.release(1) / "out").symlink_to(tmp_path)
    discard_release(paths, 1)
    empty_trash(paths)
    assert list((paths.root / "trash").iterdir()) == []
    assert (tmp_path / "precious").exists()


def test_environments_that_nothing_needs_go(paths):
    for name in ("a", "b"):
        (paths.environments / name).mkdir(parents=True)
    assert discard_environments(paths, ["b"]) == ["a"]
    assert [p.name for p in paths.environments.iterdir()] == ["b"]


def test_what_no_build_used_for_long_goes_and_what_is_not_whole(paths):
    now, day = 1_800_000_000, 86_400
    for place, age in (("modules/old", 31), ("modules/used", 29), ("modules/half.new", 0)):
        (paths.root / place).mkdir(parents=True)
        os.utime(paths.root / place, (now - age * day,) * 2)
    paths.cache.mkdir()
    os.utime(paths.cache, (now - 29 * day,) * 2)
    assert sorted(discard_unused(paths, now=now, days=30)) == ["half.new", "old"]
    assert paths.cache.is_dir()
    assert discard_unused(paths, now=now + 2 * day, days=30) == ["used", "cache"]
    assert discard_unused(paths, now=now, days=30) == []


def test_flushing_reaches_the_disk_or_says_why(paths, tmp_path):
    flush(paths.releases)
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "missing")


def rows(*numbers, active=None):
    return [
        Release(app="a", number=n, deployment="d", created_at=0, active=n == active)
        for n in numbers
    ]


def test_the_newest_the_active_and_the_used_releases_stay():
    assert surplus(rows(1, 2, 3, 4, 5, active=2), keep=2, used={1}) == [3]
    assert surplus(rows(1, 2), keep=5, used=set()) == []
    assert surplus(rows(3, 1, 2, active=3), keep=1, used=set()) == [1, 2]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_of_dots_takes_nothing_along(paths, name):
    discard_log(paths, name)
    assert paths.releases.is_dir()
