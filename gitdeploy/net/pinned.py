"""An HTTP client that connects to judged addresses only and forgets all of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from gitdeploy.net.addresses import AddressRefused, CheckedResolver, LookUp, system_look_up


class BrokenOff(aiohttp.ClientError):
    """The connection ended before the answer began."""


class Pinned:
    """One session; use with `async with pinned(…)`. Redirects are the caller's to follow."""

    def __init__(self, session: aiohttp.ClientSession, resolver: CheckedResolver) -> None:
        self._session = session
        self._resolver = resolver

    @asynccontextmanager
    async def request(
        self, method: str, url: URL, *, headers: Mapping[str, str], data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send and get the answer's head. Raises AddressRefused, aiohttp.ClientError, OSError.

        TimeoutError is an OSError. The body is read inside, and left unread it closes the
        connection.
        """
        self._resolver.check_host(url.raw_host or "")
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                yield response
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, AddressRefused):
                raise error.__cause__ from None
            raise


@asynccontextmanager
async def pinned(
    *,
    allow_private: bool,
    setting: str,
    timeout: aiohttp.ClientTimeout,
    verify: bool = True,
    bare: bool = False,
    decompress: bool = True,
    look_up: LookUp = system_look_up,
) -> AsyncIterator[Pinned]:
    """A client whose names are resolved once; `setting` is the option that a refusal names.

    No proxy and no netrc of the environment, no cookies. Without `verify` any certificate will do.
    With `bare` a request is sent a single time and with the given headers alone; else aiohttp adds
    some and repeats an idempotent one whose connection breaks off before the answer.
    """
    resolver = CheckedResolver(allow_private=allow_private, setting=setting, look_up=look_up)
    connector = aiohttp.TCPConnector(
        resolver=resolver,
        ssl=verify,
        # without an end to the cache a name is resolved once for the whole session
        use_dns_cache=True,
        ttl_dns_cache=None,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=decompress,
        skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding") if bare else (),
        middlewares=(_once,) if bare else (),
    ) as session:
        yield Pinned(session, resolver)


async def _once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp repeats an idempotent request by itself on these errors: give it another one."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenOff("the connection ended before the answer began") from error
