"""What one says to an `upload-pack`, and what it answers: protocol 0, over whatever carries it.

Every host of repositories speaks it. gitprotocol-pack(5).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gitdeploy import __version__
from gitdeploy.repos.location import FetchError, Source
from gitdeploy.repos.pktline import FLUSH, PktReader, Special, pkt

_MOST_LISTING = 64 << 20
_OID = re.compile(rb"[0-9a-f]{40}")
_WISHED = ("side-band-64k", "ofs-delta", "thin-pack", "no-progress", "include-tag")
PEELED = "^{}"


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a remote offers: refs by name, HEAD's branch, the capabilities, and where it was found.

    `NAME^{}` is what the tag NAME leads to.
    """

    refs: dict[str, str]
    head: str | None
    capabilities: frozenset[str]
    location: Source


class Remote(Protocol):
    """One remote repository for the length of a fetch."""

    async def advertised(self) -> Advertised:
        """Ask for the refs. Raises FetchError, AddressRefused."""

    def pack(
        self, offer: Advertised, want: Sequence[str], have: Sequence[str]
    ) -> AsyncGenerator[bytes, None]:
        """The pack with all that `want` needs and `have` lacks, in pieces. Raises FetchError."""


def request(offer: Advertised, want: Sequence[str], have: Sequence[str]) -> bytes:
    """The whole request for a pack. Raises FetchError where the other side is too old."""
    capabilities = [name for name in _WISHED if name in offer.capabilities]
    if "side-band-64k" not in capabilities:
        raise FetchError(f"{offer.location} doesn't speak side-band-64k.", "Use a newer git there.")
    first, *others = want
    lines = [pkt(f"want {first} {' '.join(capabilities)} agent=gitdeploy/{__version__}\n")]
    lines += [pkt(f"want {oid}\n") for oid in others]
    lines.append(FLUSH)
    lines += [pkt(f"have {oid}\n") for oid in have]
    lines.append(pkt("done\n"))
    return b"".join(lines)


async def read_advertisement(reader: PktReader, location: Source) -> Advertised:
    """The listing of refs. Raises FetchError, PktError."""
    first = await reader.read()
    if isinstance(first, bytes) and first.startswith(b"# service="):
        if await reader.read() is not Special.FLUSH:
            raise FetchError(f"{location} sends a listing that can't be read.")
        first = await reader.read()
    refs: dict[str, str] = {}
    capabilities: frozenset[str] = frozenset()
    line = first
    size = 0
    while isinstance(line, bytes):
        size += len(line)
        if size > _MOST_LISTING:
            raise FetchError(f"{location} has more than {_MOST_LISTING} bytes of refs.")
        if line.startswith(b"ERR "):
            raise FetchError(f"{location} says: {said(line[4:])}")
        if line.startswith(b"version "):
            line = await reader.read()
            continue
        names, nul, rest = line.rstrip(b"\n").partition(b"\0")
        if nul:
            capabilities = frozenset(rest.decode("utf-8", "replace").split())
        oid, _, name = names.partition(b" ")
        if len(oid) == 64:
            raise FetchError(f"{location} is a SHA-256 repository.", "Only SHA-1 is supported.")
        if oid != b"shallow":
            if not _OID.fullmatch(oid):
                raise FetchError(f"{location} sends a listing that can't be read.")
            refs[name.decode("utf-8", "surrogateescape")] = oid.decode()
        line = await reader.read()
    if line is None:
        raise FetchError(
            f"{location} sends a listing that is cut off.", "Try again.", temporary=True
        )
    refs.pop("capabilities^{}", None)
    symrefs = (c.removeprefix("symref=HEAD:") for c in capabilities if c.startswith("symref=HEAD:"))
    return Advertised(refs, next(symrefs, None), capabilities, location)


async def read_pack(reader: PktReader, location: Source) -> AsyncIterator[bytes]:
    """The pack's bytes out of band 1, behind the lines of the negotiation. Raises FetchError."""
    started = False
    while True:
        packet = await reader.read()
        if packet is None:
            raise broke_off(location)
        if isinstance(packet, Special):
            if started:
                return
            continue
        band = packet[:1]
        if band == b"\x01":
            started = True
            if len(packet) > 1:
                yield packet[1:]
        elif band == b"\x03":
            raise FetchError(f"{location} says: {said(packet[1:])}")
        elif packet.startswith(b"ERR "):
            raise FetchError(f"{location} says: {said(packet[4:])}")
        elif band != b"\x02" and not packet.startswith((b"ACK ", b"NAK", b"shallow ")):
            raise FetchError(f"{location} sends an answer that can't be read.")


def broke_off(location: Source, why: str = "") -> FetchError:
    """The stream ended before its end."""
    words = f": {why}" if why else "."
    return FetchError(f"{location} broke off{words}", "Try again.", temporary=True)


def silent(location: Source) -> FetchError:
    """Nothing came for too long."""
    return FetchError(f"{location} didn't answer in time.", "Try again later.", temporary=True)


def said(line: bytes) -> str:
    """A line of the other side's, as one printable line."""
    text = line.decode("utf-8", "replace").strip()[:300]
    return "".join(sign if sign.isprintable() else "?" for sign in text)
