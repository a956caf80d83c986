"""What is refused, and that nothing of it stays: object directory, refs and logs as before."""

from __future__ import annotations

import asyncio
import hashlib
import random
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.repos import ZERO, receive_pack
from gitdeploy.repos.pktline import FLUSH, pkt
from tests.integration.repos.receiving import (
    CALLER,
    Clone,
    Host,
    chunks,
    make_pack,
    push_body,
    take,
)
from tests.support import eventually, git

MISSING = "1234567890" * 4


def pack_of(*objects: tuple[int, bytes]) -> bytes:
    """A pack of whole objects (type number, content)."""
    parts = [b"PACK", struct.pack(">II", 2, len(objects))]
    for kind, content in objects:
        size, first = len(content) >> 4, (kind << 4) | (len(content) & 15)
        header = bytearray()
        while size:
            header.append(first | 0x80)
            first, size = size & 0x7F, size >> 7
        header.append(first)
        parts += [bytes(header), zlib.compress(content)]
    data = b"".join(parts)
    return data + hashlib.sha1(data).digest()


def object_id(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}".encode() + b"\0" + content).hexdigest()


def commit_of(tree: str, *parents: str) -> bytes:
    who = "Ada Lovelace <ada@example.org> 1795500604 +0000"
    lines = [f"tree {tree}", *(f"parent {p}" for p in parents), f"author {who}", f"committer {who}"]
    return ("\n".join(lines) + "\n\nsubject\n").encode()


def commands(*updates: tuple[str, str, str], extra: str = "") -> bytes:
    first, *rest = (f"{old} {new} {ref}" for old, new, ref in updates)
    head = pkt(f"{first}\0report-status side-band-64k {extra}")
    return head + b"".join(pkt(line) for line in rest) + FLUSH


EMPTY_TREE = object_id("tree", b"")


@pytest.mark.parametrize("size", [1, 100, 65536])
async def test_a_pack_with_a_wrong_checksum_leaves_nothing(
    host: Host, clone: Clone, size: int
) -> None:
    tip = clone.commit({"a": "1"})
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    before = host.files()
    push, answer = await take(host.repository, body[:-1] + bytes([body[-1] ^ 1]), size=size)
    assert push is None
    assert b"ng refs/heads/main unpacker error" in answer
    assert b"unpack pack" in answer
    assert host.files() == before


async def test_a_pack_cut_off_anywhere_leaves_nothing(host: Host, clone: Clone) -> None:
    clone.commit({"a": "0"})
    (await clone.push("origin", "main")).ok()
    old = clone.tip()
    tip = clone.commit({f"f{n}": "text " * 50 + str(n) for n in range(20)})
    body = push_body(clone, [(old, tip, "refs/heads/main")])
    before = host.files()
    randomly = random.Random(4)
    for cut in [*(randomly.randrange(4, len(body)) for _ in range(50)), len(body) - 1]:
        try:
            push, answer = await take(host.repository, body[:cut], size=1000)
        except Exception as error:
            assert type(error).__name__ == "PktError", error
        else:
            assert push is None, cut
            assert b"unpack ok" not in answer, cut
        assert host.files() == before, cut
    assert host.repository.refs() == {"refs/heads/main": old}
    push, _ = await take(host.repository, body)
    assert push is not None
    host.fsck()


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": random.Random(1).randbytes(400_000)})
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    before = host.files()

    async def broken() -> AsyncIterator[bytes]:
        async for chunk in chunks(body[:300_000]):
            yield chunk
        raise ConnectionResetError

    async def send(data: bytes) -> None:
        raise AssertionError("nobody is there")

    with pytest.raises(ConnectionResetError):
        await receive_pack(host.repository, broken(), send, caller=CALLER)
    assert host.files() == before


