"""Packs that lie, sent to a running server: refused with a reason, and nothing stays behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from tests.scenarios.actors import ADMIN, Developer, Server, basic
from tests.support import git
from tests.unit.repos.pack.corpus import CORPUS, INCOMPLETE, TIP, WHOLE

ZERO = "0" * 40


def everything(bare: Path) -> list[str]:
    """Each file of a repository but its reflogs."""
    return sorted(
        str(p.relative_to(bare)) for p in bare.rglob("*") if p.is_file() and "logs" not in p.parts
    )


async def send(server: Server, pack: bytes) -> bytes:
    """Push a pack as the new branch `evil`; the whole answer."""
    line = f"{ZERO} {TIP} refs/heads/evil\0report-status side-band-64k".encode()
    body = b"%04x" % (len(line) + 4) + line + b"0000" + pack
    headers = {**basic(ADMIN), "Content-Type": "application/x-git-receive-pack-request"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{server.url}/demo.git/git-receive-pack", data=body, headers=headers
        ) as answer,
    ):
        assert answer.status == 200
        return await answer.read()


async def test_no_corrupt_pack_leaves_anything_behind(server: Server, repo: Developer) -> None:
    repo.write("file", "base")
    await repo.push("-o", "gitdeploy.deploy=skip", "deploy", "main")
    bare = server.home / "apps/demo/repo.git"
    before = everything(bare)
    assert len(CORPUS) + len(INCOMPLETE) > 50
    packs = {name: case.make() for name, case in CORPUS.items()} | INCOMPLETE
    for name, pack in packs.items():
        answer = await send(server, pack)
        assert b"ng refs/heads/evil" in answer, name
        assert b"unpack ok" not in answer, name
        assert everything(bare) == before, name
    fsck = git("fsck", "--strict", "--full", cwd=bare)
    assert "error" not in fsck.stderr
    assert git("for-each-ref", "--format=%(refname)", cwd=bare).stdout == "refs/heads/main\n"


async def test_the_sound_pack_of_the_same_making_is_taken(server: Server, repo: Developer) -> None:
    repo.write("file", "base")
    await repo.push("-o", "gitdeploy.deploy=skip", "deploy", "main")
    answer = await send(server, WHOLE)
    assert b"unpack ok" in answer
    bare = server.home / "apps/demo/repo.git"
    tip = await asyncio.to_thread(git, "rev-parse", "refs/heads/evil", cwd=bare)
    assert tip.stdout.strip() == TIP
