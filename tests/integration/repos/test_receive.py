"""Pushing with stock git: what is accepted, what the client sees, what the pipeline is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.errors import Invalid
from gitdeploy.repos import ZERO, Push, RefUpdate
from gitdeploy.repos.pktline import FLUSH, Special, parse, pkt
from tests.integration.repos.receiving import Clone, Host, push_body, take
from tests.support import git


async def test_a_first_push_and_a_second_move_the_branch(host: Host, clone: Clone) -> None:
    first = clone.commit({"a.txt": "one", "deep/er/b.txt": "two"})
    (await clone.push("origin", "main")).ok()
    second = clone.commit({"a.txt": "three"})
    (await clone.push("origin", "main")).ok()
    assert host.repository.branch_tip("main") == second
    assert [push.updates for push in host.pushes] == [
        (RefUpdate("refs/heads/main", ZERO, first),),
        (RefUpdate("refs/heads/main", first, second),),
    ]
    assert host.pushes[0].app == "shop"
    host.fsck()


async def test_what_was_pushed_can_be_read_back(host: Host, clone: Clone) -> None:
    clone.commit({"a.txt": "one", "deep/er/b.txt": "two\r\n"}, "Say hello\n\nAt length.")
    (clone.path / "a.txt").chmod(0o755)
    commit = clone.commit({}, "Say hello\n\nAt length.")
    (await clone.push("origin", "main")).ok()
    repository = host.repository
    info = repository.commit_info(commit)
    assert (info.subject, info.author) == ("Say hello", "Ada Lovelace")
    entries = {e.path: e for e in repository.walk_tree(info.tree)}
    assert set(entries) == {b"a.txt", b"deep/er/b.txt"}
    assert entries[b"a.txt"].mode == 0o100755
    assert repository.read_blob(entries[b"deep/er/b.txt"].id) == b"two\r\n"
    assert repository.blob_size(entries[b"deep/er/b.txt"].id) == 5
    assert repository.resolve(commit[:8]) == repository.resolve("main") == commit


async def test_the_reflog_names_the_pusher(host: Host, clone: Clone) -> None:
    commit = clone.commit({"a": "1"})
    (await clone.push("origin", "main")).ok()
    log = git("reflog", "show", "--format=%H %gn %ge %gs", "main", cwd=host.path).stdout
    assert log == f"{commit} ada ada@http.192.0.2.7 push\n"


async def test_push_options_reach_the_pipeline(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("-o", "gitdeploy.deploy=skip", "-o", "ü", "origin", "main")).ok()
    assert host.pushes[0].options == ("gitdeploy.deploy=skip", "ü")


async def test_lines_of_the_pipeline_arrive_live_and_harmless(host: Host, clone: Clone) -> None:
    go_on = asyncio.Event()

    async def pipeline(push: Push) -> AsyncIterator[str]:
        yield "checkout 31 files"
        await go_on.wait()
        yield "evil \x1b[2J\r text"

    host.post_receive = pipeline
    clone.commit({"a": "1"})
    push = asyncio.create_task(clone.push("--progress", "origin", "main"))
    while host.repository.branch_tip("main") is None:
        await asyncio.sleep(0.01)
    assert not push.done()
    go_on.set()
    done = (await push).ok()
    assert "checkout 31 files" in done.remote
    assert r"evil \x1b[2J\x0d text" in done.remote


async def test_colours_pass_where_the_client_asked_for_them(host: Host, clone: Clone) -> None:
    async def pipeline(push: Push) -> AsyncIterator[str]:
        yield "\x1b[32mdeployed\x1b[0m\x1b[2J"

    host.post_receive = pipeline
    clone.commit({"a": "1"})
    done = await clone.push("-o", "gitdeploy.color=always", "origin", "main")
    assert "\x1b[32mdeployed\x1b[0m\\x1b[2J" in done.ok().output


async def test_a_pipeline_that_breaks_does_not_unmake_the_push(host: Host, clone: Clone) -> None:
    async def pipeline(push: Push) -> AsyncIterator[str]:
        yield "begun"
        raise RuntimeError("a bug")

    host.post_receive = pipeline
    clone.commit({"a": "1"})
    done = (await clone.push("origin", "main")).ok()
    assert done.remote[0] == "begun"
    assert "a bug" not in done.output


@pytest.mark.parametrize(
    "missing",
    ["side-band-64k", "report-status-v2", "ofs-delta atomic", "quiet"],
)
async def test_a_client_without_a_capability_pushes_all_the_same(
    host: Host, clone: Clone, missing: str
) -> None:
    async def pipeline(push: Push) -> AsyncIterator[str]:
        yield "x" * 3000

    host.post_receive = pipeline
    gone = missing.split()
    host.capabilities = " ".join(c for c in host.capabilities.split() if c not in gone)
    tip = clone.commit({"a": "1"})
    done = (await clone.push("origin", "main")).ok()
    assert host.repository.branch_tip("main") == tip
    assert ("x" * 3000 in done.output) == ("side-band-64k" not in gone)


async def test_tags_branches_and_deletions_go_in_one_push(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    clone.git("tag", "-a", "v1", "-m", "one")
    clone.git("tag", "-a", "of-a-tag", "-m", "two", "v1")
    clone.git("tag", "of-a-tree", "main^{tree}")
    (await clone.push("origin", "main", "main:refs/heads/old", "--tags")).ok()
    assert host.repository.peel(clone.tip("of-a-tag")) == tip
    assert host.repository.resolve("of-a-tag") == tip
    clone.commit({"a": "2"})
    (await clone.push("origin", "main", "main:refs/heads/new", ":old", ":v1")).ok()
    assert set(host.repository.refs()) == {
        "refs/heads/main",
        "refs/heads/new",
        "refs/tags/of-a-tag",
        "refs/tags/of-a-tree",
    }
    host.fsck()


async def test_refs_to_known_objects_come_with_an_empty_pack(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1"})
    clone.commit({"a": "2"})
    (await clone.push("origin", "main")).ok()
    packs = host.files()
    (await clone.push("origin", f"{first}:refs/heads/first")).ok()
    assert host.repository.branch_tip("first") == first
    assert host.files() - packs == {"refs/heads/first", "logs/refs/heads/first"}


async def test_force_moves_a_branch_back(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1"})
    clone.commit({"a": "2"})
    (await clone.push("origin", "main")).ok()
    clone.git("reset", "-q", "--hard", first)
    other = clone.commit({"b": "3"})
    assert (await clone.push("origin", "main")).code == 1  # git itself says no
    (await clone.push("--force", "origin", "main")).ok()
    assert host.repository.branch_tip("main") == other
    host.fsck()


async def test_a_branch_off_an_older_commit_is_complete(host: Host, clone: Clone) -> None:
    first = clone.commit({"a": "1", "d/b": "2"})
    clone.commit({"a": "2"})
    (await clone.push("origin", "main")).ok()
    clone.git("checkout", "-q", "-b", "topic", first)
    tip = clone.commit({"d/c": "3"})
    (await clone.push("origin", "topic")).ok()
    assert host.repository.branch_tip("topic") == tip
    host.fsck()


async def test_a_file_that_moves_and_one_that_returns_are_complete(
    host: Host, clone: Clone
) -> None:
    clone.commit({"a/x": "x", "a/y": "y", "b/z": "z"})
    clone.commit({"a/x": "other"})
    (await clone.push("origin", "main")).ok()
    clone.git("mv", "a/y", "b/y")
    clone.commit({"a/x": "x"})
    (await clone.push("origin", "main")).ok()
    host.fsck()


async def test_a_mirror_of_thousands_of_refs_is_one_write(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    clone.git("tag", "-a", "v1", "-m", "one")
    tag = clone.tip("v1")
    lines = [f"{tip} refs/heads/topic/{n}\n" for n in range(5000)]
    lines += [f"{tag} refs/tags/t{n}\n^{tip}\n" for n in range(1000)]
    (clone.path / ".git" / "packed-refs").write_text(
        "# pack-refs with: peeled fully-peeled \n" + "".join(lines)
    )
    (await clone.push("-q", "--mirror", host.url)).ok()
    assert len(host.repository.refs()) == 6002
    assert [p for p in (host.path / "refs").rglob("*") if p.is_file()] == []
    assert git("rev-parse", "t7^{commit}", cwd=host.path).stdout.strip() == tip
    # one of the packed ones moves, others go
    new = clone.commit({"a": "2"})
    (await clone.push(host.url, "main", "main:topic/7", ":topic/8", ":t3")).ok()
    refs = host.repository.refs()
    assert refs["refs/heads/topic/7"] == new
    assert len(refs) == 6000
    host.fsck()


async def test_a_ref_takes_the_place_of_the_directory_of_others(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("origin", "main:refs/heads/a/b", "main:refs/heads/a/c")).ok()
    refused = await clone.push("origin", "main:refs/heads/a")
    assert "refs/heads/a/" in refused.output and refused.code == 1
    (await clone.push("origin", ":refs/heads/a/b", ":refs/heads/a/c", "main:refs/heads/a")).ok()
    assert set(host.repository.refs()) == {"refs/heads/a"}
    (await clone.push("origin", ":refs/heads/a", "main:refs/heads/a/b")).ok()
    assert set(host.repository.refs()) == {"refs/heads/a/b"}
    host.fsck()


async def test_refs_that_differ_only_in_case_are_two(host: Host, clone: Clone) -> None:
    clone.commit({"a": "1"})
    (await clone.push("origin", "main:refs/heads/Topic", "main:refs/heads/topic")).ok()
    assert set(host.repository.refs()) == {"refs/heads/Topic", "refs/heads/topic"}


async def test_a_shallow_clone_pushes_on_what_the_server_has(
    host: Host, clone: Clone, tmp_path: Path
) -> None:
    for number in range(3):
        clone.commit({"a": str(number)})
    (await clone.push("origin", "main")).ok()
    shallow = Clone(tmp_path / "shallow", host.url)
    shallow.git("fetch", "-q", "--depth", "1", str(host.path.as_uri()), "main")
    shallow.git("reset", "-q", "--hard", "FETCH_HEAD")
    tip = shallow.commit({"a": "new"})
    (await shallow.push("origin", "main")).ok()
    assert host.repository.branch_tip("main") == tip
    host.fsck()


async def test_a_shallow_clone_of_elsewhere_is_refused(
    host: Host, clone: Clone, tmp_path: Path
) -> None:
    for number in range(3):
        clone.commit({"a": str(number)})
    shallow = Clone(tmp_path / "shallow", host.url)
    shallow.git("fetch", "-q", "--depth", "1", clone.path.as_uri(), "main")
    shallow.git("reset", "-q", "--hard", "FETCH_HEAD")
    shallow.commit({"a": "new"})
    before = host.files()
    done = await shallow.push("origin", "main")
    assert done.code == 1
    assert "shallow update not allowed" in done.output
    assert "git fetch --unshallow" in done.output
    assert host.files() == before


async def test_gc_beside_the_server_does_no_harm(host: Host, clone: Clone) -> None:
    for number in range(4):
        clone.commit({"a": str(number)})
        (await clone.push("origin", "main")).ok()
        blob = clone.tip("HEAD:a")
        assert host.repository.read_blob(blob) == str(number).encode()
        git("gc", "-q", "--prune=now", cwd=host.path)
        assert host.repository.read_blob(blob) == str(number).encode()
    host.fsck()


async def test_the_probe_before_a_large_push_is_answered_with_nothing(host: Host) -> None:
    assert await take(host.repository, b"0000") == (None, b"")
    assert await take(host.repository, b"") == (None, b"")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"push-cert\0 report-status", "Signed pushes"),
        (b"x" * 64 + b" " + b"1" * 64 + b" refs/heads/main\0 report-status", "push command"),
        (b"a" * 64 + b" " + b"1" * 64 + b" refs/heads/main\0 report-status", "SHA-1"),
        (
            b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0 object-format=sha256",
            "SHA-1 repositories",
        ),
        (b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/\xff\0 report-status", "UTF-8"),
        (b"nonsense", "push command"),
    ],
)
async def test_what_is_no_push_is_refused_with_a_sentence(
    host: Host, line: bytes, words: str
) -> None:
    before = host.files()
    with pytest.raises(Invalid, match=words):
        await take(host.repository, pkt(line) + FLUSH)
    assert host.files() == before


async def test_the_report_comes_before_what_follows_the_push(host: Host, clone: Clone) -> None:
    tip = clone.commit({"a": "1"})
    host.hook("post-receive", "cat >&2")
    body = push_body(clone, [(ZERO, tip, "refs/heads/main")])
    push, answer = await take(host.repository, body, size=7)
    assert push is not None
    packets = list(parse(answer))
    assert packets[-1] is Special.FLUSH
    assert packets[0] == b"\1" + pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + FLUSH
    assert packets[1] == f"\2{ZERO} {tip} refs/heads/main\n".encode()
