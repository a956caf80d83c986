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

    def keep(self, session: str, shown: Shown) -> None:
        """Keep it for the next page of that session that asks for this kind."""
        now = self._clock.now()
        self._kept = {key: one for key, one in self._kept.items() if one[0] > now}
        self._kept[session] = (now + _LASTS, shown)

    def take(self, session: str, kind: str) -> Shown | None:
        """What was kept for that session, which is forgotten by that."""
        until, shown = self._kept.get(session, (0, None))
        if shown is None or shown.kind != kind:
            return None
        del self._kept[session]
        return shown if until > self._clock.now() else None


ONCE = web.AppKey("once", Once)


def keep_once(request: web.Request, shown: Shown) -> None:
    """Have the next page of this session show a secret."""
    session = access_of(request).session
    if session is not None:
        request.app[ONCE].keep(session.id, shown)


def shown_once(request: web.Request, kind: str) -> Shown | None:
    """The secret of that kind that this page has to show."""
    session = access_of(request).session
    return None if session is None else request.app[ONCE].take(session.id, kind)
