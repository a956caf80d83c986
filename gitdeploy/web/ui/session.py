"""Signing in by token, signing out, and what a reader prefers: what answers without a session."""

from __future__ import annotations

import secrets

from aiohttp import web

from gitdeploy.store import Session
from gitdeploy.web.audit import record_write
from gitdeploy.web.auth import (
    COOKIE,
    SESSION_SECONDS,
    access_of,
    admin_session_id,
    check_same_origin,
    check_secret,
    check_throttle,
    count_failure,
    open_session,
    session_principal,
)
from gitdeploy.web.errors import TooMany, Unauthorized
from gitdeploy.web.forwarded import Way, client_address
from gitdeploy.web.principal import digest
from gitdeploy.web.revoked import REVOKED
from gitdeploy.web.route import HTML, Answer, Param, Route
from gitdeploy.web.router import route_of
from gitdeploy.web.senders import one_line
from gitdeploy.web.services import services_of
from gitdeploy.web.sign_in_links import LINKS
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
from gitdeploy.web.ui.reasons import told
from gitdeploy.web.ui.render import page_way, render, show_of

_START = "/ui/"


async def form(request: web.Request) -> web.Response:
    """The sign-in page; who is signed in goes on. With a link's `code` it signs in at once.

    Another site's link with a code asks first, so that nobody is signed in as somebody else unseen,
    and what only looks ahead (a prefetch) doesn't use a code up.
    """
    await open_session(request)
    target = local_target(request.query.get("next"))
    if access_of(request).principal is not None:
        raise web.HTTPSeeOther(page_way(request).base + target)
    code = request.query.get("code", "")
    if code and request.method == "GET" and _typed(request):
        response = await _by_code(request, code, target)
        access_of(request).what = "session.create"
        route = route_of(request.match_info)
        assert route is not None
        await services_of(request).background.complete(
            record_write(request, route, response.status)
        )
        return response
    return _form(request, target, code=code)


async def sign_in(request: web.Request) -> web.Response:
    """Trade a token, or a link's code, for a session's cookie."""
    if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
        check_same_origin(request)
    fields = await read_fields(request)
    target = local_target(fields.get("next"))
    if fields.get("code"):
        return await _by_code(request, fields.get("code"), target)
    secret = fields.get("token")
    try:
        principal = await check_secret(request, secret)
    except Unauthorized:
        return _form(request, target, show_of(request).words("sign_in.wrong"), status=401)
    except TooMany as error:
        response = _form(request, target, _told(request, error), status=429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    token_id, expires_at = await _token_of(request, secret, is_admin=principal.kind == "admin")
    access_of(request).principal = principal
    return await _signed_in(request, token_id, expires_at, target)


async def _by_code(request: web.Request, code: str, target: str) -> web.Response:
    """Sign in with a link's code, once."""
    services, words = services_of(request), show_of(request).words
    try:
        check_throttle(request)
    except TooMany as error:
        response = _form(request, target, _told(request, error), status=429)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    ticket = request.app[LINKS].use(code)
    if ticket is not None:
        session = _session(request, ticket.token_id, ticket.token_expires_at)
        principal = await session_principal(services, session)
        if principal is not None:
            access_of(request).principal = principal
            return await _signed_in(request, ticket.token_id, ticket.token_expires_at, target)
    count_failure(request)
    return _form(request, target, words("sign_in.link_used"), status=401)


async def _signed_in(
    request: web.Request, token_id: str, token_expires_at: int | None, target: str
) -> web.Response:
    """Open a session and go on. The cookie itself is kept as a hash."""
    services, way = services_of(request), page_way(request)
    cookie = secrets.token_urlsafe(32)
    session = _session(request, token_id, token_expires_at)
    await services.background.complete(services.store.sessions.add(digest(cookie).hex(), session))
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
    request: web.Request, target: str, failure: str = "", *, code: str = "", status: int = 200
) -> web.Response:
    words = show_of(request).words
    return render(
        request,
        "sign_in.html",
        title=words("sign_in.title"),
        target=target,
        failure=failure,
        code=code,
        status=status,
    )


def _told(request: web.Request, error: TooMany) -> str:
    known = told(show_of(request).words, error.what, error.fix)
    return " ".join(known or (error.what, error.fix))


def _typed(request: web.Request) -> bool:
    """Whether the reader has opened the address itself, not another site's page."""
    purpose = request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    return "prefetch" not in purpose and request.headers.get("Sec-Fetch-Site", "none") == "none"


async def _token_of(request: web.Request, secret: str, *, is_admin: bool) -> tuple[str, int | None]:
    """What a session of this secret stands for, and when that expires. Raises Unauthorized."""
    services = services_of(request)
    if is_admin:
        return admin_session_id(services), None
    token = await services.store.tokens.by_hash(digest(secret).hex())
    if token is None:
        raise Unauthorized
    return token.id, token.expires_at


def _session(request: web.Request, token_id: str, token_expires_at: int | None) -> Session:
    """A session from now on, which ends when its token does."""
    now = services_of(request).clock.now()
    expires_at = now + SESSION_SECONDS * 1_000_000
    if token_expires_at is not None:
        expires_at = min(expires_at, token_expires_at)
    return Session(
        token_id=token_id,
        form_token=secrets.token_urlsafe(24),
        created_at=now,
        expires_at=expires_at,
        address=client_address(request),
        agent=one_line(request.headers.get("User-Agent", ""), 200),
    )


ROUTES = (
    Route(
        method="GET",
        path="/ui/sign-in",
        handler=form,
        operation="page.sign_in_form",
        scope="open",
        summary="The sign-in page; with a link's code it signs in.",
        tag="pages",
        query=(
            Param("next", "The page to go on to."),
            Param("code", "Of a link from POST /api/sign-in-links; it works once."),
        ),
        answers={200: Answer("A form.", str, (HTML,)), 303: Answer("Signed in already.", media=())},
    ),
    Route(
        method="POST",
        path="/ui/sign-in",
        handler=sign_in,
        operation="session.create",
        scope="open",
        summary="Sign in with a token, or with a link's code.",
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
