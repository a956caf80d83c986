"""Every failure as `application/problem+json` (RFC 9457); the one place that knows status codes."""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import (
    ContentEncodingError,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)

from gitdeploy.errors import (
    Conflict,
    GitdeployError,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
)
from gitdeploy.events import Log
from gitdeploy.logs import safe_text
from gitdeploy.store import StoreError, StoreFull
from gitdeploy.web.bodies import ACCEPTED, CodingUnknown, coding_unknown

RETRY_AFTER = 5  # seconds, for what is busy now
PROBLEM = "application/problem+json"
_SHOWN = 200  # characters of what a parser says


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error's body. `fix` tells what to do; `error_id` finds it in the server's log.

    Where a setting is at fault `key` is its path, and `position` the character in a schedule's
    expression, from 1. `deployment` is the address of the deployment that failed.
    """

    type: str
    title: str
    status: int
    detail: str
    fix: str = ""
    error_id: str = ""
    key: str = ""
    position: int = 0
    deployment: str = ""


class Unauthorized(GitdeployError):
    """No credentials, or wrong ones; the text is the same whatever was wrong (HTTP 401)."""

    def __init__(self) -> None:
        super().__init__(
            "A valid token is needed.",
            "Send it as the password of HTTP Basic (any user name), or as Authorization: Bearer.",
        )


class Forbidden(GitdeployError):
    """The caller is known and may not do this (HTTP 403)."""


class Misdirected(GitdeployError):
    """The server doesn't answer pages under this host's name (HTTP 421)."""


class Unsupported(GitdeployError):
    """What Kudu has and this server hasn't (HTTP 501)."""


class ReadOnly(GitdeployError):
    """A place that can be read and not written to (HTTP 405)."""


class PreconditionFailed(GitdeployError):
    """What is there isn't what the request's conditions say (HTTP 412); `tag` is its ETag."""

    def __init__(self, what: str, fix: str, tag: str | None = None) -> None:
        super().__init__(what, fix)
        self.tag = tag


class BadGateway(GitdeployError):
    """Somebody behind us doesn't answer, or not as it should (HTTP 502)."""


class NotAcceptable(GitdeployError):
    """No form of this answer is one that `Accept` takes (HTTP 406)."""


class TypeUnknown(Invalid):
    """A `Content-Type` that isn't what the path takes (HTTP 415)."""


class TooMany(GitdeployError):
    """Too many failures from one place (HTTP 429); `retry_after` in seconds."""

    def __init__(self, what: str, fix: str, retry_after: int) -> None:
        super().__init__(what, fix)
        self.retry_after = retry_after


_STATUS: tuple[tuple[type[GitdeployError], int], ...] = (
    (CodingUnknown, 415),
    (TypeUnknown, 415),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 400),
    (TooLarge, 413),
    (NotAcceptable, 406),
    (Unauthorized, 401),
    (Forbidden, 403),
    (TooMany, 429),
    (Misdirected, 421),
    (ReadOnly, 405),
    (PreconditionFailed, 412),
    (Unsupported, 501),
    (BadGateway, 502),
    (StoreFull, 507),
    (StoreError, 503),
    (Unavailable, 503),
)


def status_of(error: GitdeployError) -> int:
    """The HTTP status of a failure; 500 for one that no client can have caused."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 500


def problem(
    status: int,
    detail: str,
    fix: str = "",
    *,
    error_id: str = "",
    key: str = "",
    position: int = 0,
    deployment: str = "",
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document as a response."""
    body = Problem(
        type="about:blank",
        title=phrase(status),
        status=status,
        detail=detail,
        fix=fix,
        error_id=error_id,
        key=key,
        position=position,
        deployment=deployment,
    )
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type=PROBLEM,
        headers=headers,
    )


