"""Credentials that were taken away while something still goes on with them: streams ask here.

A request is judged once, at its beginning; a stream may last for days. What was deleted is
remembered here for as long as the server runs, newest first where there is too much of it.
"""

from __future__ import annotations

from collections import OrderedDict

from aiohttp import web

from gitdeploy.web.auth import COOKIE, access_of
from gitdeploy.web.principal import digest
from gitdeploy.web.services import services_of

_MOST = 10_000


class Revoked:
    """Ids of tokens, and hashes of sessions' cookies, that don't count any more."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, credential: str) -> None:
        self._ids[credential] = None
        while len(self._ids) > _MOST:
            self._ids.popitem(last=False)

    def __contains__(self, credential: str) -> bool:
        return credential in self._ids


REVOKED = web.AppKey("revoked", Revoked)


def is_revoked(request: web.Request) -> bool:
    """Whether what the request was let in by was deleted or has expired since."""
    known = request.app.get(REVOKED)
    access = access_of(request)
    principal, session = access.principal, access.session
    if known is None or principal is None:
        return False
    if principal.token_id is not None and principal.token_id in known:
        return True
    now = services_of(request).clock.now()
    if principal.expires_at is not None and principal.expires_at <= now:
        return True
    if session is None:
        return False
    cookie = request.cookies.get(COOKIE, "")
    return session.expires_at <= now or digest(cookie).hex() in known
