"""Stock git against a running server: what a remote has to bear."""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.actors import ADMIN, Developer, Server
from tests.support import eventually, git

SKIP = ("-o", "gitdeploy.deploy=skip")


@pytest.fixture
def bare(server: Server) -> Path:
    return server.home / "apps/demo/repo.git"


def everything(bare: Path) -> list[str]:
    """Each object, ref and temporary file of a repository, but logs."""
    return sorted(
        str(p.relative_to(bare))
        for p in bare.rglob("*")
        if p.is_file() and "logs" not in p.parts and p.name != "hooks"
    )


def fsck(path: Path) -> None:
    done = git("fsck", "--strict", "--full", cwd=path)
    assert "error" not in done.stderr
    assert "missing" not in done.stdout + done.stderr


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_push_clone_and_fetch_by_each_protocol_version(
    server: Server, repo: Developer, tmp_path: Path, version: int
) -> None:
    protocol = ("-c", f"protocol.version={version}")
    for number in range(5):
        repo.write("file", str(number))
        repo.commit(f"commit {number}")
    git("tag", "-a", "v1", "-m", "one", cwd=repo.path)
    git("tag", "-a", "v2", "v1", "-m", "a tag of a tag", cwd=repo.path)
    git(*protocol, "push", *SKIP, "deploy", "main", "v1", "v2", cwd=repo.path)
    remote = server.remote("demo")
    for name, *arguments in (
        ("full",),
        ("shallow", "--depth=2"),
        ("single", "--single-branch", "--branch=main"),
    ):
        git(*protocol, "clone", "-q", *arguments, remote, name, cwd=tmp_path)
        fsck(tmp_path / name)
        assert (tmp_path / name / "file").read_text() == "4"
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow").stdout == "2\n"
    repo.write("file", "new")
    await repo.push(*SKIP, "deploy", "main")
    for name in ("full", "shallow", "single"):
        git(*protocol, "pull", "-q", cwd=tmp_path / name)
        fsck(tmp_path / name)
        assert (tmp_path / name / "file").read_text() == "new"


async def test_two_pushes_to_one_ref_a_hundred_times_have_one_winner_each(
    server: Server, repo: Developer, tmp_path: Path, bare: Path
) -> None:
    repo.write("file", "base")
    await repo.push(*SKIP, "deploy", "main")
    others = []
    for name in "ab":
        git("clone", "-q", server.remote("demo"), name, cwd=tmp_path)
        others.append(tmp_path / name)
    winners = 0
    for number in range(100):
        commits = []
        for path in others:
            git("fetch", "-q", "origin", cwd=path)
            git("reset", "-q", "--hard", "origin/main", cwd=path)
            git("commit", "-q", "--allow-empty", "-m", f"{path.name} {number}", cwd=path)
            commits.append(git("rev-parse", "HEAD", cwd=path).stdout.strip())
        results = await asyncio.gather(
            *(
                asyncio.to_thread(git, "push", *SKIP, "origin", "HEAD:main", cwd=path, check=False)
                for path in others
            )
        )
        won = [n for n, r in enumerate(results) if r.returncode == 0]
        assert len(won) == 1, [r.stderr for r in results]
        loser = results[1 - won[0]]
        assert "rejected" in loser.stderr, loser.stderr
        tip = git("rev-parse", "refs/heads/main", cwd=bare).stdout.strip()
        assert tip == commits[won[0]]
        winners += 1
    assert winners == 100
    fsck(bare)


async def test_a_push_cut_off_anywhere_leaves_nothing(
    server: Server, repo: Developer, bare: Path
) -> None:
    repo.write("file", "base")
    old = repo.commit("base")
    await repo.push(*SKIP, "deploy", "main", commit=False)
    repo.write("large", "".join(random.Random(1).choices("abcdef", k=200_000)))
    new = repo.commit("large")
    request = push_request(repo.path, old, new)
    before = everything(bare)
    cuts = random.Random(7).sample(range(1, len(request) - 1), 50)
    for cut in cuts:
        send_part(server.port, request, cut)
    await eventually(lambda: everything(bare) == before, what="nothing is left of 50 pushes")
    assert git("rev-parse", "refs/heads/main", cwd=bare).stdout.strip() == old
    fsck(bare)
    await repo.push(*SKIP, "deploy", "main", commit=False)
    assert git("rev-parse", "refs/heads/main", cwd=bare).stdout.strip() == new
    fsck(bare)


def push_request(path: Path, old: str, new: str) -> bytes:
    """The body that git would send for a fast-forward of main."""
    pack = os.popen(
        f"cd '{path}' && printf '%s\\n^%s\\n' {new} {old} | git pack-objects --revs --stdout -q"
    ).buffer.read()
    line = f"{old} {new} refs/heads/main\0report-status side-band-64k".encode()
    return b"%04x" % (len(line) + 4) + line + b"0000" + pack


