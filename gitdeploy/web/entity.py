"""A file as an answer: its tag, its date, whole or a range of it (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol

from aiohttp import web

from gitdeploy.web.errors import problem
from gitdeploy.web.streams import STALL, cut, write_all

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII | re.IGNORECASE)


class Entity(Protocol):
    """What can be served: `size` bytes that are the same as long as `tag` is; `modified` in µs."""

    @property
    def size(self) -> int: ...

    @property
    def tag(self) -> str: ...

    @property
    def modified(self) -> int: ...

    def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` to `stop`; fewer where the file has become shorter."""


class Span(NamedTuple):
    """The bytes from `start` to `stop`."""

    start: int
    stop: int


async def serve(
    request: web.Request, entity: Entity, media: str, *, disposition: str = ""
) -> web.StreamResponse:
    """Answer GET or HEAD with the entity: 200, 206, 304, 412 or 416."""
    headers = {"Content-Disposition": disposition} if disposition else {}
    headers |= {
        "ETag": f'"{entity.tag}"',
        "Last-Modified": http_date(entity.modified),
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }
    status = condition(request, entity)
    if status == HTTPStatus.NOT_MODIFIED:
        return web.Response(status=status, headers=headers)
    if status == HTTPStatus.PRECONDITION_FAILED:
        what = "The file isn't the one that the request's If-Match or If-Unmodified-Since means."
        return problem(status, what, headers=headers)
    span = wanted(request, entity)
    if span is None:
        headers["Content-Range"] = f"bytes */{entity.size}"
        return problem(416, f"The file has {entity.size} bytes, not those.", headers=headers)
    status = _asked(request, entity)
    if status == HTTPStatus.PARTIAL_CONTENT:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{entity.size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.headers["Content-Type"] = media
    response.content_length = span.stop - span.start
    return await _send(request, response, entity, span)


def condition(request: web.BaseRequest, entity: Entity) -> int:
    """304 or 412 where the request's conditions say so, else 200 (RFC 9110, 13.2.2)."""
    headers = request.headers
    seconds = entity.modified // 1_000_000
    if "If-Match" in headers:
        if not among(request, "If-Match", entity.tag, weak=False):
            return HTTPStatus.PRECONDITION_FAILED
    elif (date := _date(headers.get("If-Unmodified-Since"))) is not None and seconds > date:
        return HTTPStatus.PRECONDITION_FAILED
    if "If-None-Match" in headers:
        if among(request, "If-None-Match", entity.tag, weak=True):
            return HTTPStatus.NOT_MODIFIED
    elif (date := _date(headers.get("If-Modified-Since"))) is not None and seconds <= date:
        return HTTPStatus.NOT_MODIFIED
    return HTTPStatus.OK


def wanted(request: web.BaseRequest, entity: Entity) -> Span | None:
    """The bytes to send; None where the file has none of those that were asked for.

    Several ranges, and what can't be read, count as none asked for (RFC 9110, 14.2).
    """
    whole = Span(0, entity.size)
    if _asked(request, entity) != HTTPStatus.PARTIAL_CONTENT:
        return whole
    match = _RANGE.fullmatch(request.headers["Range"].strip())
    assert match is not None
    first, last = match.groups()
    if not first:
        count = min(int(last), entity.size)
        return Span(entity.size - count, entity.size) if count else None
    start = int(first)
    stop = min(int(last) + 1, entity.size) if last else entity.size
    return Span(start, stop) if start < entity.size else None


def http_date(modified: int) -> str:
    """A time as headers have it."""
    return formatdate(modified // 1_000_000, usegmt=True)


def _asked(request: web.BaseRequest, entity: Entity) -> int:
    """206 where one range is asked for that may be answered with, else 200."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or request.method != "GET" or not any(match.groups()):
        return HTTPStatus.OK
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return HTTPStatus.OK
    same = request.headers.get("If-Range")
    if same is None or same.strip() == f'"{entity.tag}"':
        return HTTPStatus.PARTIAL_CONTENT
    # A date is no strong validator here: a log grows within its second.
    return HTTPStatus.OK


async def _send(
    request: web.Request, response: web.StreamResponse, entity: Entity, span: Span
) -> web.StreamResponse:
    try:
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        left = span.stop - span.start
        async with aclosing(entity.read(*span)) as pieces:
            async for piece in pieces:
                left -= len(piece)
                if not await write_all(request, response, piece, STALL):
                    return response
        if left:  # what was promised isn't there any more
            cut(request)
        else:
            await response.write_eof()
    except ConnectionError:  # the client left while we wrote
        pass
    return response


def among(request: web.BaseRequest, header: str, tag: str, *, weak: bool) -> bool:
    """Whether a header's list of ETags has this one, or `*`."""
    given = ",".join(request.headers.getall(header, ()))
    for part in (part.strip() for part in given.split(",")):
        if part == "*" or (part.removeprefix("W/") if weak else part) == f'"{tag}"':
            return True
    return False


def _date(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None
