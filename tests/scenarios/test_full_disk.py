"""The server's disk is full, at any step of a deployment: told, undone, and the next one works.

The server has its home on a small file system of its own (tmpfs in a mount namespace); a ballast
leaves a little less room each time, so that it runs out at another step.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenarios.actors import Developer, Server
from tests.support import eventually

SIZE = 48 << 20
SITE = 3 << 20
ROOM = [0, 8 << 10, 32 << 10, 128 << 10, 512 << 10, 2 << 20, 3 << 20, 4 << 20, 6 << 20]
MOUNT = f'mount -t tmpfs -o size={SIZE} none "$0" && exec "$@"'
TICK = 'trap "exit 0" TERM\nwhile :; do sleep 0.2; done\n'


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Server]:
    home = tmp_path / "disk"
    home.mkdir()
    wrapper = ("unshare", "-rm", "sh", "-c", MOUNT, str(home))
    server = Server(home / "home", "--swap-grace", "0.2", "--isolation", "none", wrapper=wrapper)
    server.log = tmp_path / "server.log"
    await server.start()
    yield server
    await server.end()


def inside(server: Server) -> Path:
    """The server's home, seen through its own mounts."""
    assert server.process is not None
    return Path(f"/proc/{server.process.pid}/root{server.home}")


def fill(home: Path, room: int) -> Path:
    """Take the room there is, up to `room` bytes."""
    ballast = home.parent / "ballast"
    free = os.statvfs(home)
    length = max(0, free.f_bavail * free.f_frsize - room)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, length) if length else None
    return ballast


async def ticker_pid(server: Server) -> int | None:
    return await server.pid("ticker")


async def test_a_full_disk_at_any_step_is_told_and_leaves_the_old_release(
    small: Server, tmp_path: Path
) -> None:
    repo = Developer(tmp_path / "work", small, app="demo")
    repo.write("App_Data/jobs/continuous/ticker/run.sh", TICK)
    repo.write("data.bin", os.urandom(1000).hex())
    await repo.push()
    pid = await eventually(lambda: ticker_pid(small))
    home = inside(small)
    releases = home / "apps/demo/releases"
    before = sorted(os.listdir(releases))
    refused: set[str] = set()
    for number, room in enumerate(ROOM):
        repo.write("data.bin", os.urandom(SITE // 2).hex())
        repo.write("n.txt", str(number))
        ballast = fill(home, room)
        try:
            words = await repo.push(check=False)
        finally:
            ballast.unlink()
        if "deployed" in words:
            break
        assert "disk is full" in words or "No space left" in words, words + small.words()
        refused.add("deployment" if "failed" in words and "->" in words else "push")
        assert await ticker_pid(small) == pid
        assert await eventually(lambda: sorted(os.listdir(releases)) == before), os.listdir(
            releases
        )
        assert not list((home / "apps/demo/repo.git").rglob("*incoming*"))
    assert refused, "the disk was never full"
    repo.write("n.txt", "good")
    assert "deployed" in await repo.push()
    current = home / "apps/demo/current/n.txt"
    assert current.read_text() == "good"


async def test_a_build_that_fills_the_disk_fails_and_the_next_deployment_works(
    small: Server, tmp_path: Path
) -> None:
    repo = Developer(tmp_path / "work", small, app="demo")
    repo.write("a.txt", "1")
    await repo.push()
    repo.write(".deployment", "[config]\ncommand = head -c 100000000 /dev/zero > big\n")
    said = await repo.push(check=False)
    assert "failed" in said, said + small.words()
    assert "No space left" in said or "disk is full" in said
    home = inside(small)
    await eventually(lambda: sorted(os.listdir(home / "apps/demo/releases")) == ["1", "1.json"])
    repo.write(".deployment", "[config]\ncommand = true\n")
    assert "deployed" in await repo.push()
