"""`…/continuouswebjobs/{job}/passthrough/{path}`: a request handed on to the job's own HTTP port.

Bodies and answers are streamed as they come, WebSockets message by message. What belongs to one
connection (RFC 9110, 7.6.1) stays behind, and so does `Authorization`: the caller's token isn't
the job's. A page that a job answers runs in an opaque origin (CSP's `sandbox`), as it would else
share the dashboard's; its cookies are kept to the job's own path.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp import WSMsgType, hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gitdeploy.supervise import JobView
from gitdeploy.web import bodies
from gitdeploy.web.auth import principal_of
from gitdeploy.web.errors import PROBLEM, BadGateway, Forbidden, Problem
from gitdeploy.web.following import CLOSING
from gitdeploy.web.forwarded import client_address, way_in
from gitdeploy.web.kudu.job_view import find
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of

CLIENT = web.AppKey("passthrough", aiohttp.ClientSession)
_KIND: Final = "continuous"
_CONNECT_LIMIT = 5.0
_PIECE = 1 << 16
_NO_LIMIT = 1 << 62
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OURS = frozenset({"authorization", "host", "expect", "forwarded"})
_SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-downloads"


def new_client() -> aiohttp.ClientSession:
    """The client for all jobs; bytes pass as they are, redirects are the caller's to follow."""
    return aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_LIMIT),
        trust_env=False,
    )


async def forward(request: web.Request) -> web.StreamResponse:
    """Hand the request on; 502 says why where the job doesn't answer."""
    services, app = services_of(request), request.match_info["app"]
    name = find(services.supervisor, app, _KIND, request.match_info["job"]).job.name
    upgrade = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
    if upgrade and not principal_of(request).may("run"):
        raise Forbidden("This token lacks the scope run.", "A WebSocket needs a token with it.")
    async with services.supervisor.awake(app):
        view = find(services.supervisor, app, _KIND, name)
        if view.port is None:
            raise BadGateway(
                f"{name} isn't running: it is {view.status}.",
                f"Start it (POST …/continuouswebjobs/{name}/start), or see its log.",
            )
        tail = request.rel_url.raw_path.split("/passthrough", 1)[1] or "/"
        query = request.rel_url.raw_query_string
        target = f"http://127.0.0.1:{view.port}{tail}" + (f"?{query}" if query else "")
        if upgrade:
            return await _socket(request, view, target)
        return await _exchange(request, view, target)


async def _exchange(request: web.Request, view: JobView, target: str) -> web.StreamResponse:
    client = request.app[CLIENT]
    body = _body(request) if request.can_read_body else None
    try:
        answer = await client.request(
            request.method,
            _exactly(target),
            headers=_onward(request),
            data=body,
            allow_redirects=False,
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
        )
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _silent(view, error) from error
    async with answer:
        response = web.StreamResponse(status=answer.status, reason=answer.reason)
        _back(request, answer.headers, response)
        await response.prepare(request)
        if request.method != "HEAD":
            async for piece in answer.content.iter_chunked(_PIECE):
                await response.write(piece)
        await response.write_eof()
    return response


