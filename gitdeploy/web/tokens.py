"""`/api/tokens` and `/api/audit`: who may do what, and who did."""

from __future__ import annotations

import secrets
from datetime import datetime

import msgspec
from aiohttp import web

from gitdeploy.clock import from_datetime, rfc3339
from gitdeploy.errors import Invalid, NotFound
from gitdeploy.store import Token
from gitdeploy.store.tokens import Scope
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import access_of
from gitdeploy.web.principal import ADMIN, digest, new_secret
from gitdeploy.web.requests import integer, read_json
from gitdeploy.web.revoked import REVOKED
from gitdeploy.web.route import NO_CONTENT, Answer, Body, Param, Route
from gitdeploy.web.services import check_app_name, services_of

_AUDIT_MOST = 10_000


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token is to be: `apps` null for all, `expires` RFC 3339 or null for never."""

    name: str
    scopes: list[Scope]
    apps: list[str] | None = None
    expires: datetime | None = None


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    apps: list[str] | None
    expires: str | None


class CreatedToken(TokenInfo, frozen=True, kw_only=True):
    """A token with its secret, shown this once."""

    token: str


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"address": "from"}):
    """A write: when, who, what, on what, from where, with which result."""

    ts: str
    who: str
    what: str
    on: str
    address: str
    result: str


async def create(request: web.Request) -> web.Response:
    wanted: NewToken = await read_json(request, NewToken)
    token, secret = await make_token(request, wanted)
    fields = msgspec.structs.asdict(_info(token))
    return as_json(CreatedToken(**fields, token=secret), status=201)


async def make_token(request: web.Request, wanted: NewToken) -> tuple[Token, str]:
    """A new token and its secret, which is kept nowhere. Raises Invalid naming the field."""
    services = services_of(request)
    now = services.clock.now()
    expires_at = check_token(wanted, now)
    secret = new_secret()
    token = Token(
        id=secrets.token_hex(8),
        name=wanted.name,
        scopes=wanted.scopes,
        apps=wanted.apps,
        expires_at=expires_at,
        created_at=now,
    )
    access_of(request).target = f"{token.id} {token.name}"
    await services.background.complete(services.store.tokens.add(token, digest(secret).hex()))
    services.events.log.info("token.created", id=token.id, name=token.name)
    return token, secret


async def every(request: web.Request) -> web.Response:
    return as_json([_info(token) for token in await services_of(request).store.tokens.all()])


async def delete(request: web.Request) -> web.Response:
    await delete_token(request, request.match_info["id"])
    return no_content()


async def delete_token(request: web.Request, token_id: str) -> None:
    """Revoke a token with the sessions that it opened. Raises NotFound."""
    services = services_of(request)
    if not await services.background.complete(services.store.tokens.delete(token_id)):
        raise NotFound(f"There is no token {token_id!r}.", "GET /api/tokens lists them.")
    request.app[REVOKED].add(token_id)
    services.events.log.info("token.deleted", id=token_id)


async def audit(request: web.Request) -> web.Response:
    limit = integer(request, "limit", highest=_AUDIT_MOST)
    entries = await services_of(request).store.audit.newest(limit=200 if limit is None else limit)
    return as_json(
        [
            AuditRecord(
                ts=rfc3339(entry.at),
                who=entry.who,
                what=entry.what,
                on=entry.target,
                address=entry.address,
                result=entry.result,
            )
            for entry in entries
        ]
    )


def check_token(wanted: NewToken, now: int) -> int | None:
    """The time at which it expires. Raises Invalid naming the field."""
    name = wanted.name
    if not name.strip() or len(name) > 100 or not name.isprintable() or name == ADMIN:
        raise Invalid(
            f"name: {name[:100]!r} is refused.",
            f"Use 1 to 100 printable characters, not {ADMIN!r}.",
        )
    if not wanted.scopes:
        raise Invalid("scopes is empty.", "Name at least one of read, run, deploy, admin.")
    for app in wanted.apps or ():
        check_app_name(app)
    if wanted.expires is None:
        return None
    if wanted.expires.tzinfo is None:
        raise Invalid("expires has no zone.", "Write RFC 3339, as 2027-01-31T12:00:00Z.")
    expires_at = from_datetime(wanted.expires)
    if expires_at <= now:
        raise Invalid("expires lies in the past.", "Choose a later time, or null for never.")
    return expires_at


def _info(token: Token) -> TokenInfo:
    return TokenInfo(
        id=token.id,
        name=token.name,
        scopes=token.scopes,
        apps=token.apps,
        expires=None if token.expires_at is None else rfc3339(token.expires_at),
    )


ROUTES = (
    Route(
        method="POST",
        path="/api/tokens",
        handler=create,
        operation="token.create",
        scope="admin",
        summary="Make a token; its secret is shown this once.",
        tag="tokens",
        body=Body(NewToken),
        answers={201: Answer("The token with its secret.", CreatedToken)},
    ),
    Route(
        method="GET",
        path="/api/tokens",
        handler=every,
        operation="token.list",
        scope="admin",
        summary="Every token, without secrets.",
        tag="tokens",
        answers={200: Answer("Oldest first.", list[TokenInfo])},
    ),
    Route(
        method="DELETE",
        path="/api/tokens/{id}",
        handler=delete,
        operation="token.delete",
        scope="admin",
        summary="Revoke a token and the sessions that it opened.",
        tag="tokens",
        answers={204: NO_CONTENT},
    ),
    Route(
        method="GET",
        path="/api/audit",
        handler=audit,
        operation="audit.list",
        scope="admin",
        summary="The newest writes, newest first.",
        tag="tokens",
        query=(Param("limit", "How many; 200 where missing.", "integer"),),
        answers={200: Answer("Newest first.", list[AuditRecord])},
    ),
)
