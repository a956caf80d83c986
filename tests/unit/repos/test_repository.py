"""What the pipeline reads from a repository, and the life of all of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from gitdeploy.config import Options
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.home import Home
from gitdeploy.repos import Repositories, Repository, RepositoryError
from tests.support import git


@pytest.fixture
async def repositories(tmp_path: Path) -> AsyncIterator[Repositories]:
    home = tmp_path / "home"
    repositories = Repositories(Home(home), Options(home=home), structlog.get_logger())
    await repositories.start()
    yield repositories
    await repositories.close()


@pytest.fixture
async def repository(repositories: Repositories) -> Repository:
    return await repositories.create("shop")


def store(repository: Repository, kind: str, data: bytes) -> str:
    return git(
        "hash-object", "-t", kind, "-w", "--literally", "--stdin", cwd=repository.path, input=data
    ).stdout.strip()


def commit(repository: Repository, tree: str, message: str = "x") -> str:
    return git("commit-tree", "-m", message, tree, cwd=repository.path).stdout.strip()


async def test_a_new_repository_is_one_that_git_likes(repository: Repository) -> None:
    assert git("rev-parse", "--is-bare-repository", cwd=repository.path).stdout == "true\n"
    git("fsck", "--strict", cwd=repository.path)
    assert repository.head() == "refs/heads/main"
    assert repository.refs() == {}
    assert repository.branch_tip("main") is None
    hooks = {p.name for p in (repository.path / "hooks").iterdir() if os.access(p, os.X_OK)}
    assert hooks == {"pre-receive", "update", "post-receive"}


async def test_a_repository_is_opened_once(repositories: Repositories) -> None:
    with pytest.raises(NotFound, match="shop"):
        repositories.open("shop")
    made = await repositories.create("shop")
    assert repositories.open("shop") is made
    with pytest.raises(Conflict, match="shop"):
        await repositories.create("shop")
    await repositories.delete("shop")
    assert made.closed
    assert repositories.open("shop") is not made


async def test_a_commit_says_who_when_and_why(repository: Repository) -> None:
    tree = store(repository, "tree", b"")
    data = (
        f"tree {tree}\nauthor Zoë <zoe@example.org> 1700000000 +0130\n"
        "committer C O <c@example.org> 1700000007 -0800\n"
    ).encode()
    oid = store(repository, "commit", data + "\nFirst line\nof it\n\nBody ü\n".encode())
    info = repository.commit_info(oid)
    assert (info.id, info.tree, info.parents) == (oid, tree, ())
    assert (info.author, info.author_email) == ("Zoë", "zoe@example.org")
    assert info.time == 1_700_000_007_000_000
    assert info.subject == "First line of it"
    assert info.message == "First line\nof it\n\nBody ü\n"
    latin = store(repository, "commit", data + b"encoding ISO-8859-1\n\nGr\xfc\xdfe\n")
    assert repository.commit_info(latin).subject == "Grüße"
    unknown = store(repository, "commit", data + b"encoding klingon\n\nx\xff\n")
    assert repository.commit_info(unknown).subject == "x\ufffd"
    with pytest.raises(NotFound):
        repository.commit_info(tree)


async def test_a_tree_is_walked_whole_in_gits_order(repository: Repository, tmp_path: Path) -> None:
    work = tmp_path / "work"
    for name in ("a/b/c", "a.txt", "a/b.txt", "z", "run.sh"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    (work / "run.sh").chmod(0o755)
    (work / "link").symlink_to("a.txt")
    run = {"GIT_DIR": str(repository.path), "GIT_WORK_TREE": str(work)}
    git("add", "-A", cwd=work, env=run)
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub", cwd=work, env=run)
    tree = git("write-tree", cwd=work, env=run).stdout.strip()
    listed = git("ls-tree", "-r", tree, cwd=repository.path).stdout.splitlines()
    walked = [
        f"{e.mode:06o} {'commit' if e.mode == 0o160000 else 'blob'} {e.id}\t{e.path.decode()}"
        for e in repository.walk_tree(tree)
    ]
    assert walked == listed


async def test_a_tree_deeper_than_any_stack_is_refused(repository: Repository) -> None:
    tree = store(repository, "tree", b"")
    for _ in range(300):
        tree = store(repository, "tree", b"40000 d\0" + bytes.fromhex(tree))
    with pytest.raises(RepositoryError, match="deeper"):
        list(repository.walk_tree(tree))


async def test_blobs_are_measured_read_and_copied(repository: Repository, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    blob = store(repository, "blob", data)
    for _ in range(2):
        assert repository.blob_size(blob) == len(data)
        assert repository.read_blob(blob) == data
        target = tmp_path / "copy"
        with target.open("wb") as file:
            repository.copy_blob(blob, file.fileno())
        assert target.read_bytes() == data
        git("update-ref", "refs/tags/blob", blob, cwd=repository.path)
        git("repack", "-q", "-a", "-d", cwd=repository.path)
    for question in (repository.blob_size, repository.read_blob):
        with pytest.raises(NotFound):
            question("1" * 40)


async def test_revisions_are_resolved_as_git_resolves_them(repository: Repository) -> None:
    tree = store(repository, "tree", b"")
    first, second = commit(repository, tree, "1"), commit(repository, tree, "2")
    for ref, oid in (("refs/heads/main", first), ("refs/heads/x/y", second)):
        git("update-ref", ref, oid, cwd=repository.path)
    git("tag", "-a", "v1", "-m", "x", second, cwd=repository.path)
    git("tag", "-a", "v2", "-m", "x", "v1", cwd=repository.path)
    for revision in (first, first[:10], "main", "heads/main", "refs/heads/main", "HEAD"):
        assert repository.resolve(revision) == first
    for revision in ("x/y", "v1", "v2", "tags/v1", second[:7]):
        assert repository.resolve(revision) == second
    for revision in ("nothing", "1" * 40, tree, "ffffff", "", "v1^{}", "-x", "../config", "ab"):
        with pytest.raises(NotFound):
            repository.resolve(revision)


async def test_an_abbreviation_that_fits_two_commits_is_refused(repository: Repository) -> None:
    tree = store(repository, "tree", b"")
    seen: dict[str, str] = {}
    for number in range(5000):
        oid = commit_id(tree, number)
        if oid[:4] in seen:
            break
        seen[oid[:4]] = str(number)
    data = [commit_data(tree, int(seen[oid[:4]])), commit_data(tree, number)]
    one, two = (store(repository, "commit", d) for d in data)
    assert one[:4] == two[:4]
    with pytest.raises(Invalid, match="2 commits"):
        repository.resolve(one[:4])
    assert repository.resolve(two[:12]) == two


def commit_data(tree: str, number: int) -> bytes:
    who = f"A <a@example.org> {1_700_000_000 + number} +0000"
    return f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode()


def commit_id(tree: str, number: int) -> str:
    import hashlib

    data = commit_data(tree, number)
    return hashlib.sha1(b"commit %d\0" % len(data) + data).hexdigest()
