"""What aiohttp answers by itself, below the application: as problem documents, and in our log.

Its parser refuses a request before there is one that a middleware could see; its own answer is
plain text, and a traceback in a log of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gitdeploy.web.errors import malformed, to_response
from gitdeploy.web.headers import guard
from gitdeploy.web.services import SERVICES, Services


class Connection(web.RequestHandler):
    """aiohttp's protocol of one connection, with our answers and our log."""

    __slots__ = ("_services",)

    def __init__(self, manager: web.Server, *, services: Services, **options: Any) -> None:
        super().__init__(manager, **options)
        self._services = services

    def data_received(self, data: bytes) -> None:
        """As aiohttp's; a body whose framing breaks also tells whoever is reading it.

        (aiohttp puts the error behind the request, whose handler would wait for the rest.)
        """
        super().data_received(data)
        if not self._messages or getattr(self._messages[-1][0], "exc", None) is None:
            return
        if len(self._messages) > 1:
            body = self._messages[-2][1]
        elif self._current_request is not None:
            body = self._current_request.content
        else:
            return
        if not body.is_eof() and body.exception() is None:
            body.set_exception(web.RequestPayloadError("The body's framing is broken."))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what isn't HTTP, and to what failed outside the middlewares."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        log = self._services.events.log
        response: web.StreamResponse
        if isinstance(exc, HttpProcessingError):
            response = malformed(exc)
            # no header of it was read, so the address is the peer's, a proxy's perhaps
            status, what = response.status, type(exc).__name__
            log.debug("request.refused", status=status, what=what, address=request.remote)
        else:
            failure = exc if isinstance(exc, Exception) else TimeoutError(message or status)
            response = to_response(failure, log, method=request.method, path=request.path)
        self._services.metrics.request("-", "none", response.status, None)
        guard(response)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """As aiohttp's; what was raised outside the middlewares (an expectation) is ours, too."""
        if isinstance(resp, web.HTTPException):
            resp = to_response(resp, self._services.events.log)
            resp.force_close()  # nothing tells whether the body comes after all
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """To the server's log; what a client's broken body raised isn't worth a trace."""
        error = kw.get("exc_info")
        log = self._services.events.log
        if isinstance(error, (web.RequestPayloadError, HttpProcessingError, ConnectionError)):
            log.debug("request.refused", what=type(error).__name__)
        else:
            log.error("connection.failed", what=str(args[0]) if args else "", exc_info=error)


class _Server(web.Server):
    """aiohttp's server with our connections."""

    def __init__(self, like: web.Server, services: Services, options: dict[str, Any]) -> None:
        super().__init__(
            like.request_handler,
            request_factory=like.request_factory,
            handler_cancellation=like.handler_cancellation,
        )
        self._services = services
        self._options = options

    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        return Connection(self, services=self._services, loop=loop, **self._options)


class Runner(web.AppRunner):
    """Runs our application; `options` are those of aiohttp's RequestHandler."""

    __slots__ = ("_options",)

    def __init__(
        self,
        application: web.Application,
        *,
        shutdown_timeout: float,
        handler_cancellation: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            application,
            handle_signals=False,
            shutdown_timeout=shutdown_timeout,
            handler_cancellation=handler_cancellation,
        )
        self._options = {"access_log": None, **options}

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self.app[SERVICES], self._options)
