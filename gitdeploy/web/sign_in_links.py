"""One-time links that sign a browser in, so that no token has to be typed or stand in an address.

A link is made by an administrator's API call, as `gitdeploy demo` does, lasts ten minutes, works
once, and is kept in memory alone, by the hash of its code: a restart ends it. Whoever opens it gets
a session of the token that made it, as if that had been typed into the sign-in page.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from aiohttp import web

from gitdeploy.clock import Clock, rfc3339
from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import admin_session_id, principal_of
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.principal import digest
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of

LASTS = 600
"""Seconds."""
_MOST = 100


class Ticket(NamedTuple):
    """What a link is good for: `token_id` as sessions have it, `token_expires_at` and `until` in µs."""

    token_id: str
    token_expires_at: int | None
    until: int


class SignInLinks:
    """The links that haven't been used yet; the oldest go where there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, Ticket] = OrderedDict()

    def make(self, token_id: str, token_expires_at: int | None) -> tuple[str, int]:
        """A fresh code, and until when it counts (µs)."""
        until = self._clock.now() + LASTS * 1_000_000
        code = secrets.token_urlsafe(32)
        self._open[digest(code)] = Ticket(token_id, token_expires_at, until)
        while len(self._open) > _MOST:
            self._open.popitem(last=False)
        return code, until

    def use(self, code: str) -> Ticket | None:
        """What the code is good for, this once; None where it was used or is too old."""
        ticket = self._open.pop(digest(code), None)
        if ticket is None or ticket.until <= self._clock.now():
            return None
        return ticket


LINKS = web.AppKey("sign_in_links", SignInLinks)


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """The link, and until when it works."""

    url: str
    expires: str


async def make(request: web.Request) -> web.Response:
    """A link that signs in as who asks."""
    services, principal = services_of(request), principal_of(request)
    token_id = principal.token_id
    if token_id is None:
        token_id = admin_session_id(services)
    code, until = request.app[LINKS].make(token_id, principal.expires_at)
    way = way_in(request, services.options.scm_domain)
    url = f"{way.base}/ui/sign-in?code={quote(code, safe='')}"
    return as_json(SignInLink(url=url, expires=rfc3339(until)), status=201)


ROUTES = (
    Route(
        method="POST",
        path="/api/sign-in-links",
        handler=make,
        operation="session.link",
        scope="admin",
        summary="Make a link that signs a browser in, once, within ten minutes.",
        tag="tokens",
        answers={201: Answer("The link; whoever opens it acts as you.", SignInLink)},
    ),
)
