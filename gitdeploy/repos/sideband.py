"""The answer to a push: the report in band 1, lines for a person in band 2, each sent at once.

gitprotocol-pack(5): a packet's first byte is its band, 65520 bytes at most (1000 for the old
`side-band`). Text from outside is made safe: one line, control characters but tab as `\\x1b`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from gitdeploy.repos.commands import Band
from gitdeploy.repos.pktline import FLUSH, pkt

Send = Callable[[bytes], Awaitable[None]]
KEEP_ALIVE = 5.0
"""Seconds of silence after which an empty packet is sent: a proxy's limit is often 60."""

_DATA, _PROGRESS = b"\1", b"\2"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,32}m")


def safe_line(text: str, *, colours: bool = False) -> str:
    """Text that can't move a terminal's cursor; with `colours` SGR sequences stay."""
    if not _CONTROL.search(text):
        return text
    if not colours:
        return _CONTROL.sub(_escape, text)
    parts = _COLOUR.split(text)
    kept = _COLOUR.findall(text)
    safe = [_CONTROL.sub(_escape, part) for part in parts]
    return "".join(part + colour for part, colour in zip(safe, [*kept, ""], strict=True))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Sideband:
    """Writes one answer. After the client left (`gone`) everything is accepted and dropped."""

    def __init__(self, send: Send, band: Band, *, colours: bool = False) -> None:
        self.gone = False
        self._send = send
        self._band = band
        self._room = 995 if band == "side-band" else 65515
        self._colours = colours
        self._lock = asyncio.Lock()
        self._written = asyncio.Event()

    async def line(self, text: str) -> None:
        """One line for the person who pushes; without a side band there is no place for it."""
        if self._band is None or self.gone:
            return
        data = (safe_line(text, colours=self._colours) + "\n").encode("utf-8", "replace")
        for piece in _pieces(data, self._room):
            await self._write(pkt(_PROGRESS + piece))

    async def report(self, data: bytes) -> None:
        """Pkt-lines for the client's program."""
        if self._band is None:
            await self._write(data)
            return
        packets = [
            pkt(_DATA + data[at : at + self._room]) for at in range(0, len(data), self._room)
        ]
        await self._write(b"".join(packets))

    async def end(self) -> None:
        """The flush that ends the answer; the bare report has its own."""
        if self._band is not None:
            await self._write(FLUSH)

    @contextlib.asynccontextmanager
    async def kept_alive(self) -> AsyncIterator[None]:
        """While this is open, an empty packet goes out after every `KEEP_ALIVE` s of silence."""
        if self._band is None:
            yield
            return
        beat = asyncio.create_task(self._beat(), name="keep-alive")
        try:
            yield
        finally:
            beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beat

    async def _beat(self) -> None:
        while not self.gone:
            self._written.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await self._written.wait()
            except TimeoutError:
                await self._write(pkt(_PROGRESS))

    async def _write(self, data: bytes) -> None:
        async with self._lock:
            if self.gone:
                return
            try:
                await self._send(data)
            except OSError:  # ConnectionError and timeouts: nobody listens any more
                self.gone = True
            self._written.set()


def _pieces(data: bytes, room: int) -> list[bytes]:
    """Cut between characters, not inside one."""
    pieces: list[bytes] = []
    while len(data) > room:
        cut = room
        while cut > room - 4 and data[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(data[:cut])
        data = data[cut:]
    pieces.append(data)
    return pieces
