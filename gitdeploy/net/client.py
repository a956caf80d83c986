"""Send one request for an action or a hook, and tell how it ended.

The address is judged before the connection is made, and the connection is made to just that
address; so is each redirect's (docs/security.md, "Actions"). Whatever happens is an `Outcome`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from gitdeploy import __version__
from gitdeploy.errors import Invalid
from gitdeploy.net.addresses import AddressRefused, LookUp, system_look_up
from gitdeploy.net.outgoing import (
    MAX_REDIRECTS,
    Outcome,
    OutgoingRequest,
    check,
    shown,
    target,
    without_credentials,
)
from gitdeploy.net.pinned import BrokenOff, Pinned, pinned

_AGENT = f"gitdeploy/{__version__}"
_SETTING = "allow_private_hooks"
# What may go along to another host; anything else could be a credential.
_HARMLESS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-language", "content-type"}
    | {"user-agent"}
)


async def send(
    request: OutgoingRequest, *, allow_private: bool, look_up: LookUp = system_look_up
) -> Outcome:
    """Send it once and read the answer, all within `request.timeout`.

    Never raises for what the other side does or for what is refused: see `Outcome.error`.
    """
    started = time.monotonic()
    place = _Place(request.url)
    try:
        check(request)
        async with (
            asyncio.timeout(request.timeout),
            pinned(
                allow_private=allow_private,
                setting=_SETTING,
                timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_timeout),
                verify=not request.insecure_ssl,
                bare=True,
                decompress=False,
                look_up=look_up,
            ) as client,
        ):
            await _exchange(client, request, place)
    except (AddressRefused, Invalid) as error:
        place.refused = True
        place.error = str(error)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        place.error = _sentence(error, place.at, request)
    return place.outcome(time.monotonic() - started)


@dataclass(slots=True)
class _Place:
    """How far a request has come."""

    at: str | URL
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: bool = False
    error: str | None = None
    refused: bool = False

    def outcome(self, duration: float) -> Outcome:
        return Outcome(
            url=shown(self.at),
            duration=duration,
            status=self.status,
            reason=self.reason,
            headers=self.headers,
            body=self.body,
            cut=self.cut,
            error=self.error,
            refused=self.refused,
        )


async def _exchange(client: Pinned, request: OutgoingRequest, place: _Place) -> None:
    """Ask, follow where it leads, and read the last answer into `place`."""
    url, authorization = without_credentials(target(request.url))
    method, body = request.method.upper(), request.body
    headers = _headers(request.headers, authorization)
    left = min(request.redirects, MAX_REDIRECTS)
    while True:
        place.at = url
        async with client.request(method, url, headers=headers, data=body) as response:
            location = response.headers.get("Location")
            moved = response.status in (301, 302, 303, 307, 308) and location
            if not moved or request.redirects == 0:
                await _read(response, request, place)
                return
            place.status, place.reason = response.status, _one_line(response.reason or "")
        if left == 0:
            raise Invalid(
                f"{shown(request.url)} redirects more than {min(request.redirects, MAX_REDIRECTS)}"
                " times.",
                "Give the address where it ends.",
            )
        left -= 1
        there, authorization = without_credentials(_there(url, location or ""))
        if not _same_host(url, there):
            headers = {n: v for n, v in headers.items() if n.lower() in _HARMLESS}
        headers = _headers(headers, authorization)
        if response.status == 303 or (response.status in (301, 302) and method == "POST"):
            method, body = "HEAD" if method == "HEAD" else "GET", None
            headers = {n: v for n, v in headers.items() if not n.lower().startswith("content-")}
        place.status, place.reason, url = None, "", there


def _headers(given: Mapping[str, str], authorization: str | None) -> dict[str, str]:
    headers = dict(given)
    names = {name.lower() for name in headers}
    defaults = {"User-Agent": _AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if authorization is not None:
        defaults["Authorization"] = authorization
    headers.update({n: v for n, v in defaults.items() if n.lower() not in names})
    return headers


def _there(url: URL, location: str) -> URL:
    """Where a redirect leads. Raises Invalid where it may not."""
    try:
        there = target(str(url.join(URL(location))))
    except ValueError as error:
        raise Invalid(f"{shown(url)} redirects to what isn't a URL.") from error
    if url.scheme == "https" and there.scheme != "https":
        raise Invalid(f"{shown(url)} redirects from https to http.", "Give its http address.")
    return there


def _same_host(url: URL, there: URL) -> bool:
    """Whether credentials may go along: the very origin, or from its http to its https."""
    upgraded = (url.port, there.port) == (80, 443)
    return url.raw_host == there.raw_host and (url.port == there.port or upgraded)


async def _read(response: aiohttp.ClientResponse, request: OutgoingRequest, place: _Place) -> None:
    """The head and the first bytes; the rest is read and forgotten, up to `most`."""
    place.status = response.status
    place.reason = _one_line(response.reason or "")
    place.headers = tuple(response.headers.items())
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        place.body += piece[: max(0, request.keep - len(place.body))]
        place.cut = size > request.keep
        if size > request.most:
            return


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:100]


def _sentence(error: Exception, at: str | URL, request: OutgoingRequest) -> str:
    """What went wrong, for the person who wrote the request; never with a header's value."""
    host = at.raw_host if isinstance(at, URL) else shown(at)
    match error:
        case aiohttp.ConnectionTimeoutError():
            return f"{host} didn't take the connection within {request.connect_timeout:g} s."
        case TimeoutError():
            return f"{host} didn't answer whole within {request.timeout:g} s."
        case aiohttp.ClientConnectorCertificateError():
            return f"{host} has a certificate that isn't trusted: {_certificate(error)}."
        case aiohttp.ClientConnectorSSLError():
            return f"{host} doesn't speak TLS as it should: {_tls(error.os_error)}."
        case aiohttp.ClientConnectorDNSError():
            return f"{host} isn't a name that can be found."
        case aiohttp.ClientConnectorError():
            return f"{host} can't be reached: {_system(error.os_error)}."
        case BrokenOff():
            return f"{host} ended the connection without an answer."
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError():
            return f"{host} broke off in the middle of its answer."
        case aiohttp.ClientResponseError():
            return f"{host} answers with something that isn't HTTP."
        case OSError():
            return f"{host} can't be reached: {_system(error)}."
        case _:
            return f"{shown(at)} can't be asked: {type(error).__name__}."


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    text = getattr(cause, "verify_message", "") or "it can't be verified"
    return _one_line(str(text)).rstrip(".")


def _tls(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return _one_line((reason or "the handshake failed").replace("_", " ").lower())


def _system(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "the connection failed"
