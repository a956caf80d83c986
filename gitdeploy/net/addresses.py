"""Which addresses the server may connect to on behalf of others, and a resolver that keeps to it.

Whoever may send a webhook names a host, and we connect to it from inside our network: so a name is
resolved once, every address it has is judged, and the connection is made to a judged address
(docs/security.md, "Fetching"). Ranges: IANA's special-purpose address registries.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult

from gitdeploy.errors import GitdeployError

LookUp = Callable[[str, int], Awaitable[list[str]]]

# IPv6 addresses that carry an IPv4 one: a gateway would lead back to where IPv4 was refused.
_CARRIERS = (
    (ip_network("::ffff:0:0/96"), "an IPv4 address in IPv6"),
    (ip_network("::/96"), "an IPv4 address in IPv6"),
    (ip_network("::ffff:0:0:0/96"), "an IPv4 address in IPv6"),
    (ip_network("64:ff9b::/96"), "a NAT64 address"),
    (ip_network("64:ff9b:1::/48"), "a NAT64 address"),
    (ip_network("2002::/16"), "a 6to4 address"),
    (ip_network("2001::/32"), "a Teredo address"),
)
# Not global, whatever the standard library of this Python says of them.
_OTHERS = (
    ip_network("0.0.0.0/8"),
    ip_network("100.64.0.0/10"),
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("198.18.0.0/15"),
    ip_network("240.0.0.0/4"),
    ip_network("100::/64"),
    ip_network("fec0::/10"),
)


class AddressRefused(GitdeployError):
    """A host that we don't connect to for others; `what` names it and the kind of its address."""


def refusal(address: str) -> str | None:
    """What kind of address this is, where it isn't one of the public internet; None for those.

    `address` is a literal as the resolver gives it (an IPv6 zone may follow). Anything that isn't
    an address is refused too.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    if parsed.is_unspecified:
        return "the unspecified address"
    if parsed.is_loopback:
        return "a loopback address"
    if isinstance(parsed, IPv6Address):
        for network, kind in _CARRIERS:
            if parsed in network:
                return kind
    return _special(parsed)


def _special(parsed: IPv4Address | IPv6Address) -> str | None:
    if parsed.is_link_local:
        return "a link-local address"
    if parsed.is_multicast:
        return "a multicast address"
    if parsed.is_private:
        return "a private address"
    if parsed.is_reserved or not parsed.is_global or any(parsed in net for net in _OTHERS):
        return "a reserved address"
    return None


async def system_look_up(host: str, port: int) -> list[str]:
    """Every address the system's resolver has for a name. Raises OSError."""
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "not a name") from error
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


class CheckedResolver(AbstractResolver):
    """A resolver for aiohttp's connector that gives out judged addresses only.

    One bad address among several refuses the name: an honest name has none. `setting` is the
    option that a refusal names. aiohttp doesn't ask a resolver for literal addresses: give those
    to `check_host` first.
    """

    def __init__(
        self, *, allow_private: bool, setting: str, look_up: LookUp = system_look_up
    ) -> None:
        self._allow_private = allow_private
        self._setting = setting
        self._look_up = look_up

    def check_host(self, host: str) -> None:
        """Judge a host that is written as an address; names pass. Raises AddressRefused.

        `127.1`, `2130706433` and `127.0.0.1.` are spellings of an address that aiohttp before
        3.14.1 hands to the system without asking the resolver (its pull request 12827): refused.
        """
        bare = host.strip("[]")
        try:
            ip_address(bare.partition("%")[0])
        except ValueError:
            if ":" not in bare and not bare.replace(".", "").isdigit():
                return
        self._check(host, [bare])

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The judged addresses of a name. Raises AddressRefused, OSError."""
        addresses = await self._look_up(host, port)
        self._check(host, addresses)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET)
        ]

    async def close(self) -> None:
        """Nothing is kept open."""

    def _check(self, host: str, addresses: list[str]) -> None:
        if self._allow_private:
            return
        for address in addresses:
            kind = refusal(address)
            if kind is not None:
                raise AddressRefused(
                    f"{host} is refused: {address} is {kind}."
                    if host.strip("[]") != address
                    else f"{address[:100]} is refused: it is {kind}.",
                    f"The operator can allow it with {self._setting} = true.",
                )


async def judged(
    host: str,
    port: int,
    *,
    allow_private: bool,
    setting: str,
    look_up: LookUp = system_look_up,
) -> list[str]:
    """The addresses of a host that may be connected to by what isn't aiohttp.

    Raises AddressRefused, OSError; `setting` is the option that a refusal names.
    """
    resolver = CheckedResolver(allow_private=allow_private, setting=setting, look_up=look_up)
    resolver.check_host(host)
    return [found["host"] for found in await resolver.resolve(host, port)]
