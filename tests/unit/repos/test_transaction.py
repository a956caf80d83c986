"""Ref moves: a state machine of pushes, checked against a plain dictionary and against git."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos import ZERO, Caller, RefUpdate, layout, transaction
from gitdeploy.repos.refs import Refs
from gitdeploy.repos.transaction import RefTransaction, rounds
from tests.support import git

CALLER = Caller(who="ada", address="192.0.2.7")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    path = tmp_path / "repo.git"
    layout.create(path)
    return path


def commits(repo: Path, count: int) -> list[str]:
    tree = git("mktree", cwd=repo, input=b"").stdout.strip()
    return [git("commit-tree", "-m", str(n), tree, cwd=repo).stdout.strip() for n in range(count)]


def move(
    refs: Refs, updates: list[RefUpdate], *, atomic: bool = False
) -> tuple[set[str], dict[str, str]]:
    with RefTransaction(refs, updates, atomic=atomic) as moves:
        moves.prepare()
        moves.write()
        moved = moves.commit(CALLER, lambda oid: None)
        moves.sync()
        return {u.ref for u in moved}, moves.refused


names = st.sampled_from([f"refs/heads/{n}" for n in ("a", "b", "c/d", "c/e", "a/x", "c")])
values = st.sampled_from(["0", "1", "2"])
pushes = st.lists(
    st.tuples(
        st.lists(
            st.tuples(names, values, values), min_size=1, max_size=5, unique_by=lambda u: u[0]
        ),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=60)
@given(pushes)
def test_refs_do_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory,
    these: list[tuple[list[tuple[str, str, str]], bool, bool]],
) -> None:
    repo = tmp_path_factory.mktemp("move") / "repo.git"
    layout.create(repo)
    refs, model = Refs(repo), dict[str, str]()
    ids = {"0": ZERO, "1": "1" * 40, "2": "2" * 40}
    for commands, atomic, many in these:
        updates = [RefUpdate(ref, ids[old], ids[new]) for ref, old, new in commands]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "_MANY", 0 if many else 16)
            moved, refused = move(refs, updates, atomic=atomic)
        expected: dict[str, bool] = {}
        for u in updates:
            others = (model.keys() | {other.ref for other in updates if other.new != ZERO}) - {
                u.ref
            }
            clash = any(o.startswith(u.ref + "/") or u.ref.startswith(o + "/") for o in others)
            fresh = u.new != ZERO and u.ref not in model
            same = model.get(u.ref, ZERO) == u.old or (u.new == ZERO and u.ref not in model)
            expected[u.ref] = same and not (clash and fresh)
        if atomic and not all(expected.values()):
            expected = dict.fromkeys(expected, False)
        assert {ref: ref not in refused for ref in expected} == expected
        for u in updates:
            if expected[u.ref]:
                assert (u.ref in moved) == (model.get(u.ref, ZERO) != u.new)
                model.pop(u.ref, None) if u.new == ZERO else model.update({u.ref: u.new})
        assert refs.all() == model
        assert Refs(repo).all() == model
        assert {ref: refs.read(ref) for ref in model} == model
        assert list(repo.rglob("*.lock")) == []


def test_git_sees_what_was_moved(repo: Path) -> None:
    one, two = commits(repo, 2)
    refs = Refs(repo)
    move(refs, [RefUpdate("refs/heads/main", ZERO, one), RefUpdate("refs/tags/t", ZERO, one)])
    move(refs, [RefUpdate("refs/heads/main", one, two)])
    assert git("rev-parse", "main", "t", "main@{1}", cwd=repo).stdout.split() == [two, one, one]
    git("pack-refs", "--all", cwd=repo)
    move(refs, [RefUpdate("refs/heads/main", two, ZERO), RefUpdate("refs/tags/t", one, two)])
    assert git("show-ref", cwd=repo).stdout == f"{two} refs/tags/t\n"
    assert not (repo / "logs" / "refs" / "heads" / "main").exists()


def test_an_empty_directory_in_the_way_is_removed(repo: Path) -> None:
    (repo / "refs" / "heads" / "a" / "b").mkdir(parents=True)
    assert move(Refs(repo), [RefUpdate("refs/heads/a", ZERO, "1" * 40)])[1] == {}
    assert Refs(repo).all() == {"refs/heads/a": "1" * 40}


def test_what_was_locked_but_not_moved_is_unlocked(repo: Path) -> None:
    with RefTransaction(Refs(repo), [RefUpdate("refs/heads/x/y", ZERO, "1" * 40)]) as moves:
        moves.prepare()
        assert (repo / "refs/heads/x/y.lock").exists()
    assert not (repo / "refs/heads/x").exists()
    assert (repo / "refs/heads").is_dir()


def test_a_lock_of_another_is_not_removed(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "_PATIENCE", 0.05)
    lock = repo / "refs/heads/a.lock"
    lock.touch()
    moved, refused = move(
        Refs(repo),
        [RefUpdate("refs/heads/a", ZERO, "1" * 40), RefUpdate("refs/heads/b", ZERO, "1" * 40)],
    )
    assert moved == {"refs/heads/b"}
    assert "a.lock is held by another process" in refused["refs/heads/a"]
    assert lock.exists()


def test_deletions_go_first_only_where_they_make_room() -> None:
    gone = RefUpdate("refs/heads/a", "1" * 40, ZERO)
    below = RefUpdate("refs/heads/a/b", ZERO, "1" * 40)
    beside = RefUpdate("refs/heads/ab", ZERO, "1" * 40)
    assert rounds([below, gone]) == ([gone], [below])
    assert rounds([gone, beside]) == ([gone, beside],)
    above = RefUpdate("refs/heads/c", ZERO, "1" * 40)
    nested = RefUpdate("refs/heads/c/d", "1" * 40, ZERO)
    assert rounds([above, nested]) == ([nested], [above])
