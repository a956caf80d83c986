"""Failed sign-ins, counted per address and per beginning of a token.

So a guesser gets a few tries a minute, and one who guesses from many addresses no more at a token
whose beginning he has seen somewhere.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from gitdeploy.clock import Clock

_TRIES = 10
_REFILL = 6.0  # seconds until one more try
_REMEMBERED = 10_000
_GOOD_FOR = 3600.0
_PREFIX = 11  # characters: `gd_` and 48 bits, too many to lock others' tokens out by chance


class Throttle:
    """A bucket of tries for each address (IPv6: each /64) and token prefix, and what was good lately.

    A secret that was right within the last hour passes whatever others at its address do wrong;
    so one broken client behind a proxy doesn't lock out the rest. Memory is bounded.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._empty_at: OrderedDict[str, float] = OrderedDict()  # when the bucket is full again
        self._good: OrderedDict[bytes, float] = OrderedDict()

    def wait(self, address: str, secret: str = "") -> int:
        """Seconds until this address may try again with this secret; 0 where it may now."""
        now = self._clock.monotonic()
        full_at = max(self._empty_at.get(place, now) for place in _places(address, secret))
        missing = (full_at - now) / _REFILL
        return max(0, math.ceil((missing - (_TRIES - 1)) * _REFILL))

    def failed(self, address: str, secret: str = "") -> None:
        """Take one try from the address, and one from all secrets that begin like this one."""
        now = self._clock.monotonic()
        for place in _places(address, secret):
            full_at = max(self._empty_at.get(place, now), now) + _REFILL
            self._empty_at[place] = min(full_at, now + _TRIES * _REFILL)
            self._empty_at.move_to_end(place)
        while len(self._empty_at) > _REMEMBERED:
            self._empty_at.popitem(last=False)

    def succeeded(self, digest: bytes) -> None:
        """Remember that a secret with this digest was right."""
        self._good[digest] = self._clock.monotonic() + _GOOD_FOR
        self._good.move_to_end(digest)
        while len(self._good) > _REMEMBERED:
            self._good.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """A secret with this digest has turned out wrong: it was revoked, or has expired."""
        self._good.pop(digest, None)

    def known(self, digest: bytes) -> bool:
        """Whether a secret with this digest was right within the last hour."""
        return self._good.get(digest, 0.0) > self._clock.monotonic()


def _places(address: str, secret: str) -> list[str]:
    """The buckets that a try is taken from; a secret too short to be a token has none."""
    places = [_place(address)]
    if len(secret) > _PREFIX:
        places.append("token " + secret[:_PREFIX])
    return places


def _place(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
