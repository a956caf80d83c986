"""Refs on disk: what git wrote a moment ago is seen, whatever was kept from before."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from gitdeploy.repos import layout
from gitdeploy.repos.refs import Refs
from gitdeploy.repos.types import RepositoryError
from tests.support import git


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo.git"
    layout.create(path)
    return path


@pytest.fixture
def commit(repo: Path) -> str:
    tree = git("mktree", cwd=repo, input=b"").stdout.strip()
    return git("commit-tree", "-m", "x", tree, cwd=repo).stdout.strip()


def test_every_change_by_git_is_seen(repo: Path, commit: str) -> None:
    refs = Refs(repo)
    assert refs.all() == {}
    git("update-ref", "refs/heads/deep/er", commit, cwd=repo)
    assert refs.all() == {"refs/heads/deep/er": commit}
    git("update-ref", "refs/heads/a", commit, cwd=repo)
    assert list(refs.all()) == ["refs/heads/a", "refs/heads/deep/er"]
    git("pack-refs", "--all", "--prune", cwd=repo)
    assert list(refs.all()) == ["refs/heads/a", "refs/heads/deep/er"]
    assert refs.read("refs/heads/deep/er") == commit
    git("update-ref", "-d", "refs/heads/a", cwd=repo)
    assert refs.all() == {"refs/heads/deep/er": commit}
    assert refs.read("refs/heads/a") is None
    assert refs.read("refs/heads/deep") is None
    assert refs.read("refs/heads/deep/er/x") is None


def test_a_listing_is_kept_while_nothing_changes(repo: Path, commit: str) -> None:
    git("update-ref", "refs/heads/a", commit, cwd=repo)
    refs = Refs(repo)
    deadline = time.monotonic() + 5
    while refs.all() is not refs.all():  # until the change is old enough to be told from another
        assert time.monotonic() < deadline
    first = refs.all()
    git("update-ref", "refs/heads/b", commit, cwd=repo)
    assert refs.all() is not first
    assert len(refs.all()) == 2


def test_symbolic_and_broken_refs_are_no_refs_to_an_object(repo: Path, commit: str) -> None:
    git("update-ref", "refs/heads/a", commit, cwd=repo)
    git("pack-refs", "--all", cwd=repo)
    git("symbolic-ref", "refs/heads/alias", "refs/heads/a", cwd=repo)
    (repo / "refs" / "heads" / "a").write_text("")
    refs = Refs(repo)
    assert refs.all() == {}
    assert refs.odd() == {"refs/heads/a", "refs/heads/alias"}
    for ref in refs.odd():
        with pytest.raises(RepositoryError, match=ref):
            refs.read(ref)


def test_head_is_read_and_set(repo: Path) -> None:
    refs = Refs(repo)
    assert refs.head() == "refs/heads/main"
    refs.set_head("refs/heads/trunk")
    assert git("symbolic-ref", "HEAD", cwd=repo).stdout == "refs/heads/trunk\n"
    (repo / "HEAD").write_text("1" * 40 + "\n")
    assert refs.head() is None


def test_a_lock_on_head_is_respected(repo: Path) -> None:
    (repo / "HEAD.lock").touch()
    with pytest.raises(FileExistsError):
        Refs(repo).set_head("refs/heads/trunk")
    assert Refs(repo).head() == "refs/heads/main"
    assert (repo / "HEAD.lock").exists()


def test_readers_see_every_ref_while_git_packs_them(repo: Path, commit: str) -> None:
    names = {f"refs/heads/b{n}" for n in range(30)}
    for name in names:
        git("update-ref", name, commit, cwd=repo)
    refs = Refs(repo)
    seen: list[set[str]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(set(refs.all()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        git("pack-refs", "--all", "--prune", cwd=repo)
        git(
            "update-ref",
            "--stdin",
            cwd=repo,
            input=b"".join(f"update {name} {commit}\n".encode() for name in names),
        )
    stop.set()
    reader.join()
    assert seen and all(names == one for one in seen)
