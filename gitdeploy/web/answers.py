"""What handlers answer with: JSON, lists with an ETag, nothing, text."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from gitdeploy.web.route import JSON, TEXT

_encode = msgspec.json.Encoder().encode


def as_json(
    value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A value of msgspec's as a JSON body."""
    return web.Response(
        status=status, body=_encode(value), content_type=JSON, charset="utf-8", headers=headers
    )


def tagged(request: web.Request, value: Any) -> web.Response:
    """JSON with an ETag of its bytes; 304 without a body where the client has the same."""
    body = _encode(value)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _has(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=JSON, charset="utf-8", headers=headers)


def text(body: str, *, status: int = 200) -> web.Response:
    """Plain text; a line's end is added where it is missing."""
    if body and not body.endswith("\n"):
        body += "\n"
    return web.Response(status=status, text=body, content_type=TEXT)


def no_content() -> web.Response:
    """Done, and nothing to say."""
    return web.Response(status=204)


def _has(request: web.Request, tag: str) -> bool:
    given = ",".join(request.headers.getall("If-None-Match", []))
    return any(part.strip().removeprefix("W/") in (tag, "*") for part in given.split(","))
