"""Who calls, and what follows from a token's scopes and apps. Data and pure functions."""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

import msgspec

from gitdeploy.store import Token
from gitdeploy.store.tokens import Scope

IMPLIED: dict[Scope, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "run": frozenset({"read", "run"}),
    "deploy": frozenset({"read", "run", "deploy"}),
    "admin": frozenset({"read", "run", "deploy", "admin"}),
}
TOKEN_PREFIX = "gd_"  # noqa: S105 — what a token begins with, so that it can be found in logs
ADMIN = "administrator"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A caller: `scopes` with all that they imply, `apps` None for every app.

    `kind` tells how the caller proved itself: by the administrator's token, another token, a
    page's session, or a webhook's signature. `token_id` and `expires_at` (microseconds) are those
    of the token behind it, None for the administrator's.
    """

    who: str
    scopes: frozenset[Scope]
    apps: frozenset[str] | None
    kind: Literal["admin", "token", "session", "webhook"]
    token_id: str | None = None
    expires_at: int | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return scope in self.scopes

    def knows(self, app: str) -> bool:
        """Whether the caller may know that the app exists."""
        return self.apps is None or app in self.apps


def of_token(token: Token, kind: Literal["token", "session"] = "token") -> Principal:
    """The caller that a token makes."""
    scopes: frozenset[Scope] = frozenset().union(*(IMPLIED[scope] for scope in token.scopes))
    apps = None if token.apps is None else frozenset(token.apps)
    return Principal(
        who=token.name,
        scopes=scopes,
        apps=apps,
        kind=kind,
        token_id=token.id,
        expires_at=token.expires_at,
    )


def administrator(kind: Literal["admin", "session"] = "admin") -> Principal:
    """The holder of the administrator's token."""
    return Principal(who=ADMIN, scopes=IMPLIED["admin"], apps=None, kind=kind)


def webhook(app: str) -> Principal:
    """A sender of webhooks that knows the app's secret: it may deploy this app."""
    return Principal(who="webhook", scopes=IMPLIED["deploy"], apps=frozenset({app}), kind="webhook")


def new_secret() -> str:
    """A fresh token: `gd_` and 43 url-safe characters, 256 bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """SHA-256 of a secret; enough for 256 random bits (a human password would need argon2)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
