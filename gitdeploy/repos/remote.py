"""The asking side of a fetch: smart HTTP, protocol 0, which every host of repositories speaks.

Done here and not by a git child, so that each connection, those after a redirect too, is made to
an address that was judged: git pins one address only since 2.37 and follows redirects unasked.
gitprotocol-http(5), gitprotocol-pack(5).
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import aiohttp
from yarl import URL

from gitdeploy import __version__
from gitdeploy.errors import GitdeployError
from gitdeploy.net import LookUp, Pinned, pinned, system_look_up
from gitdeploy.repos.pktline import FLUSH, PktError, PktReader, Special, pkt

_REDIRECTS = 3
_MOST_LISTING = 64 << 20
_INFO = "/info/refs"
_QUERY = {"service": "git-upload-pack"}
# Several hosts answer a browser instead of a client whose name doesn't begin with git/.
_AGENT = f"git/2 (gitdeploy/{__version__})"
_TIMES = aiohttp.ClientTimeout(total=3600, sock_connect=30, sock_read=120)
_OID = re.compile(rb"[0-9a-f]{40}")


class FetchError(GitdeployError):
    """A fetch that can't be done; `what` never holds the URL's credentials."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a remote repository is: `base` has no credentials, `authorization` is a header."""

    base: URL
    authorization: str | None

    def __str__(self) -> str:
        return str(self.base)

    def moved(self, to: str) -> Location:
        """Where a redirect of `info/refs` leads. Raises FetchError.

        Credentials stay with their host: they go along only to the same one, never from https to
        http.
        """
        target = self.base.with_path(self.base.path + _INFO).join(URL(to))
        if not target.path.endswith(_INFO):
            raise FetchError(
                f"{self} redirects to something that isn't a repository.",
                "Use the address that a browser shows for cloning.",
            )
        there = parse_url(str(target.with_query(None).with_fragment(None)))
        base = there.base.with_path(there.base.path.removesuffix(_INFO))
        if self.base.scheme == "https" and base.scheme != "https":
            raise FetchError(f"{self} redirects from https to http.", "Use its http address.")
        same_host = base.host == self.base.host
        same_port = base.port == self.base.port or (self.base.port, base.port) == (80, 443)
        kept = self.authorization if same_host and same_port else None
        return Location(base, there.authorization or kept)


def parse_url(url: str) -> Location:
    """The parts of a repository's URL. Raises FetchError for all but plain http and https."""
    shown = re.sub(r"//[^/@]*@", "//***@", url)[:200]
    if url.startswith("-") or "::" in url.partition("//")[0] or any(c <= " " for c in url):
        raise FetchError(f"{shown!r} isn't a URL that can be fetched from.", _HTTP_ONLY)
    try:
        parsed = URL(url)
        host, port = parsed.host, parsed.port
        user, password = parsed.user, parsed.password
    except ValueError as error:
        raise FetchError(f"{shown!r} isn't a URL.", _HTTP_ONLY) from error
    if parsed.scheme not in ("http", "https") or not host or not port:
        raise FetchError(f"{shown!r} isn't an http or https URL.", _HTTP_ONLY)
    if parsed.query_string or parsed.fragment:
        raise FetchError(f"{shown!r} has a query or fragment.", "Leave out what follows the path.")
    authorization = None
    if user or password:
        plain = f"{user or ''}:{password or ''}".encode()
        authorization = "Basic " + base64.b64encode(plain).decode()
    base = parsed.with_user(None)
    return Location(base.with_path(base.path.rstrip("/")), authorization)


_HTTP_ONLY = "Use the repository's http:// or https:// address."


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a remote offers: refs by name, HEAD's branch, the capabilities, and where it was found."""

    refs: dict[str, str]
    head: str | None
    capabilities: frozenset[str]
    location: Location


