"""packed-refs: what git writes is read, what we write git reads."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.repos import layout, packedrefs
from tests.support import git

ids = st.text("0123456789abcdef", min_size=40, max_size=40)
refs = st.dictionaries(
    st.text("abc/é-_1", min_size=1, max_size=12).map(lambda name: f"refs/heads/{name}"), ids
)


@settings(deadline=None, max_examples=100)
@given(refs, st.dictionaries(ids, ids))
def test_what_is_written_is_read_back(names: dict[str, str], tags: dict[str, str]) -> None:
    for number, oid in enumerate(tags):
        names[f"refs/tags/{number}"] = oid
    content = packedrefs.render(names, packedrefs.PackedRefs(), tags.get).decode()
    read = packedrefs.parse(content)
    assert read.refs == names
    assert read.complete
    assert read.peeled == {ref: tags[oid] for ref, oid in names.items() if oid in tags}
    known = packedrefs.render(names, read, lambda oid: None).decode()
    assert known == content  # what is known isn't asked for again


def test_a_file_of_an_old_git_is_read_as_incomplete() -> None:
    read = packedrefs.parse("# pack-refs with: peeled \n" + "1" * 40 + " refs/tags/a\nnonsense\n")
    assert read.refs == {"refs/tags/a": "1" * 40}
    assert not read.complete
    content = packedrefs.render(read.refs, read, {"1" * 40: "2" * 40}.get)
    assert content.endswith(b"^" + b"2" * 40 + b"\n")


def test_git_and_we_agree_on_one_file(tmp_path: Path) -> None:
    repo = tmp_path / "repo.git"
    layout.create(repo)
    tree = git("mktree", cwd=repo, input=b"").stdout.strip()
    commit = git("commit-tree", "-m", "x", tree, cwd=repo).stdout.strip()
    git("update-ref", "refs/heads/a", commit, cwd=repo)
    git("tag", "-a", "v1", "-m", "x", commit, cwd=repo)
    git("pack-refs", "--all", cwd=repo)
    file = repo / "packed-refs"
    read = packedrefs.read(file)
    assert read.complete
    assert read.peeled == {"refs/tags/v1": commit}
    assert packedrefs.render(read.refs, read, lambda oid: None) == file.read_bytes()


def test_no_file_is_no_refs(tmp_path: Path) -> None:
    assert packedrefs.read(tmp_path / "packed-refs").refs == {}
