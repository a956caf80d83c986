"""pkt-lines, the frames of git's wire protocol (gitprotocol-common(5)).

A line is four hexadecimal digits, the length with these four, then so many bytes; the lengths
0, 1 and 2 are the special packets flush, delimiter and response end.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterator

from gitdeploy.errors import Invalid

FLUSH = b"0000"
DELIM = b"0001"
RESPONSE_END = b"0002"
MAX_DATA = 65516
"""Most bytes of data in one packet: 65520 less the length itself."""

_HEX = frozenset(b"0123456789abcdefABCDEF")


class PktError(Invalid):
    """Bytes that aren't pkt-lines, or a stream that ended inside one."""


class Special(enum.IntEnum):
    """Packets that carry no data; the value is the length that they are written with."""

    FLUSH = 0
    DELIM = 1
    RESPONSE_END = 2


Packet = bytes | Special


def pkt(data: bytes | str) -> bytes:
    """One packet with this data. Raises ValueError above 65516 bytes."""
    if isinstance(data, str):
        data = data.encode()
    if len(data) > MAX_DATA:
        raise ValueError(f"{len(data)} bytes don't fit into a packet")
    return b"%04x" % (len(data) + 4) + data


def _length(header: bytes) -> int:
    """The length in a header. Raises PktError; 3 and above 65520 don't exist."""
    if not _HEX.issuperset(header):
        raise PktError(f"{header!r} isn't the length of a pkt-line.")
    length = int(header, 16)
    if length == 3 or length > MAX_DATA + 4:
        raise PktError(f"A pkt-line can't have the length {length}.")
    return length


def parse(data: bytes) -> Iterator[Packet]:
    """The packets of a whole message. Raises PktError where it ends inside a packet."""
    at = 0
    while at < len(data):
        header = data[at : at + 4]
        if len(header) < 4:
            raise PktError("The message ends inside the length of a pkt-line.")
        length = _length(header)
        if length < 4:
            yield Special(length)
            at += 4
            continue
        if at + length > len(data):
            raise PktError("The message ends inside a pkt-line.")
        yield data[at + 4 : at + length]
        at += length


class PktReader:
    """Packets from a stream of chunks, and then whatever follows them.

    Never holds more than one packet and one chunk.
    """

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._buffer = b""
        self._at = 0  # what lies before it was read; cutting it off each time would be quadratic
        self._ended = False

    async def read(self) -> Packet | None:
        """The next packet, None at the end of the stream. Raises PktError inside a packet."""
        if len(self._buffer) - self._at < 4 and not await self._fill(4):
            if self._at < len(self._buffer):
                raise PktError("The stream ends inside the length of a pkt-line.")
            return None
        length = _length(self._buffer[self._at : self._at + 4])
        if length < 4:
            self._at += 4
            return Special(length)
        if len(self._buffer) - self._at < length and not await self._fill(length):
            raise PktError("The stream ends inside a pkt-line.")
        data = self._buffer[self._at + 4 : self._at + length]
        self._at += length
        return data

    async def rest(self) -> AsyncIterator[bytes]:
        """Everything behind the last packet that was read, in chunks as they come."""
        if self._at < len(self._buffer):
            chunk, self._buffer, self._at = self._buffer[self._at :], b"", 0
            yield chunk
        if not self._ended:
            async for chunk in self._source:
                if chunk:
                    yield chunk
            self._ended = True

    async def _fill(self, size: int) -> bool:
        """Whether `size` unread bytes are buffered, after reading what that takes."""
        chunks = [self._buffer[self._at :]]
        have = len(chunks[0])
        while have < size and not self._ended:
            try:
                chunk = await anext(self._source)
            except StopAsyncIteration:
                self._ended = True
                break
            chunks.append(chunk)
            have += len(chunk)
        self._buffer, self._at = b"".join(chunks), 0
        return have >= size