def send_part(port: int, body: bytes, cut: int) -> None:
    """POST the body with its true length and break the connection after `cut` bytes."""
    import base64

    credentials = base64.b64encode(f"dev:{ADMIN}".encode()).decode()
    head = (
        "POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Basic {credentials}\r\n"
        "Content-Type: application/x-git-receive-pack-request\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head + body[:cut])


async def test_hooks_refuse_with_their_words_and_see_what_git_shows_them(
    server: Server, repo: Developer, bare: Path
) -> None:
    repo.write("file", "base")
    await repo.push(*SKIP, "deploy", "main")
    hook(
        bare / "hooks/pre-receive",
        'read old new ref; echo "pre $ref in $GIT_DIR"; test -n "$GIT_QUARANTINE_PATH" || exit 9\n'
        'git cat-file -e "$new" || exit 8; echo "$GIT_PUSH_OPTION_COUNT options, $GIT_PUSH_OPTION_0"\n',
    )
    hook(bare / "hooks/update", 'case $1 in */no) echo "not this one" >&2; exit 1;; esac\n')
    repo.write("file", "1")
    words = await repo.push("-o", "gitdeploy.deploy=skip", "deploy", "main")
    assert "remote: pre refs/heads/main in" in words
    assert "remote: 1 options, gitdeploy.deploy=skip" in words
    before = everything(bare)
    repo.write("file", "2")
    repo.commit("refused")
    code, words = await repo.push_result(*SKIP, "deploy", "main:no", "main:yes")
    assert code != 0
    assert "remote: not this one" in words
    assert re.search(r"! \[remote rejected\] main -> no \(hook declined\)", words), words
    assert "main -> yes" in words
    hook(bare / "hooks/pre-receive", "echo closed today; exit 1\n")
    before = everything(bare)
    repo.write("file", "3")
    repo.commit("refused")
    code, words = await repo.push_result(*SKIP, "deploy", "main")
    assert "remote: closed today" in words
    assert "(pre-receive hook declined)" in words
    assert everything(bare) == before, "a refused push leaves no object"


def hook(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


async def test_atomic_is_all_or_none(server: Server, repo: Developer, bare: Path) -> None:
    repo.write("file", "base")
    await repo.push(*SKIP, "deploy", "main")
    hook(bare / "hooks/update", "case $1 in */no) exit 1;; esac\n")
    repo.commit("next")
    code, words = await repo.push_result("--atomic", *SKIP, "deploy", "main:yes", "main:no")
    assert code != 0
    assert "atomic" in words
    assert git("for-each-ref", "--format=%(refname)", cwd=bare).stdout == "refs/heads/main\n"


async def test_refs_are_deleted_renamed_and_checked(
    server: Server, repo: Developer, bare: Path
) -> None:
    repo.write("file", "base")
    await repo.push(*SKIP, "deploy", "main", "main:a/b", "main:gone")
    git("pack-refs", "--all", cwd=bare)
    await repo.push(*SKIP, "deploy", ":gone")
    code, words = await repo.push_result(*SKIP, "deploy", "main:a")
    assert code != 0
    assert "a/b" in words or "exists" in words or "failed" in words
    code, words = await repo.push_result(*SKIP, "deploy", "main:refs/gitdeploy/x")
    assert code != 0
    refs = git("for-each-ref", "--format=%(refname)", cwd=bare).stdout.split()
    assert refs == ["refs/heads/a/b", "refs/heads/main"]


async def test_git_gc_beside_the_server_does_no_harm(
    server: Server, repo: Developer, bare: Path, tmp_path: Path
) -> None:
    for number in range(15):
        repo.write(f"file{number}", str(number) * 100)
        await repo.push(*SKIP, "deploy", "main")
        if number % 5 == 4:
            git("gc", "-q", "--prune=now", cwd=bare)
    git("clone", "-q", server.remote("demo"), "clone", cwd=tmp_path)
    fsck(tmp_path / "clone")
    fsck(bare)


async def test_packs_that_pile_up_are_repacked_by_the_server(
    server: Server, repo: Developer, bare: Path
) -> None:
    def packs() -> int:
        return len(list((bare / "objects/pack").glob("*.pack")))

    for number in range(14):
        repo.write(f"folder/file{number}", "x" * 1000 * number)
        for n in range(10):  # enough objects to be kept as a pack
            repo.write(f"more/{number}/{n}", f"{number} {n}")
        await repo.push(*SKIP, "deploy", "main")
    await eventually(lambda: packs() <= 10, what="fewer than eleven packs")
    fsck(bare)


@pytest.fixture
def large(repo: Developer) -> Iterator[int]:
    """500 MB that can't be compressed, in files of 50 MB."""
    size = 0
    for number in range(10):
        with (repo.path / f"blob{number}").open("wb") as file:
            for _ in range(50):
                size += file.write(os.urandom(1_000_000))
    yield size
    for path in repo.path.glob("blob*"):
        path.unlink()


@pytest.mark.timeout(300)
async def test_a_push_of_500_mb_keeps_the_servers_memory_below_200_mb(
    server: Server, repo: Developer, large: int
) -> None:
    git("config", "core.compression", "0", cwd=repo.path)
    git("config", "pack.window", "0", cwd=repo.path)  # the client would search for deltas
    git("config", "http.postBuffer", "1000000", cwd=repo.path)
    repo.commit("large")
    assert server.process is not None
    code, words = await repo.push_result(*SKIP, "deploy", "main")
    assert code == 0, words
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])  # type: ignore[index]
    assert large >= 500_000_000
    assert peak < 200_000, f"peak {peak} kB"


async def test_a_pack_over_the_limit_is_refused_with_the_settings_name(
    home: Path, tmp_path: Path
) -> None:
    server = Server(home, "--max-push-size", "100k")
    await server.start()
    try:
        repo = Developer(tmp_path / "w", server, app="demo")
        (repo.path / "blob").write_bytes(os.urandom(300_000))
        repo.commit("large")
        code, words = await repo.push_result("deploy", "main")
        assert code != 0
        assert "max_push_size" in words, words
        bare = server.home / "apps/demo/repo.git"
        assert git("for-each-ref", cwd=bare).stdout == ""
        assert not [f for f in everything(bare) if f.startswith("objects/")]
    finally:
        await server.end()