async def _socket(request: web.Request, view: JobView, target: str) -> web.StreamResponse:
    """Both ends of a WebSocket, message by message, until one closes."""
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
    protocols = [name.strip() for name in offered.split(",") if name.strip()]
    headers = _onward(request)
    for name in [name for name in headers if name.lower().startswith("sec-websocket-")]:
        headers.popall(name, None)
    try:
        job = await request.app[CLIENT].ws_connect(
            _exactly(target), headers=headers, protocols=protocols, autoping=False, max_msg_size=0
        )
    except aiohttp.WSServerHandshakeError as error:
        raise BadGateway(
            f"{view.job.name} refused the WebSocket with status {error.status}.",
            "Ask for the path at which the job serves one.",
        ) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _silent(view, error) from error
    async with job:
        chosen = () if job.protocol is None else (job.protocol,)
        caller = web.WebSocketResponse(protocols=chosen, autoping=False, max_msg_size=0)
        await caller.prepare(request)
        closing = asyncio.ensure_future(request.app[CLOSING].wait())
        ways = {
            asyncio.ensure_future(_relay(caller, job)),
            asyncio.ensure_future(_relay(job, caller)),
        }
        try:
            await asyncio.wait({*ways, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (*ways, closing):
                each.cancel()
            await asyncio.gather(*ways, closing, return_exceptions=True)
            with suppress(ConnectionError):
                await job.close(code=caller.close_code or aiohttp.WSCloseCode.GOING_AWAY)
                await caller.close(code=job.close_code or aiohttp.WSCloseCode.GOING_AWAY)
    return caller


async def _relay(
    source: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
    target: web.WebSocketResponse | aiohttp.ClientWebSocketResponse,
) -> None:
    """Messages of one direction until it closes."""
    while True:
        message = await source.receive()
        match message.type:
            case WSMsgType.TEXT:
                await target.send_str(message.data)
            case WSMsgType.BINARY:
                await target.send_bytes(message.data)
            case WSMsgType.PING:
                await target.ping(message.data)
            case WSMsgType.PONG:
                await target.pong(message.data)
            case _:
                return


async def _body(request: web.Request) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; the job has its own limits."""
    async for piece in bodies.pieces(request, limit=_NO_LIMIT, setting="none"):
        yield piece


def _onward(request: web.Request) -> CIMultiDict[str]:
    """The headers that the job gets."""
    headers = _end_to_end(request.headers, without=_OURS)
    if request.headers.get(hdrs.CONTENT_ENCODING):
        headers.popall(hdrs.CONTENT_ENCODING, None)  # undone on the way in
        headers.popall(hdrs.CONTENT_LENGTH, None)
    way = way_in(request, services_of(request).options.scm_domain)
    for name in [name for name in headers if name.lower().startswith("x-forwarded-")]:
        headers.popall(name, None)
    headers["X-Forwarded-For"] = client_address(request)
    headers["X-Forwarded-Proto"] = way.scheme
    headers["X-Forwarded-Host"] = way.host
    headers["X-Forwarded-Prefix"] = _prefix(request)
    return headers


def _back(
    request: web.Request, answer: CIMultiDictProxy[str], response: web.StreamResponse
) -> None:
    """The headers that the caller gets."""
    for name, value in _end_to_end(answer, without=frozenset({"set-cookie"})).items():
        response.headers.add(name, value)
    for cookie in answer.getall(hdrs.SET_COOKIE, ()):
        response.headers.add(hdrs.SET_COOKIE, _own_path(cookie, _prefix(request)))
    response.headers.add("Content-Security-Policy", _SANDBOX)


def _end_to_end(headers: CIMultiDictProxy[str], *, without: Iterable[str] = ()) -> CIMultiDict[str]:
    """Without what belongs to the connection, named in `Connection` or always so."""
    named = ",".join(headers.getall(hdrs.CONNECTION, ())).lower().split(",")
    dropped = {*_HOP_BY_HOP, *without, *(name.strip() for name in named)}
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in dropped)


def _own_path(cookie: str, prefix: str) -> str:
    """A cookie of the job that no browser sends to anything but the job."""
    pair, *attributes = cookie.split(";")
    kept = [a for a in attributes if a.strip().lower().split("=")[0] not in ("path", "domain")]
    return ";".join((pair, *kept, f" Path={prefix}"))


def _prefix(request: web.Request) -> str:
    """The path of the job's root as the caller knows it."""
    way = way_in(request, services_of(request).options.scm_domain)
    return way.prefix + request.rel_url.raw_path.split("/passthrough", 1)[0] + "/passthrough"


def _exactly(target: str) -> URL:
    """The address as the caller wrote it, quoted as it is."""
    return URL(target, encoded=True)


def _silent(view: JobView, error: Exception) -> BadGateway:
    reason = "doesn't listen" if isinstance(error, OSError) else str(error)
    return BadGateway(
        f"{view.job.name} doesn't answer at its port {view.port}: {reason or 'no answer'}.",
        "It has to listen at 127.0.0.1 and the port in WEBJOBS_PORT.",
    )


_PATH = "continuouswebjobs/{job}/passthrough"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROUTES = tuple(
    Route(
        method=method,
        path=f"{API}/{path}",
        aliases=spellings(path),
        handler=forward,
        operation=f"continuous.passthrough_{method.lower()}{'' if path == _PATH else '_below'}",
        scope="read" if method in ("GET", "OPTIONS") else "run",
        summary="Hand the request on to the job's own HTTP port (WEBJOBS_PORT).",
        tag="jobs",
        answers={
            200: Answer("The job's answer.", media=()),
            502: Answer("It doesn't listen.", Problem, (PROBLEM,)),
        },
        writes=False,
    )
    for method in _METHODS
    for path in (_PATH, f"{_PATH}/{{path*}}")
)
