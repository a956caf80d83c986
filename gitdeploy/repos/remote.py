"""The asking side of a fetch over smart HTTP.

Done here and not by a git child, so that each connection, those after a redirect too, is made to
an address that was judged: git pins one address only since 2.37 and follows redirects unasked.
gitprotocol-http(5).
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from gitdeploy import __version__
from gitdeploy.net import LookUp, Pinned, pinned, system_look_up
from gitdeploy.repos.asking import (
    Advertised,
    broke_off,
    read_advertisement,
    read_pack,
    request,
    said,
    silent,
)
from gitdeploy.repos.location import FetchError, Location
from gitdeploy.repos.pktline import PktError, PktReader

_REDIRECTS = 3
_INFO = "/info/refs"
_QUERY = {"service": "git-upload-pack"}
# Several hosts answer a browser instead of a client whose name doesn't begin with git/.
_AGENT = f"git/2 (gitdeploy/{__version__})"
_TIMES = aiohttp.ClientTimeout(total=3600, sock_connect=30, sock_read=120)
_BUSY = frozenset({408, 429})


class HttpRemote:
    """A repository behind http or https; use with `async with over_http(…)`."""

    def __init__(self, client: Pinned, location: Location) -> None:
        self._client = client
        self._location = location

    async def advertised(self) -> Advertised:
        """Ask for the refs, following at most 3 redirects. Raises FetchError, AddressRefused."""
        for _ in range(_REDIRECTS + 1):
            location = self._location
            url = location.base.with_path(location.base.path + _INFO).with_query(_QUERY)
            async with self._request("GET", url) as response:
                if response.status in (301, 302, 303, 307, 308):
                    self._location = location.moved(response.headers.get("Location", ""))
                    continue
                _check(response, "git-upload-pack-advertisement", location)
                return await read_advertisement(PktReader(response.content.iter_any()), location)
        raise FetchError(f"{self._location} redirects more than {_REDIRECTS} times.")

    async def pack(
        self, offer: Advertised, want: Sequence[str], have: Sequence[str]
    ) -> AsyncGenerator[bytes, None]:
        """The pack with all that `want` needs and `have` lacks, in pieces. Raises FetchError."""
        location = self._location
        url = location.base.with_path(location.base.path + "/git-upload-pack")
        async with self._request("POST", url, request(offer, want, have)) as response:
            _check(response, "git-upload-pack-result", location)
            async for piece in read_pack(PktReader(response.content.iter_any()), location):
                yield piece

    @asynccontextmanager
    async def _request(
        self, method: str, url: URL, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        location = self._location
        headers = {"Accept": "*/*", "User-Agent": _AGENT}
        if location.authorization is not None:
            headers["Authorization"] = location.authorization
        if data is not None:
            headers["Content-Type"] = "application/x-git-upload-pack-request"
        try:
            async with self._client.request(method, url, data=data, headers=headers) as response:
                yield response
        except TimeoutError as error:
            raise silent(location) from error
        except PktError as error:
            raise broke_off(location, error.what) from error
        except (aiohttp.ClientError, OSError) as error:
            # a certificate doesn't become good by waiting
            certain = isinstance(error, aiohttp.ClientSSLError | aiohttp.InvalidURL)
            raise FetchError(
                f"{location} can't be reached: {_why(error)}.",
                "Is the address right, and the host up?",
                temporary=not certain,
            ) from error


@asynccontextmanager
async def over_http(
    location: Location, *, allow_private: bool, look_up: LookUp = system_look_up
) -> AsyncIterator[HttpRemote]:
    """A client that connects to judged addresses only and forgets all of it afterwards."""
    async with pinned(
        allow_private=allow_private,
        setting="allow_private_fetch",
        timeout=_TIMES,
        look_up=look_up,
    ) as client:
        yield HttpRemote(client, location)


def _check(response: aiohttp.ClientResponse, kind: str, location: Location) -> None:
    status = response.status
    if status in (401, 403):
        raise FetchError(
            f"{location} refuses access ({status}).",
            "Put a user and a token into the URL: https://USER:TOKEN@HOST/PATH.",
        )
    if status == 404:
        raise FetchError(
            f"{location} isn't there (404).", "Is the address right, or is it private?"
        )
    if status != 200:
        raise FetchError(
            f"{location} answers {status}.",
            "Try again later.",
            temporary=status >= 500 or status in _BUSY,
            after=_seconds(response.headers.get("Retry-After", "")),
        )
    if response.content_type != f"application/x-{kind}":
        raise FetchError(
            f"{location} isn't a git repository: it answers with {response.content_type}.",
            "Use the address for cloning over HTTP.",
        )


def _why(error: Exception) -> str:
    """A few words, none of them from the URL, which may have credentials."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "no such name is found"
        case aiohttp.ClientConnectorCertificateError():
            reason = (
                getattr(error.certificate_error, "verify_message", "") or "it can't be verified"
            )
            return f"its certificate isn't trusted: {said(str(reason).encode()).rstrip('.')}"
        case aiohttp.ClientSSLError():
            return "it doesn't speak TLS as it should"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return os.strerror(number).lower() if number else "the connection failed"
        case OSError() if error.errno:
            return os.strerror(error.errno).lower()
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return "the connection broke off"
        case _:
            return type(error).__name__


def _seconds(retry_after: str) -> float | None:
    """The seconds of a `Retry-After`; one with a date says nothing to us."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
