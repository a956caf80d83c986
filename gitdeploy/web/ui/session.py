"""Signing in by token, signing out, and the style sheet: what answers without a session."""

from __future__ import annotations

import hmac
import secrets
from functools import cache
from importlib import resources
from urllib.parse import parse_qs

from aiohttp import web

from gitdeploy.store import Session
from gitdeploy.web.auth import (
    COOKIE,
    SESSION_SECONDS,
    access_of,
    admin_session_id,
    check_same_origin,
    check_secret,
    open_session,
)
from gitdeploy.web.bodies import whole
from gitdeploy.web.errors import Forbidden, TooMany, Unauthorized
from gitdeploy.web.principal import digest
from gitdeploy.web.requests import FORM_LIMIT
from gitdeploy.web.route import HTML, Answer, Route
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.html import Content, tag
from gitdeploy.web.ui.layout import page, page_way

_START = "/ui/"


async def form(request: web.Request) -> web.Response:
    """The sign-in page; who is signed in goes on."""
    await open_session(request)
    target = local_target(request.query.get("next"))
    if access_of(request).principal is not None:
        raise web.HTTPSeeOther(page_way(request).base + target)
    return _form(request, target)


async def sign_in(request: web.Request) -> web.Response:
    """Trade a token for a session's cookie. The cookie itself is kept as a hash."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        check_same_origin(request)
    fields = await _fields(request)
    target = local_target(fields.get("next"))
    secret = fields.get("token", "").strip()
    try:
        principal = await check_secret(request, secret)
    except Unauthorized:
        return _form(request, target, "This token isn't valid.", status=401)
    except TooMany as error:
        response = _form(request, target, f"{error.what} {error.fix}", status=429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    services = services_of(request)
    cookie, session = await _new_session(services, secret, is_admin=principal.kind == "admin")
    await services.background.complete(services.store.sessions.add(digest(cookie).hex(), session))
    access_of(request).principal = principal
    way = page_way(request)
    response = web.Response(status=303, headers={"Location": way.base + target})
    response.set_cookie(
        COOKIE,
        cookie,
        path=f"{way.prefix}/ui",
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=way.scheme == "https",
    )
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the session; only from our own page's form."""
    access = access_of(request)
    given = (await _fields(request)).get("form_token", "")
    assert access.session is not None
    if not hmac.compare_digest(given.encode(), access.session.form_token.encode()):
        raise Forbidden("This form is out of date.", "Load the page again and send it from there.")
    services, way = services_of(request), page_way(request)
    cookie = request.cookies[COOKIE]
    await services.background.complete(services.store.sessions.delete(digest(cookie).hex()))
    response = web.Response(status=303, headers={"Location": f"{way.base}/ui/sign-in"})
    response.del_cookie(COOKIE, path=f"{way.prefix}/ui")
    return response


async def style(request: web.Request) -> web.Response:
    return web.Response(
        body=_style(), content_type="text/css", headers={"Cache-Control": "public, max-age=300"}
    )


def local_target(text: str | None) -> str:
    """Where to go on after signing in: a path of our pages, whatever was asked."""
    target = (text or "").partition("#")[0]
    path = target.partition("?")[0]
    plain = target.isascii() and target.isprintable() and not set(target) & set('\\ "<>')
    if not plain or not path.startswith(_START) or "//" in path or ".." in path:
        return _START
    return target


@cache
def _style() -> bytes:
    return resources.files("gitdeploy.web.ui").joinpath("style.css").read_bytes()


def _form(
    request: web.Request, target: str, failure: str = "", *, status: int = 200
) -> web.Response:
    message: Content = tag("p", failure, class_="bad", role="alert") if failure else None
    return page(
        request,
        "Sign in",
        message,
        tag(
            "form",
            tag("label", "Token", for_="token"),
            tag(
                "input",
                type="password",
                id="token",
                name="token",
                required=True,
                autofocus=True,
                autocomplete="current-password",
            ),
            tag("input", type="hidden", name="next", value=target),
            tag("div", tag("button", "Sign in")),
            method="post",
            action=f"{page_way(request).base}/ui/sign-in",
        ),
        tag(
            "p",
            "The administrator's token is in the file ",
            tag("code", "admin-token"),
            " in the server's home; it makes others.",
            class_="empty",
        ),
        status=status,
    )


async def _fields(request: web.Request) -> dict[str, str]:
    body = await whole(request, limit=FORM_LIMIT, setting="the limit of forms")
    text = body.decode("utf-8", "replace")
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {key: values[0] for key, values in fields.items()}


async def _new_session(services: Services, secret: str, *, is_admin: bool) -> tuple[str, Session]:
    """A fresh cookie and its session, which ends when its token does."""
    now = services.clock.now()
    expires_at = now + SESSION_SECONDS * 1_000_000
    if is_admin:
        token_id = admin_session_id(services)
    else:
        token = await services.store.tokens.by_hash(digest(secret).hex())
        if token is None:
            raise Unauthorized
        token_id = token.id
        if token.expires_at is not None:
            expires_at = min(expires_at, token.expires_at)
    session = Session(
        token_id=token_id,
        form_token=secrets.token_urlsafe(24),
        created_at=now,
        expires_at=expires_at,
    )
    return secrets.token_urlsafe(32), session


ROUTES = (
    Route(
        method="GET",
        path="/ui/sign-in",
        handler=form,
        operation="page.sign_in_form",
        scope="open",
        summary="The sign-in page.",
        tag="pages",
        answers={200: Answer("A form.", str, (HTML,)), 303: Answer("Signed in already.", media=())},
    ),
    Route(
        method="POST",
        path="/ui/sign-in",
        handler=sign_in,
        operation="session.create",
        scope="open",
        summary="Sign in with a token.",
        tag="pages",
        answers={
            303: Answer("Signed in.", media=(), headers=("Location", "Set-Cookie")),
            401: Answer("Not a valid token.", str, (HTML,)),
        },
    ),
    Route(
        method="POST",
        path="/ui/sign-out",
        handler=sign_out,
        operation="session.delete",
        scope="page",
        summary="Sign out.",
        tag="pages",
        answers={303: Answer("Signed out.", media=(), headers=("Location", "Set-Cookie"))},
    ),
    Route(
        method="GET",
        path="/ui/style.css",
        handler=style,
        operation="page.style",
        scope="open",
        summary="The pages' style sheet.",
        tag="pages",
        answers={200: Answer("CSS.", str, ("text/css",))},
    ),
)