class Remote:
    """One remote repository for the length of a fetch; use with `async with connect(…)`."""

    def __init__(self, client: Pinned) -> None:
        self._client = client

    async def advertised(self, location: Location) -> Advertised:
        """Ask for the refs, following at most 3 redirects. Raises FetchError, AddressRefused."""
        for _ in range(_REDIRECTS + 1):
            url = location.base.with_path(location.base.path + _INFO).with_query(_QUERY)
            async with self._request("GET", url, location) as response:
                if response.status in (301, 302, 303, 307, 308):
                    location = location.moved(response.headers.get("Location", ""))
                    continue
                _check(response, "git-upload-pack-advertisement", location)
                chunks = _bounded(response.content.iter_any(), location)
                return await _read_advertisement(chunks, location)
        raise FetchError(f"{location} redirects more than {_REDIRECTS} times.")

    async def pack(
        self, offer: Advertised, want: str, have: Iterable[str]
    ) -> AsyncGenerator[bytes, None]:
        """The pack with all that `want` needs and `have` lacks, in pieces. Raises FetchError."""
        location = offer.location
        wished = ("side-band-64k", "ofs-delta", "thin-pack", "no-progress")
        capabilities = [name for name in wished if name in offer.capabilities]
        if "side-band-64k" not in capabilities:
            raise FetchError(f"{location} doesn't speak side-band-64k.", "Use a newer git there.")
        agent = f"agent=gitdeploy/{__version__}"
        lines = [pkt(f"want {want} {' '.join(capabilities)} {agent}\n"), FLUSH]
        lines += [pkt(f"have {oid}\n") for oid in have]
        lines.append(pkt("done\n"))
        url = location.base.with_path(location.base.path + "/git-upload-pack")
        async with self._request("POST", url, location, b"".join(lines)) as response:
            _check(response, "git-upload-pack-result", location)
            async for piece in _unband(PktReader(response.content.iter_any()), location):
                yield piece

    @asynccontextmanager
    async def _request(
        self, method: str, url: URL, location: Location, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Accept": "*/*", "User-Agent": _AGENT}
        if location.authorization is not None:
            headers["Authorization"] = location.authorization
        if data is not None:
            headers["Content-Type"] = "application/x-git-upload-pack-request"
        try:
            async with self._client.request(method, url, data=data, headers=headers) as response:
                yield response
        except TimeoutError as error:
            raise FetchError(f"{location} didn't answer in time.", "Try again later.") from error
        except PktError as error:
            raise FetchError(f"{location} broke off: {error.what}") from error
        except (aiohttp.ClientError, OSError) as error:
            text = type(error).__name__ if "@" in str(error) else str(error)
            raise FetchError(f"{location} can't be reached: {text}.", "Is it right?") from error


@asynccontextmanager
async def connect(
    *, allow_private: bool, look_up: LookUp = system_look_up
) -> AsyncIterator[Remote]:
    """A client that connects to judged addresses only and forgets all of it afterwards."""
    async with pinned(
        allow_private=allow_private,
        setting="allow_private_fetch",
        timeout=_TIMES,
        look_up=look_up,
    ) as client:
        yield Remote(client)


def _check(response: aiohttp.ClientResponse, kind: str, location: Location) -> None:
    if response.status in (401, 403):
        raise FetchError(
            f"{location} refuses access ({response.status}).",
            "Put a user and a token into the URL: https://USER:TOKEN@HOST/PATH.",
        )
    if response.status == 404:
        raise FetchError(
            f"{location} isn't there (404).", "Is the address right, or is it private?"
        )
    if response.status != 200:
        raise FetchError(f"{location} answers {response.status}.", "Try again later.")
    if response.content_type != f"application/x-{kind}":
        raise FetchError(
            f"{location} isn't a git repository: it answers with {response.content_type}.",
            "Use the address for cloning over HTTP.",
        )


async def _bounded(chunks: AsyncIterator[bytes], location: Location) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > _MOST_LISTING:
            raise FetchError(f"{location} has more than {_MOST_LISTING} bytes of refs.")
        yield chunk


async def _read_advertisement(chunks: AsyncIterator[bytes], location: Location) -> Advertised:
    reader = PktReader(chunks)
    first = await reader.read()
    if isinstance(first, bytes) and first.startswith(b"# service="):
        if await reader.read() is not Special.FLUSH:
            raise FetchError(f"{location} sends a listing that can't be read.")
        first = await reader.read()
    refs: dict[str, str] = {}
    capabilities: frozenset[str] = frozenset()
    line = first
    while isinstance(line, bytes):
        if line.startswith(b"ERR "):
            raise FetchError(f"{location} says: {_text(line[4:])}")
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
        raise FetchError(f"{location} sends a listing that is cut off.", "Try again.")
    refs.pop("capabilities^{}", None)
    symrefs = (c.removeprefix("symref=HEAD:") for c in capabilities if c.startswith("symref=HEAD:"))
    return Advertised(refs, next(symrefs, None), capabilities, replace(location))


async def _unband(reader: PktReader, location: Location) -> AsyncIterator[bytes]:
    """The pack's bytes out of band 1, behind the lines of the negotiation."""
    started = False
    while True:
        packet = await reader.read()
        if packet is None:
            raise FetchError(f"{location} broke off.", "Try again.")
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
            raise FetchError(f"{location} says: {_text(packet[1:])}")
        elif packet.startswith(b"ERR "):
            raise FetchError(f"{location} says: {_text(packet[4:])}")
        elif band != b"\x02" and not packet.startswith((b"ACK ", b"NAK", b"shallow ")):
            raise FetchError(f"{location} sends an answer that can't be read.")


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()[:300]
    return "".join(sign if sign.isprintable() else "?" for sign in text)
