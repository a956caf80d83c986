"""Forms of pages: who may send them, what they bring, where the browser goes on.

A page's form is believed where the browser says that it comes from our own page (auth.py) and it
has the session's token; what it may do is what the signed-in token may.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from aiohttp import web

from gitdeploy.store.tokens import Scope
from gitdeploy.web.auth import access_of
from gitdeploy.web.bodies import whole
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.requests import FORM_LIMIT
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.language import Words

SAID_COOKIE = "gitdeploy_said"
_MOST_FIELDS = 200


class Form:
    """The fields of a form that was sent; each may come more than once."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field, without white space around it."""
        values = self.fields.get(name)
        return values[0].strip() if values else default

    def all(self, name: str) -> list[str]:
        return self.fields.get(name, [])

    def has(self, name: str) -> bool:
        return name in self.fields


async def read_fields(request: web.Request) -> Form:
    """The fields of a url-encoded form, whoever sent it. Raises Invalid past FORM_LIMIT."""
    body = await whole(request, limit=FORM_LIMIT, setting="the limit of forms")
    text = body.decode("utf-8", "replace")
    try:
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return Form({})


async def read_form(request: web.Request, scope: Scope) -> Form:
    """The fields of a form of ours. Raises Forbidden for a foreign one, and without the scope."""
    require(request, scope)
    form = await read_fields(request)
    check_form_token(request, form.get("form_token"))
    return form


def check_form_token(request: web.Request, given: str) -> None:
    """Raises Forbidden where the form isn't of this session's pages."""
    session = access_of(request).session
    known = "" if session is None else session.form_token
    if not known or not hmac.compare_digest(given.encode(), known.encode()):
        raise Forbidden("This form is out of date.", "Load the page again and send it from there.")


def require(request: web.Request, scope: Scope) -> None:
    """Raises Forbidden where the signed-in token lacks the scope."""
    principal = access_of(request).principal
    if principal is None or not principal.may(scope):
        raise Forbidden(
            f"This needs the scope {scope}, which your token lacks.",
            f"Sign in with a token that has {scope}.",
        )


def goes_on(request: web.Request, address: str, said: str = "", name: str = "") -> web.Response:
    """303 to a page, which then says `said` (a key of the catalogue that may have {name})."""
    response = web.Response(status=303, headers={"Location": address})
    if said:
        way = way_in(request, services_of(request).options.scm_domain)
        response.set_cookie(
            SAID_COOKIE,
            quote(f"{said}|{name[:200]}", safe=""),
            path=f"{way.prefix}/ui",
            max_age=20,
            httponly=True,
            samesite="Lax",
            secure=way.scheme == "https",
        )
    return response


class Said(NamedTuple):
    """What the page before this one wants to be said; `refused` where it couldn't do what was asked."""

    text: str
    refused: bool


def was_said(request: web.Request, words: Words) -> Said | None:
    """What the page before this one wants to be said, None for nothing."""
    key, _, name = unquote(request.cookies.get(SAID_COOKIE, "")).partition("|")
    if not key or not words.has(key):
        return None
    return Said(words(key, name=name), key.endswith(".refused"))
