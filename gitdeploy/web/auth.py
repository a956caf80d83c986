"""Who is calling, and may they: HTTP Basic and Bearer for git and the API, a cookie for pages.

The order of refusals tells nothing to those who have no token: 401 without valid credentials, then
404 for an app that doesn't exist or isn't the caller's (the same words), then 403 for a right that
the token lacks. A cookie is looked at for pages alone, so it can't make an API call or a push.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.store import App, Session
from gitdeploy.web.errors import Forbidden, TooMany, Unauthorized
from gitdeploy.web.forwarded import client_address, way_in
from gitdeploy.web.principal import Principal, administrator, digest, of_token, webhook
from gitdeploy.web.route import Route
from gitdeploy.web.router import state_of
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.throttle import Throttle

THROTTLE = web.AppKey("throttle", Throttle)
COOKIE = "gitdeploy_session"
SESSION_SECONDS = 7 * 86_400
_ACCESS = "access"

_LOOKS_ONLY = "app.get"
"""Asking whether an app sleeps doesn't wake it."""


@dataclass(slots=True)
class Access:
    """What was found out about a request's caller, kept with the request.

    `app` is the app of the path; None where the path has none, or where an admin's push is about
    to create it. `what`, `target` and `result` are what the audit log says, where a handler
    knows it better; `recorded` that it has it already. `after` is where the stream of events that a
    page follows ended before anything was read for it, "" for what isn't a page.
    """

    principal: Principal | None = None
    app: App | None = None
    session: Session | None = None
    what: str | None = None
    target: str | None = None
    result: str | None = None
    recorded: bool = False
    after: str = ""


def access_of(request: web.Request) -> Access:
    """The request's access; empty before `authorize`."""
    access: Access = state_of(request).setdefault(_ACCESS, Access())
    return access


def principal_of(request: web.Request) -> Principal:
    """The caller of a route that isn't open. Raises Unauthorized where there is none."""
    principal = access_of(request).principal
    if principal is None:
        raise Unauthorized
    return principal


def app_of(request: web.Request) -> App:
    """The app of the path. Raises NotFound where it doesn't exist."""
    app = access_of(request).app
    if app is None:
        raise _no_such_app(request.match_info.get("app", ""))
    return app


async def authorize(request: web.Request, route: Route) -> None:
    """Let the caller through to a route, or raise Unauthorized, NotFound, Forbidden, TooMany."""
    services = services_of(request)
    access = access_of(request)
    if route.scope == "page":
        await _authorize_page(request, services, access)
        return
    if route.scope == "open" or (route.public and getattr(services.options, route.public)):
        return
    if route.signed and await _signed(request, services, access):
        return
    access.principal = principal = await identify(request, in_query=route.signed)
    if principal is None:
        raise Unauthorized
    scope = route.scope
    assert scope is not None
    if route.query_scope is not None:
        name, value, raised = route.query_scope
        if request.query.get(name) == value:
            scope = raised
    if "app" in request.match_info:
        name = request.match_info["app"]
        if principal.knows(name):
            access.app = await services.store.apps.get(name)
        may_create = (
            route.creates and principal.knows(name) and principal.may("admin") and scope != "read"
        )
        if access.app is None and not may_create:
            raise _no_such_app(name)
    elif scope == "admin" and principal.apps is not None:
        raise Forbidden("This token is for some apps only.", "Use an admin token for all apps.")
    if not principal.may(scope):
        raise Forbidden(
            f"This token lacks the scope {scope}.", f"Use a token with the scope {scope}."
        )
    if access.app is not None and route.operation != _LOOKS_ONLY:
        services.supervisor.asked(access.app.name)


async def _signed(request: web.Request, services: Services, access: Access) -> bool:
    """Whether this is a webhook: without credentials, its handler checks the signature, or with the
    app's own secret as the password, as senders without a signature have it.

    Raises TooMany.
    """
    secret = _offered(request, in_query=True)
    app = await services.store.apps.get(request.match_info["app"])
    if secret is None:
        access.app = app
        return True
    hashed = digest(secret)
    _check_wait(request, secret, hashed)
    own = None if app is None else app.webhook_secret
    same = hmac.compare_digest(hashed, digest(own or "no secret"))
    if app is None or own is None or not same:
        return False
    request.app[THROTTLE].succeeded(hashed)
    access.app, access.principal = app, webhook(app.name)
    services.supervisor.asked(app.name)
    return True


async def identify(request: web.Request, *, in_query: bool = False) -> Principal | None:
    """The caller by the `Authorization` header; None without one.

    `in_query`: a token as `?token=` will do too, unless it could do more than deploy some apps, as
    addresses are seen in more places than headers. Raises Unauthorized for wrong or expired
    credentials, TooMany after too many of them, Forbidden for such a token.
    """
    secret = _offered(request, in_query=in_query)
    if secret is None:
        return None
    principal = await check_secret(request, secret)
    if "Authorization" not in request.headers and (
        principal.apps is None or principal.may("admin")
    ):
        raise Forbidden(
            "This token may do more than one in an address should.",
            "Make one with the scope deploy for this app alone.",
        )
    return principal


