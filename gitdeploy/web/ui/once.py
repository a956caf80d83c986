"""Secrets that a page shows once: made by a form, shown on the page that the form leads to."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from gitdeploy.clock import Clock
from gitdeploy.web.auth import access_of

_LASTS = 120_000_000
"""Microseconds until a secret that nobody came for is forgotten."""


class Shown(NamedTuple):
    """What a secret is for (a name that the page knows), what it is called, and itself."""

    kind: str
    name: str
    secret: str


class Once:
    """At most one secret a session, in memory alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[int, Shown]] = {}

    def keep(self, request: web.Request, shown: Shown) -> None:
        """Keep it for the next page of the request's session that asks for this kind."""
        now = self._clock.now()
        self._kept = {key: one for key, one in self._kept.items() if one[0] > now}
        self._kept[_session(request)] = (now + _LASTS, shown)

    def take(self, request: web.Request, kind: str) -> Shown | None:
        """What was kept for this session, which is forgotten by that."""
        until, shown = self._kept.get(_session(request), (0, None))
        if shown is None or shown.kind != kind:
            return None
        del self._kept[_session(request)]
        return shown if until > self._clock.now() else None


ONCE = web.AppKey("once", Once)


def _session(request: web.Request) -> str:
    session = access_of(request).session
    return "" if session is None else session.id
