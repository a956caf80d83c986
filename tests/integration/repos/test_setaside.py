"""All refs of a repository set aside: as new for clients, and nothing lost."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from gitdeploy.errors import Conflict
from gitdeploy.repos import DELETED, set_aside
from tests.integration.repos.receiving import CALLER, Clone, Host
from tests.support import git


def refs(host: Host) -> dict[str, str]:
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=host.path).stdout
    return dict(line.split(" ") for line in lines.splitlines())  # type: ignore[misc]


async def push(clone: Clone, *arguments: str) -> None:
    await asyncio.to_thread(git, "push", "-q", *arguments, cwd=clone.path)


def commit(clone: Clone, name: str) -> None:
    (clone.path / name).write_text(name)
    git("add", "-A", cwd=clone.path)
    git("commit", "-q", "-m", name, cwd=clone.path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [3, 40])
async def test_loose_and_packed_refs_few_and_many_keep_their_objects(
    host: Host, clone: Clone, packed: bool, count: int
) -> None:
    commit(clone, "first")
    names = [f"HEAD:refs/heads/topic/{n}" for n in range(count - 2)]
    git("tag", "-a", "-m", "one", "v1", cwd=clone.path)
    await push(clone, host.url, "HEAD:refs/heads/main", "refs/tags/v1", *names)
    if packed:
        git("pack-refs", "--all", cwd=host.path)
    before = refs(host)
    assert len(before) == count

    moved = await set_aside(host.repository, "then", CALLER)

    assert set(moved) == set(before)
    assert refs(host) == {
        f"{DELETED}then/{ref.removeprefix('refs/')}": oid for ref, oid in before.items()
    }
    assert dict(host.repository.visible_refs()) == {}
    git("gc", "-q", "--prune=now", cwd=host.path)
    host.fsck()
    kept = f"{DELETED}then/heads/main"
    git("update-ref", "refs/heads/main", kept, cwd=host.path)
    assert host.repository.branch_tip("main") == before["refs/heads/main"]


async def test_twice_is_twice_kept(host: Host, clone: Clone) -> None:
    for name in ("one", "two"):
        commit(clone, name)
        await push(clone, host.url, "HEAD:refs/heads/main")
        await set_aside(host.repository, name, CALLER)
    assert set(refs(host)) == {f"{DELETED}{name}/heads/main" for name in ("one", "two")}
    assert await set_aside(host.repository, "three", CALLER) == ()


async def test_a_held_lock_refuses_it_and_everything_stays(host: Host, clone: Clone) -> None:
    commit(clone, "first")
    await push(clone, host.url, "HEAD:refs/heads/main", "HEAD:refs/heads/other")
    before = refs(host)
    (host.path / "refs/heads/other.lock").touch()
    with pytest.raises(Conflict, match="refs/heads/other"):
        await set_aside(host.repository, "then", CALLER)
    now = refs(host)
    assert {ref: now[ref] for ref in before} == before
    (host.path / "refs/heads/other.lock").unlink()
    assert set(await set_aside(host.repository, "later", CALLER)) == set(before)


async def test_a_push_that_is_under_way_is_rejected_and_can_come_again(
    host: Host, clone: Clone
) -> None:
    commit(clone, "first")
    await push(clone, host.url, "HEAD:refs/heads/main")
    commit(clone, "second")
    host.hook("pre-receive", "touch begun; while [ ! -e go ]; do sleep 0.02; done\n")
    pushing = asyncio.create_task(
        asyncio.to_thread(
            git, "push", host.url, "HEAD:refs/heads/main", cwd=clone.path, check=False
        )
    )
    while not (host.path / "begun").exists():
        await asyncio.sleep(0.01)
    await set_aside(host.repository, "then", CALLER)
    (host.path / "go").touch()
    done: subprocess.CompletedProcess[str] = await pushing
    assert done.returncode != 0 and "main" in done.stderr
    assert dict(host.repository.visible_refs()) == {}
    await push(clone, host.url, "HEAD:refs/heads/main")
    assert set(host.repository.visible_refs()) == {"refs/heads/main"}
    host.fsck()
