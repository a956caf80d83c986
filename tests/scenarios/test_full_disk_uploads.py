"""The server's disk is full while a zip or a file comes in: told, undone, and the next one works."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.scenarios.actors import ADMIN, Server, basic
from tests.support import eventually

SIZE = 48 << 20
ROOM = [0, 8 << 10, 64 << 10, 1 << 20, 3 << 20]
MOUNT = f'mount -t tmpfs -o size={SIZE} none "$0" && exec "$@"'
BIG = os.urandom(2 << 20)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose home is on a small file system (tmpfs in a mount namespace)."""
    home = tmp_path / "disk"
    home.mkdir()
    wrapper = ("unshare", "-rm", "sh", "-c", MOUNT, str(home))
    server = Server(home / "home", "--swap-grace", "0.2", "--isolation", "none", wrapper=wrapper)
    server.log = tmp_path / "server.log"
    await server.start()
    await server.call("PUT", "/api/apps/demo")
    yield server
    await server.end()


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


async def send(server: Server, method: str, path: str, body: bytes) -> tuple[int, str]:
    headers = {**basic(ADMIN), "If-Match": "*"}
    url = f"{server.url}/apps/demo/api/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=io.BytesIO(body), headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def fill(home: Path, room: int) -> Path:
    """Take the room there is, up to `room` bytes."""
    ballast = home.parent / "ballast"
    free = os.statvfs(home)
    length = max(0, free.f_bavail * free.f_frsize - room)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, length) if length else None
    return ballast


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "zipdeploy", zipped(big=BIG, name=b"new")),
        ("POST", "publish?type=static&path=big", BIG),
        ("PUT", "vfs/site/wwwroot/big", BIG),
        ("PUT", "zip/site/wwwroot/", zipped(big=BIG)),
        ("PUT", "vfs/data/big", BIG),
        ("PUT", "zip/data/", zipped(big=BIG)),
    ],
)
async def test_a_full_disk_leaves_what_was_there(
    small: Server, method: str, path: str, body: bytes
) -> None:
    assert (await send(small, "POST", "zipdeploy", zipped(name=b"old")))[0] == 200
    assert small.process is not None
    app = Path(f"/proc/{small.process.pid}/root{small.home}") / "apps/demo"
    full = 0
    for room in ROOM:
        ballast = fill(app.parents[1], room)
        try:
            status, said = await send(small, method, path, body)
        finally:
            ballast.unlink()
        if status == 201 and room > len(BIG):
            return  # a file of the data directory needs no more room than it takes
        assert status == 507, (room, status, said)
        assert "disk is full" in said, said
        full += status == 507
        await eventually(lambda: not list((app / "uploads").glob("incoming-*")))
        assert (await send(small, "GET", "vfs/site/wwwroot/name", b""))[1] == "old"
        assert (app / "current").readlink() == Path("releases/1")
        assert not (app / "data/big").exists()
        assert sorted(os.listdir(app / "releases")) == ["1", "1.json"]
    assert full >= len(ROOM) - 1
    status, said = await send(small, method, path, body)
    assert status in (200, 201), said
