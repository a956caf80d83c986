"""Two pushes at once, other git commands beside us, a crash before: refs never lose an update."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from gitdeploy.repos import ZERO, receive_pack
from tests.integration.repos.receiving import CALLER, Clone, Host, chunks, push_body, take
from tests.support import eventually, git


async def test_of_two_pushes_to_one_ref_one_wins_a_hundred_times(host: Host, clone: Clone) -> None:
    base = clone.commit({"a": "0"})
    (await clone.push("origin", "main")).ok()
    rivals = []
    for name in ("one", "two"):
        clone.git("reset", "-q", "--hard", base)
        tip = clone.commit({"a": name})
        rivals.append((tip, push_body(clone, [(base, tip, "refs/heads/main")])))
    wins = {tip: 0 for tip, _ in rivals}
    for number in range(100):
        branch = f"r{number:03}"
        git("update-ref", f"refs/heads/{branch}", base, cwd=host.path)
        bodies = [
            body.replace(b"refs/heads/main", b"refs/heads/" + branch.encode()) for _, body in rivals
        ]
        results = await asyncio.gather(
            *(take(host.repository, body, size=50 + number) for body in bodies)
        )
        tip = host.repository.branch_tip(branch)
        assert tip is not None
        wins[tip] += 1
        for (mine, _), (push, answer) in zip(rivals, results, strict=True):
            if mine == tip:
                assert push is not None
            else:
                assert push is None
                assert f"failed to update ref: is at {tip} but expected {base}".encode() in answer
        packs = len(list((host.path / "objects" / "pack").glob("*.pack")))
        assert packs == 1 + sum(won > 0 for won in wins.values())
    assert sum(wins.values()) == 100
    host.fsck()


async def test_two_clients_at_once_one_is_told_rejected(
    host: Host, clone: Clone, tmp_path: Path
) -> None:
    clone.commit({"a": "0"})
    (await clone.push("origin", "main")).ok()
    host.hook("pre-receive", "sleep 0.3")  # both have seen the same old value
    other = Clone(tmp_path / "other", host.url)
    other.git("fetch", "-q", host.path.as_uri(), "main")
    other.git("reset", "-q", "--hard", "FETCH_HEAD")
    clone.commit({"a": "1"})
    other.commit({"a": "2"})
    one, two = await asyncio.gather(clone.push("origin", "main"), other.push("origin", "main"))
    assert sorted([one.code, two.code]) == [0, 1]
    loser = one if one.code else two
    assert "rejected" in loser.output
    assert "fetch first" in loser.output
    host.fsck()


async def test_a_push_of_the_same_twice_at_once_is_accepted_once(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    results = await asyncio.gather(*(take(host.repository, body) for _ in range(4)))
    assert sum(push is not None for push, _ in results) == 1
    assert host.repository.branch_tip("main") == tip
    host.fsck()


async def test_a_lock_of_somebody_else_is_waited_for_and_then_told(
    host: Host, clone: Clone
) -> None:
    clone.commit({"a": "1"})
    lock = host.path / "refs" / "heads" / "main.lock"
    lock.touch()
    before = host.files()
    done = await clone.push("origin", "main")
    assert "main.lock is held by another process" in done.output
    assert host.files() == before
    push = asyncio.create_task(clone.push("origin", "main"))
    await eventually(lambda: list(host.path.glob("objects/incoming-*")))
    lock.unlink()
    (await push).ok()


async def test_a_ref_that_git_moves_while_a_hook_runs_is_not_overwritten(
    host: Host, clone: Clone
) -> None:
    first = clone.commit({"a": "1"})
    second = clone.commit({"a": "2"})
    (await clone.push("origin", f"{first}:refs/heads/main", "main:other")).ok()
    host.hook("update", f"env -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {second}")
    third = clone.commit({"a": "3"})
    done = await clone.push("origin", f"{third}:refs/heads/main")
    assert f"is at {second} but expected {first}" in done.output
    assert host.repository.branch_tip("main") == second


async def test_packed_refs_of_git_and_ours_are_the_same_file(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    clone.git("tag", "-a", "v1", "-m", "one")
    (await clone.push("origin", "main", "main:b", "v1")).ok()
    git("pack-refs", "--all", "--prune", cwd=host.path)
    tip = clone.commit({"a": "2"})
    (await clone.push("origin", "main", ":b", ":v1", "v1:refs/tags/v2")).ok()
    assert host.repository.refs() == {
        "refs/heads/main": tip,
        "refs/tags/v2": clone.tip("v1"),
    }
    listed = git("show-ref", "-d", cwd=host.path).stdout
    assert listed.splitlines()[-1].endswith("refs/tags/v2^{}")
    host.fsck()


async def test_what_a_crash_left_is_removed_at_the_next_start(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    before = host.files()
    incoming = host.path / "objects" / "incoming-abcd"
    (incoming / "pack").mkdir(parents=True)
    (incoming / "pack" / "pack-incoming.pack").write_bytes(b"PACK")
    locks = [host.path / "refs" / "heads" / "main.lock", host.path / "packed-refs.lock"]
    for lock in locks:
        lock.write_text(f"{tip}\n")
        os.utime(lock, (time.time() - 60, time.time() - 60))
    await host.repositories.start()
    assert host.files() == before
    clone.commit({"a": "2"})
    (await clone.push("origin", "main")).ok()


async def test_closing_waits_for_a_push_whose_client_left(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    host.hook("pre-receive", "sleep 0.3")

    async def send(data: bytes) -> None:
        raise ConnectionResetError

    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    task = asyncio.create_task(receive_pack(host.repository, chunks(body), send, caller=CALLER))
    await eventually(lambda: host.repository.tasks.running)
    task.cancel()
    await asyncio.wait({task})
    await host.repositories.close()
    assert host.repository.branch_tip("main") == tip


async def test_a_push_that_is_stopped_in_a_hook_leaves_nothing(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    pid = host.path.parent / "pid"
    host.hook("pre-receive", f"echo $$ > {pid}; exec sleep 60")

    async def send(data: bytes) -> None:
        raise ConnectionResetError

    before = host.files()
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    task = asyncio.create_task(receive_pack(host.repository, chunks(body), send, caller=CALLER))
    await eventually(lambda: pid.exists() and pid.read_text())
    await host.repositories.delete("shop")
    await asyncio.wait({task})
    assert task.cancelled()
    assert host.files() == before
    await eventually(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())
