"""An HTTP client that connects to judged addresses only and forgets all of it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from gitdeploy.net.addresses import AddressRefused, CheckedResolver, LookUp, system_look_up


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
        self._resolver.check_host(url.host or "")
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
    look_up: LookUp = system_look_up,
) -> AsyncIterator[Pinned]:
    """A client whose names are resolved once; `setting` is the option that a refusal names.

    No proxy, netrc or certificate settings of the environment, no cookies.
    """
    resolver = CheckedResolver(allow_private=allow_private, setting=setting, look_up=look_up)
    # without an end to the cache a name is resolved once for the whole session
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=True, ttl_dns_cache=None)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
    ) as session:
        yield Pinned(session, resolver)
