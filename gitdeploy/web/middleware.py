"""What happens around every handler: authorise, answer failures, audit, count, log."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import HttpVersion11, hdrs, web

from gitdeploy.web.audit import record_write
from gitdeploy.web.auth import access_of, authorize
from gitdeploy.web.errors import Misdirected, to_response
from gitdeploy.web.forwarded import client_address, page_host_allowed
from gitdeploy.web.route import Handler, Route
from gitdeploy.web.router import route_of, state_of
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.problem import as_page

CLIENT_LEFT = 499  # nginx' number for a client that closed before it had its answer
_AUTHORIZED = "authorized"
_SENT = "sent"


@web.middleware
async def around(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one middleware. What a handler raises is answered here and nowhere else."""
    services = services_of(request)
    started = services.clock.monotonic()
    route = route_of(request.match_info)
    try:
        await admit(request, route)
        response = await handler(request)
    except asyncio.CancelledError:
        if route is not None and route.audited:
            access_of(request).result = f"{CLIENT_LEFT} The client left"
            services.background.start(record_write(request, route, CLIENT_LEFT))
        raise
    except Exception as error:
        response = _failed(request, error, route)
    if route is not None and route.audited:
        await services.background.complete(record_write(request, route, response.status))
    seconds = services.clock.monotonic() - started
    _account(request, response, route, seconds)
    return response


async def admit(request: web.Request, route: Route | None) -> None:
    """Let the request through to its handler, once; raises what `authorize` does."""
    if route is None or state_of(request).get(_AUTHORIZED):
        return
    if route.path.startswith("/ui") and not page_host_allowed(
        request, services_of(request).options
    ):
        raise Misdirected(
            f"Pages don't answer under the name {request.host[:100]!r}.",
            "Use the server's address, or set scm_domain to the name or to what it ends in.",
        )
    await authorize(request, route)
    state_of(request)[_AUTHORIZED] = True


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answer `Expect: 100-continue` only to who may send the body at all.

    Another expectation gets 417; HTTP/1.0 has none (RFC 9110, 10.1.1). aiohttp calls this before
    the middlewares. The connection of a refused client is closed, as nothing tells whether it
    sends its body after all.
    """
    if request.version < HttpVersion11:
        return None
    expected = request.headers.get(hdrs.EXPECT, "")
    try:
        if expected.lower() != "100-continue":
            raise web.HTTPExpectationFailed(text=f"Unknown Expect: {expected}")
        await admit(request, route_of(request.match_info))
    except asyncio.CancelledError:
        raise
    except Exception as error:
        response = _failed(request, error, route_of(request.match_info))
        response.force_close()
        return response
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # nothing of the answer itself is sent yet
    return None


async def remember_sent(request: web.Request, response: web.StreamResponse) -> None:
    """A handler of `on_response_prepare`: from here on no other answer can be given."""
    state_of(request)[_SENT] = response


def _failed(request: web.Request, error: Exception, route: Route | None) -> web.StreamResponse:
    log = services_of(request).events.log
    where: dict[str, Any] = {"method": request.method, "path": request.path}
    sent = state_of(request).get(_SENT)
    if isinstance(sent, web.StreamResponse):
        # Cut the connection, so that the client sees that the body isn't whole.
        if not isinstance(error, ConnectionError):
            log.error("stream.failed", exc_info=error, **where)
        if request.transport is not None:
            request.transport.abort()
        return sent
    response = to_response(error, log, **where)
    if request.path.startswith("/ui") and response.status >= 400:
        return as_page(request, response)
    return response


def _account(
    request: web.Request, response: web.StreamResponse, route: Route | None, seconds: float
) -> None:
    services = services_of(request)
    streamed = not isinstance(response, web.Response)
    services.metrics.request(
        request.method if route is not None else "-",
        route.operation if route is not None else "none",
        response.status,
        None if streamed else seconds,
    )
    log = services.events.log
    emit = log.error if response.status >= 500 else log.debug
    principal = access_of(request).principal
    emit(
        "request.finished",
        method=request.method,
        path=request.path,
        status=response.status,
        duration_ms=round(seconds * 1000, 3),
        who=principal.who if principal is not None else None,
        address=client_address(request),
    )