def to_response(error: Exception, log: Log, **bound: Any) -> web.Response:
    """The response that tells a client of a failure.

    What isn't a GitdeployError or aiohttp's is our fault: it is logged with its trace under an
    error id, and the client sees the id alone.
    """
    if isinstance(error, web.HTTPException):
        return _from_aiohttp(error)
    if isinstance(error, GitdeployError):
        status = status_of(error)
        if status == 500:
            log.error("request.failed", what=error.what, fix=error.fix, exc_info=error, **bound)
        return problem(
            status,
            error.what,
            error.fix,
            key=getattr(error, "key", ""),
            position=getattr(error, "position", 0),
            deployment=getattr(error, "deployment", ""),
            headers=_headers(error, status),
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("request.failed", what="The disk is full.", exc_info=error, **bound)
        return problem(507, "The server's disk is full.", "Free some space below its home.")
    error_id = secrets.token_hex(6)
    log.error("request.failed", error_id=error_id, exc_info=error, **bound)
    return problem(
        500,
        "The server failed to answer this request.",
        f"Look for error_id {error_id} in the server's log.",
        error_id=error_id,
    )


def malformed(error: HttpProcessingError) -> web.Response:
    """The answer to a request that aiohttp's parser has refused."""
    what = _said_by_parser(error.message)
    if isinstance(error, ContentEncodingError):  # `… content-encoding: brotli (br). …`
        named = re.search(r"content-encoding: (?:\w+ \()?([\w-]+)", what)
        unknown = coding_unknown("" if named is None else named[1])
        return problem(415, unknown.what, unknown.fix, headers=_headers(unknown, 415))
    if isinstance(error, LineTooLong):
        limit = error.args[1] if len(error.args) > 1 else "the limit of"
        what = f"The request's first line, or one of its headers, is over {limit} bytes."
        return problem(431, what, "Send less in the path, the query or the headers.")
    if what.startswith("Too many headers"):
        return problem(431, f"{what}.", "Send fewer headers.")
    if isinstance(error, InvalidURLError):
        fix = "Write what isn't plain ASCII as %XX, and a path from its slash."
        return problem(400, f"The request's address can't be read: {what}.", fix)
    fix = "Send HTTP/1.1 as RFC 9112 has it."
    if "HTTPS" in what:
        fix = "Use http://, or put a proxy that speaks TLS before the server."
    return problem(400, f"The request isn't proper HTTP: {what}.", fix)


def _said_by_parser(message: str) -> str:
    """One line of the parser's several: what is wrong, and the line that it points at."""
    lines = [line.strip(" ^:.") for line in message.splitlines()]
    lines = [re.sub(r"\Ab(?=['\"])", "", line) for line in lines if line]
    shown = ": ".join(line for line in lines if line not in ("''", '""', "Bad status line"))
    return safe_text(shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…")


def phrase(status: int) -> str:
    """The words for a status code."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _headers(error: GitdeployError, status: int) -> dict[str, str]:
    if isinstance(error, TooMany):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, PreconditionFailed):
        return {"ETag": f'"{error.tag}"'} if error.tag else {}
    if status == 405:
        return {"Allow": "GET, HEAD"}
    if status == 401:
        return {"WWW-Authenticate": 'Basic realm="gitdeploy"'}
    if isinstance(error, CodingUnknown):
        return {"Accept-Encoding": ACCEPTED}
    if status in (409, 503):
        return {"Retry-After": str(RETRY_AFTER)}
    return {}


def _from_aiohttp(error: web.HTTPException) -> web.Response:
    status = error.status
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem(
            405,
            f"This path doesn't answer {error.method}.",
            f"It answers {allowed}.",
            headers={"Allow": allowed},
        )
    if status == 404:
        return problem(404, "There is nothing at this path.", "GET /openapi.json lists the paths.")
    if status == 417:
        return problem(417, f"{error.text}.", "Send Expect: 100-continue, or leave it out.")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return problem(413, "The body is larger than this path takes.")
    if status < 400:
        headers = {k: v for k, v in error.headers.items() if k.lower() != "content-type"}
        return web.Response(status=status, headers=headers)
    return problem(status, error.reason or phrase(status))