def _offered(request: web.Request, *, in_query: bool) -> str | None:
    """The secret that comes with the request; None where none is meant."""
    header = request.headers.get("Authorization")
    if header is not None:
        return _secret(header) or ""
    return request.query.get("token") if in_query else None


async def check_secret(request: web.Request, secret: str) -> Principal:
    """The caller who holds this secret; counts failures. Raises Unauthorized, TooMany."""
    throttle = request.app[THROTTLE]
    hashed = digest(secret)
    _check_wait(request, secret, hashed)
    principal = await _holder(services_of(request), hashed)
    if principal is None:
        throttle.forget(hashed)
        count_failure(request, secret)
        raise Unauthorized
    throttle.succeeded(hashed)
    return principal


def _check_wait(request: web.Request, secret: str, hashed: bytes) -> None:
    throttle = request.app[THROTTLE]
    wait = 0 if throttle.known(hashed) else throttle.wait(client_address(request), secret)
    if wait:
        raise _too_many(wait)


def count_failure(request: web.Request, secret: str = "") -> None:
    """Take a try from the caller's address (a wrong token or signature) and the token's prefix."""
    address = client_address(request)
    request.app[THROTTLE].failed(address, secret)
    services_of(request).events.log.info("login.failed", address=address, path=request.path)


def check_throttle(request: web.Request) -> None:
    """Raises TooMany where the caller's address has failed too often."""
    wait = request.app[THROTTLE].wait(client_address(request))
    if wait:
        raise _too_many(wait)


async def session_principal(services: Services, session: Session) -> Principal | None:
    """The caller that a session stands for; None where its token is gone or has expired."""
    if session.token_id == admin_session_id(services):
        return administrator("session")
    token = await services.store.tokens.get(session.token_id)
    if token is None or _expired(token.expires_at, services):
        return None
    return of_token(token, "session")


def admin_session_id(services: Services) -> str:
    """What a session of the administrator stands for; another token ends those sessions."""
    return "admin:" + digest("session " + services.admin_token).hex()[:16]


async def _authorize_page(request: web.Request, services: Services, access: Access) -> None:
    if request.method not in ("GET", "HEAD"):
        check_same_origin(request)
    await open_session(request)
    principal = access.principal
    if principal is None:
        way = way_in(request, services.options.scm_domain)
        target = quote(request.path_qs if request.method == "GET" else "/ui/", safe="/")
        raise web.HTTPSeeOther(f"{way.page()}sign-in?next={target}")
    access.after = services.events.recent.end
    if "app" in request.match_info:
        name = request.match_info["app"]
        if principal.knows(name):
            access.app = await services.store.apps.get(name)
        if access.app is None:
            raise _no_such_app(name)
        access.after = str(services.events.app_journal(name).end)


def check_same_origin(request: web.Request) -> None:
    """Raises Forbidden for a form that another site's page has sent.

    Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; what says
    neither isn't a browser of today, and is refused too.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    way = way_in(request, services_of(request).options.scm_domain)
    own = f"{way.scheme}://{way.host}"
    if site == "same-origin" or (site is None and origin is not None and origin == own):
        return
    raise Forbidden("This form was sent by another site.", "Send it from the page itself.")


async def open_session(request: web.Request) -> None:
    """Find the caller of a page by the cookie; leaves the access empty where there is none."""
    services, access = services_of(request), access_of(request)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        return
    session = await services.store.sessions.get(digest(cookie).hex(), at=services.clock.now())
    if session is None:
        return
    access.principal = await session_principal(services, session)
    if access.principal is not None:
        access.session = session


async def _holder(services: Services, hashed: bytes) -> Principal | None:
    # Both are always looked at, so that the time doesn't tell which of them was close.
    is_admin = hmac.compare_digest(hashed, digest(services.admin_token))
    token = await services.store.tokens.by_hash(hashed.hex())
    if is_admin:
        return administrator()
    if token is None or _expired(token.expires_at, services):
        return None
    return of_token(token)


def _expired(expires_at: int | None, services: Services) -> bool:
    return expires_at is not None and expires_at <= services.clock.now()


def _secret(header: str) -> str | None:
    """The token in an `Authorization` header; None where there is none to be found."""
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(rest, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return None
    _, colon, password = decoded.partition(":")
    return password if colon else None


def _no_such_app(name: str) -> NotFound:
    return NotFound(f"There is no app {name!r} that you may know of.")


def _too_many(wait: int) -> TooMany:
    return TooMany(
        "Too many failed sign-ins from this address or with such a token.",
        f"Wait {wait} s and use a valid token.",
        wait,
    )
