"""A log that doesn't fit into memory twice: what is asked of it costs the server next to nothing."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.scenarios.actors import ADMIN, Developer, Server, basic
from tests.support import eventually

RUNS = "/apps/demo/api/triggeredwebjobs"
LINES = 6_000_000
SIZE = 60 * LINES  # 360 MB, more than log_retention's default, so that there is none here
ALLOWED = 60 << 20
LOUD = f"""\
import sys
text = "an ordinary line of output, as they come " + "." * 8
for first in range(0, {LINES}, 10_000):
    sys.stdout.write("".join(f"{{n:09}} {{text}}\\n" for n in range(first, first + 10_000)))
"""


def resident(pid: int) -> int:
    """The most memory that a process has had since that was reset, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
    assert found is not None
    return int(found[1]) << 10


@pytest.mark.timeout(300)
async def test_a_huge_log_is_served_in_parts_within_little_memory(
    home: Path, tmp_path: Path
) -> None:
    server = Server(home, "--swap-grace", "0.7", "--grace", "5", "--log-retention", "0")
    await server.start()
    try:
        repo = Developer(tmp_path / "work", server, app="demo")
        repo.job("triggered/loud", "run.py", LOUD)
        await repo.push()
        await server.call("POST", f"{RUNS}/loud/run", status=202)
        location = server.headers["Location"]

        async def ended() -> Any:
            run = await server.call("GET", location)
            return run if run["end_time"] else None

        run = await eventually(ended, limit=120)
        assert run["output_bytes"] == SIZE
        assert server.process is not None
        pid = server.process.pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): reset VmHWM
        before = resident(pid)
        async with aiohttp.ClientSession(headers=basic(ADMIN)) as session:
            await look(session, run)
        grown = resident(pid) - before
        assert grown < ALLOWED, f"the server grew by {grown / (1 << 20):.0f} MiB"
    finally:
        await server.end()


async def look(session: aiohttp.ClientSession, run: Any) -> None:
    """Ask for parts of the log in each way, the slowest of them within seconds."""

    async def get(url: str, **headers: str) -> tuple[Any, bytes]:
        began = time.monotonic()
        async with session.get(url, headers=headers) as response:
            body = await response.read()
        assert time.monotonic() - began < 30, url
        return response, body

    log, file = f"{run['url']}/log", run["output_url"]
    _, tail = await get(f"{log}?tail=3")
    assert [line[:9] for line in tail.splitlines()] == [b"%09d" % (LINES - n) for n in (3, 2, 1)]
    _, found = await get(f"{log}?grep=004999999")
    assert found.startswith(b"004999999 an ordinary") and found.count(b"\n") == 1
    _, found = await get(f"{log}?grep=LINE%20OF&ignore_case=true&tail=2")
    assert found.count(b"\n") == 2
    _, found = await get(f"{log}?since={run['end_time']}")
    assert found == b""
    async with session.head(file) as response:
        size = int(response.headers["Content-Length"])
        tag = response.headers["ETag"]
    prefix = len("[11/23/2026 21:20:39 > 1a2b3c: INFO] ")
    assert SIZE + LINES * prefix < size < SIZE + LINES * prefix + 1000
    beats = asyncio.create_task(slowest(session, run["url"]))
    for at in (0, size // 2, size - 500):
        part, body = await get(file, **{"Range": f"bytes={at}-{at + 399}", "If-Range": tag})
        assert (part.status, len(body)) == (206, 400)
    part, body = await get(file, Range="bytes=-200")
    assert body.endswith(b"SYS INFO] Status changed to Success\n")
    digest, total = hashlib.sha256(), 0
    async with session.get(file) as response:
        async for chunk in response.content.iter_any():
            digest.update(chunk)
            total += len(chunk)
    assert total == size
    again = hashlib.sha256()
    for first in range(0, size, 100 << 20):
        span = f"bytes={first}-{min(size, first + (100 << 20)) - 1}"
        async with session.get(file, headers={"Range": span}) as response:
            async for chunk in response.content.iter_any():
                again.update(chunk)
    assert again.digest() == digest.digest()
    assert not beats.done(), beats
    beats.cancel()
    await asyncio.wait({beats})


async def slowest(session: aiohttp.ClientSession, url: str) -> None:
    """Ask something small all the while: nobody waits for who reads a big log."""
    while True:
        began = time.monotonic()
        async with session.get(url) as response:
            await response.read()
        assert time.monotonic() - began < 2
        await asyncio.sleep(0.05)
