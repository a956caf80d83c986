"""A directory that is packed while an asynchronous reader takes it."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile

import pytest

from gitdeploy.archives import stream


def descriptors(root) -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue
        if target.startswith(str(root)):
            found.append(target)
    return found


@pytest.fixture
def site(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(os.urandom(2 << 20))
    return tmp_path


async def test_the_pieces_make_the_zip_and_the_loop_turns_meanwhile(site):
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    pieces = [piece async for piece in stream(site)]
    other.cancel()
    assert len(pieces) > 10
    assert turns > len(pieces)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.namelist() == ["a", "b", "c"]
    assert archive.testzip() is None


async def test_a_reader_that_leaves_closes_every_file(site):
    pieces = stream(site)
    await anext(pieces)
    assert descriptors(site)
    await pieces.aclose()
    assert descriptors(site) == []


async def test_a_reader_that_is_cancelled_while_a_piece_is_made_closes_every_file(site):
    async def read() -> None:
        async for _ in stream(site):
            pass

    for ticks in range(1, 30):
        reading = asyncio.create_task(read())
        for _ in range(ticks):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert descriptors(site) == []


async def test_a_directory_that_isnt_there_is_told_at_once(tmp_path):
    with pytest.raises(FileNotFoundError):
        await anext(stream(tmp_path / "no"))