async def test_a_request_that_is_cancelled_leaves_nothing(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": random.Random(1).randbytes(400_000)})
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    before = host.files()
    stuck = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        async for chunk in chunks(body[:300_000]):
            yield chunk
        stuck.set()
        await asyncio.Event().wait()

    async def send(data: bytes) -> None:
        raise AssertionError("nobody is there")

    task = asyncio.create_task(receive_pack(host.repository, slow(), send, caller=CALLER))
    await stuck.wait()
    assert host.files() > before
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.files() == before


async def test_a_client_that_leaves_after_the_pack_is_deployed(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    gate = host.path / "gate"
    host.hook("pre-receive", f"until [ -e {gate} ]; do sleep 0.02; done")
    seen: list[str] = []

    async def pipeline(push: object) -> AsyncIterator[str]:
        seen.append("begun")
        try:
            yield "one"
            yield "two"
        finally:
            seen.append("closed")

    async def send(data: bytes) -> None:
        raise ConnectionResetError

    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    task = asyncio.create_task(
        receive_pack(host.repository, chunks(body), send, caller=CALLER, post_receive=pipeline)
    )
    await eventually(lambda: list(host.path.glob("objects/incoming-*")))
    await asyncio.sleep(0)
    while not host.repository.tasks.running:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.touch()
    await eventually(lambda: seen == ["begun", "closed"])
    assert host.repository.branch_tip("main") == tip


@pytest.mark.parametrize("leave_out", ["blob", "tree", "parent"])
async def test_an_object_that_is_missing_refuses_the_push(
    host: Host, clone: Clone, leave_out: str
) -> None:
    blob = b"text\n"
    tree = b"100644 a\0" + bytes.fromhex(object_id("blob", blob))
    parent = commit_of(EMPTY_TREE)
    commit = commit_of(object_id("tree", tree), object_id("commit", parent))
    everything = {"blob": (3, blob), "tree": (2, tree), "parent": (1, parent), "empty": (2, b"")}
    everything.pop(leave_out)
    pack = pack_of(*everything.values(), (1, commit))
    new = object_id("commit", commit)
    before = host.files()
    push, answer = await take(host.repository, commands((ZERO, new, "refs/heads/main")) + pack)
    assert push is None
    assert b"unpack missing " in answer
    assert b"ng refs/heads/main unpacker error" in answer
    assert b"\2error: The push is refused: missing " in answer
    assert host.files() == before


async def test_a_tip_that_nobody_has_refuses_the_push(host: Host) -> None:
    before = host.files()
    push, answer = await take(
        host.repository, commands((ZERO, MISSING, "refs/heads/main")) + pack_of()
    )
    assert push is None
    assert f"missing object {MISSING}".encode() in answer
    assert host.files() == before


async def test_an_entry_of_the_wrong_type_refuses_the_push(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    blob = clone.tip("HEAD:a")
    tree = b"40000 d\0" + bytes.fromhex(blob)
    commit = commit_of(object_id("tree", tree), clone.tip())
    before = host.files()
    new = object_id("commit", commit)
    push, answer = await take(
        host.repository,
        commands((clone.tip(), new, "refs/heads/main")) + pack_of((2, tree), (1, commit)),
    )
    assert push is None
    assert b"is a blob, not the tree that" in answer
    assert host.files() == before


async def test_a_submodules_commit_is_not_taken_for_an_object_of_ours(
    host: Host, clone: Clone
) -> None:
    """A gitlink may name anything; a later tree that has it as a file needs it to be here."""
    link = b"160000 sub\0" + bytes.fromhex(MISSING)
    first = commit_of(object_id("tree", link))
    base = object_id("commit", first)
    body = commands((ZERO, base, "refs/heads/main")) + pack_of((2, link), (1, first))
    assert (await take(host.repository, body))[0] is not None
    file = b"100644 sub\0" + bytes.fromhex(MISSING)
    second = commit_of(object_id("tree", file), base)
    body = commands((base, object_id("commit", second), "refs/heads/main"))
    push, answer = await take(host.repository, body + pack_of((2, file), (1, second)))
    assert push is None
    assert f"missing blob {MISSING}".encode() in answer
    host.fsck()


async def test_an_object_that_no_ref_reaches_must_be_complete(host: Host, clone: Clone) -> None:
    """A prune by age may have taken a part of what an old commit needs."""
    clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    lost = git("hash-object", "-w", "--stdin", cwd=host.path, input=b"old\n").stdout.strip()
    old_tree = git("mktree", cwd=host.path, input=f"100644 blob {lost}\told\n".encode()).stdout
    old_tree = old_tree.strip()
    parent = git(
        "hash-object", "-t", "commit", "-w", "--stdin", cwd=host.path, input=commit_of(old_tree)
    ).stdout.strip()
    commit = commit_of(EMPTY_TREE, parent)
    body = commands((ZERO, object_id("commit", commit), "refs/heads/old"))
    body += pack_of((2, b""), (1, commit))
    (host.path / "objects" / lost[:2] / lost[2:]).unlink()
    before = host.files()
    push, answer = await take(host.repository, body)
    assert push is None
    assert b"missing necessary objects" in answer
    assert host.files() == before
    git("hash-object", "-w", "--stdin", cwd=host.path, input=b"old\n")
    push, answer = await take(host.repository, body)
    assert push is not None, answer
    host.fsck()


async def test_without_git_the_same_walk_is_made_here(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("gitdeploy.repos.connectivity.GIT", str(tmp_path / "no-git"))
    await test_an_object_that_no_ref_reaches_must_be_complete(host, clone)


async def test_a_colliding_twin_is_refused(host: Host, clone: Clone) -> None:
    """The stored object of an id is broken on purpose: that is what a collision looks like."""
    clone.commit({"a": "1"})
    blob = object_id("blob", b"twin one")
    path = host.path / "objects" / blob[:2] / blob[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(b"blob 8\0twin two"))
    tip = clone.commit({"a": "twin one"})
    before = host.files()
    push, answer = await take(host.repository, push_body(clone, [(ZERO, tip, "refs/heads/main")]))
    assert push is None
    assert b"SHA1 COLLISION FOUND WITH " + blob.encode() in answer
    assert host.files() == before


async def test_objects_that_are_there_already_are_taken_again(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1", "big": random.Random(3).randbytes(200_000)})
    body = push_body(clone, [(ZERO, first, "refs/heads/main")])
    assert (await take(host.repository, body))[0] is not None
    files = host.files()
    again = body.replace(b"refs/heads/main", b"refs/heads/twin")
    assert (await take(host.repository, again))[0] is not None
    assert host.files() - files == {"refs/heads/twin", "logs/refs/heads/twin"}
    host.fsck()


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("refs/heads/a..b", 'funny refname: it has ".."'),
        ("refs/heads/x.lock", "funny refname"),
        ("refs/heads/-ok/./no", "funny refname"),
        ("heads/main", "funny refname"),
        ("HEAD", "funny refname"),
        ("refs/gitdeploy/releases/1", "hidden ref"),
        ("refs/heads/" + "x" * 251, "251 bytes, the limit is 250"),
        ("refs/" + "x/" * 600 + "y", "the limit is 1024"),
        ("refs/../config", "funny refname"),
    ],
)
async def test_a_ref_name_that_is_not_allowed_is_refused(
    host: Host, clone: Clone, ref: str, words: str
) -> None:
    tip = clone.commit({"a": "1"})
    before = host.files()
    push, answer = await take(host.repository, push_body(clone, [(ZERO, tip, ref)]))
    assert push is None
    assert b"unpack ok" in answer
    assert f"ng {ref} ".encode() in answer and words.encode() in answer
    assert host.files() == before


async def test_more_refs_than_allowed_are_refused(tmp_path: Path) -> None:
    host = Host(tmp_path / "home", max_refs=3)
    await host.start()
    clone = Clone(tmp_path / "clone", host.url)
    clone.commit({"a": "1"})
    (await clone.push("origin", "main", "main:b", "main:c")).ok()
    done = await clone.push("origin", "main:d")
    assert "the limit is max_refs = 3" in done.output
    (await clone.push("origin", ":c", "main:d")).ok()
    await host.close()


@pytest.mark.parametrize(
    ("option", "limit"),
    [
        ("max_push_size", 5000),
        ("max_push_objects", 2),
        ("max_object_size", 5000),
        ("max_path_length", 20),
    ],
)
async def test_a_push_over_a_limit_names_limit_and_setting(
    tmp_path: Path, option: str, limit: int
) -> None:
    host = Host(tmp_path / "home", **{option: limit})
    await host.start()
    clone = Clone(tmp_path / "clone", host.url)
    clone.commit({"some/longer/path/to/a/file": random.Random(1).randbytes(10_000)})
    before = host.files()
    done = await clone.push("origin", "main")
    assert done.code == 1
    assert f"{option} = {limit}" in done.output
    assert host.files() == before
    await host.close()


async def test_the_current_branch_can_not_be_deleted(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("origin", "main", "main:other")).ok()
    done = await clone.push("origin", ":main")
    assert "(deletion of the current branch prohibited)" in done.output
    assert "error: refusing to delete the current branch: refs/heads/main" in done.remote
    host.repository.set_head("other")
    (await clone.push("origin", ":main")).ok()


async def test_deleting_what_is_not_there_is_fine(host: Host, clone: Clone) -> None:
    old = clone.commit({"a": "1"})
    push, answer = await take(host.repository, commands((old, ZERO, "refs/heads/gone")))
    assert push is None
    assert b"ok refs/heads/gone" in answer


async def test_one_ref_twice_in_a_push_is_refused(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    body = push_body(clone, [(ZERO, tip, "refs/heads/main"), (ZERO, tip, "refs/heads/main")])
    push, answer = await take(host.repository, body)
    assert push is None
    assert b"multiple updates for ref not allowed" in answer


async def test_a_branch_at_a_tree_is_refused(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    tree = clone.tip("HEAD^{tree}")
    head = commands((ZERO, tree, "refs/heads/tree"))
    push, answer = await take(host.repository, head + make_pack(clone, [tree]))
    assert push is None
    assert b"a branch can't stand at a tree" in answer


async def test_an_atomic_push_moves_all_or_none(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1"})
    (await clone.push("origin", "main", "main:other")).ok()
    tip = clone.commit({"a": "2"})
    before = host.files()
    head = commands(
        (first, tip, "refs/heads/main"), (MISSING, tip, "refs/heads/other"), extra="atomic"
    )
    body = head + make_pack(clone, [tip, f"^{first}"])
    push, answer = await take(host.repository, body)
    assert push is None
    assert b"ng refs/heads/main atomic push failure" in answer
    assert f"ng refs/heads/other failed to update ref: is at {first}".encode() in answer
    assert host.files() == before


async def test_a_symbolic_ref_is_not_written_through(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    git("symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=host.path)
    done = await clone.push("--force", "origin", "main:alias")
    assert done.code == 1
    assert "isn't a ref to an object" in done.output


async def test_an_app_that_is_being_deleted_takes_no_push(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    await host.repositories.delete("shop")
    done = await clone.push("origin", "main")
    assert done.code != 0
    assert "being deleted" in host.errors[0].what


async def test_a_full_disk_refuses_the_push_and_leaves_nothing(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    clone.commit({"a": "1"})
    before = host.files()
    monkeypatch.setattr("gitdeploy.repos.quarantine.sync_files", full)
    done = await clone.push("origin", "main")
    assert done.code == 1
    assert "No space left on device" in done.output
    assert host.files() == before


async def test_a_bug_on_our_side_is_told_without_its_insides(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret of the inside")

    clone.commit({"a": "1"})
    before = host.files()
    for place in ("duplicates.compare", "receive.RefTransaction.prepare"):
        with monkeypatch.context() as patch:
            patch.setattr(f"gitdeploy.repos.{place}", broken)
            done = await clone.push("origin", "main")
        assert done.code == 1
        assert "internal error; see the server's log" in done.output
        assert "inside" not in done.output
        assert host.files() == before


async def test_a_damaged_repository_is_named(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    (pack,) = (host.path / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:12] + b"\xff" * 500)
    tip = clone.commit({"b": "2"})
    push, answer = await take(host.repository, push_body(clone, [(first, tip, "refs/heads/main")]))
    assert push is None
    assert b"unpack ok" not in answer
    assert f"{pack.name} is broken".encode() in answer
    assert str(host.path).encode() not in answer
