"""Signing in by token, signing out, and what a reader prefers: what answers without a session."""

from __future__ import annotations

import secrets

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
from gitdeploy.web.errors import TooMany, Unauthorized
from gitdeploy.web.forwarded import Way, client_address
from gitdeploy.web.principal import digest
from gitdeploy.web.revoked import REVOKED
from gitdeploy.web.route import HTML, Answer, Route
from gitdeploy.web.senders import one_line
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import check_form_token, read_fields
from gitdeploy.web.ui.language import LANGUAGES
from gitdeploy.web.ui.preferences import (
    CLOCK_COOKIE,
    CLOCKS,
    LANGUAGE_COOKIE,
    LASTS,
    THEME_COOKIE,
    THEMES,
)
from gitdeploy.web.ui.render import page_way, render, show_of

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
    fields = await read_fields(request)
    target = local_target(fields.get("next"))
    secret = fields.get("token")
    try:
        principal = await check_secret(request, secret)
    except Unauthorized:
        return _form(request, target, show_of(request).words("sign_in.wrong"), status=401)
    except TooMany as error:
        response = _form(request, target, f"{error.what} {error.fix}", status=429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    services = services_of(request)
    cookie, session = await _new_session(request, secret, is_admin=principal.kind == "admin")
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
    check_form_token(request, (await read_fields(request)).get("form_token"))
    services, way = services_of(request), page_way(request)
    cookie = request.cookies[COOKIE]
    await services.background.complete(services.store.sessions.delete(digest(cookie).hex()))
    request.app[REVOKED].add(digest(cookie).hex())
    response = web.Response(status=303, headers={"Location": f"{way.base}/ui/sign-in"})
    response.del_cookie(COOKIE, path=f"{way.prefix}/ui")
    return response


async def prefer(request: web.Request) -> web.Response:
    """Keep language, theme and clock in cookies; nothing of the server changes by it."""
    check_same_origin(request)
    form = await read_fields(request)
    way = page_way(request)
    base = f"{way.base}/ui/"
    given = form.get("next")
    target = given if given.startswith(base) else base
    response = web.Response(status=303, headers={"Location": local_address(way, target)})
    for name, cookie, known in (
        ("language", LANGUAGE_COOKIE, LANGUAGES),
        ("theme", THEME_COOKIE, THEMES),
        ("clock", CLOCK_COOKIE, CLOCKS),
    ):
        if form.get(name) in known:
            response.set_cookie(
                cookie,
                form.get(name),
                path=f"{way.prefix}/ui",
                max_age=LASTS,
                samesite="Lax",
                secure=way.scheme == "https",
            )
    return response


def local_address(way: Way, address: str) -> str:
    """A page's own address where it is one of ours, else that of the start page."""
    return way.base + local_target(address.removeprefix(way.base))


def local_target(text: str | None) -> str:
    """Where to go on after signing in: a path of our pages, whatever was asked."""
    target = (text or "").partition("#")[0]
    path = target.partition("?")[0]
    plain = target.isascii() and target.isprintable() and not set(target) & set('\\ "<>')
    if not plain or not path.startswith(_START) or "//" in path or ".." in path:
        return _START
    return target


def _form(
    request: web.Request, target: str, failure: str = "", *, status: int = 200
) -> web.Response:
    words = show_of(request).words
    return render(
        request,
        "sign_in.html",
        title=words("sign_in.title"),
        target=target,
        failure=failure,
        status=status,
    )


async def _new_session(request: web.Request, secret: str, *, is_admin: bool) -> tuple[str, Session]:
    """A fresh cookie and its session, which ends when its token does."""
    services = services_of(request)
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
        address=client_address(request),
        agent=one_line(request.headers.get("User-Agent", ""), 200),
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
        method="POST",
        path="/ui/-/preferences",
        handler=prefer,
        operation="page.prefer",
        scope="open",
        writes=False,
        summary="Choose the pages' language, theme and time zone.",
        tag="pages",
        answers={303: Answer("Back to the page.", media=(), headers=("Location", "Set-Cookie"))},
    ),
)
