"""What a handler reads of a request beside its path: JSON, forms, query parameters."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.web.bodies import whole
from gitdeploy.web.route import KiB, MiB

T = TypeVar("T")
JSON_LIMIT = 1 * MiB
FORM_LIMIT = 64 * KiB
_TRUE = frozenset({"true", "1", "yes", "on", ""})
_FALSE = frozenset({"false", "0", "no", "off"})


async def read_json(
    request: web.Request, kind: type[T] | Any, *, limit: int = JSON_LIMIT, empty: Any = ...
) -> Any:
    """The body as JSON of this type, whatever its Content-Type says (Kudu's clients lie there).

    An empty body is `empty` where that is given. Raises Invalid naming what is wrong and where.
    """
    body = await whole(request, limit=limit, setting="the limit of this path")
    if not body.strip() and empty is not ...:
        return empty
    return decode_json(body, kind)


def decode_json(body: bytes, kind: type[T] | Any) -> Any:
    """JSON of this type. Raises Invalid naming what is wrong and where."""
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(
            f"The body is refused: {error}.", "GET /openapi.json has its form."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The body isn't JSON: {error}.", "Send a JSON object.") from error


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A boolean query parameter; given without a value it is true. Raises Invalid."""
    text = request.query.get(name)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Invalid(f"The parameter {name}={text[:40]} isn't a boolean.", "Write true or false.")


def integer(request: web.Request, name: str, *, highest: int) -> int | None:
    """A query parameter from 0 to `highest`; None where it is missing. Raises Invalid."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:12]) > highest:
        raise Invalid(f"The parameter {name}={text[:40]} isn't a number from 0 to {highest}.")
    return int(text)


def accepts(request: web.Request, media: str) -> bool:
    """Whether `Accept` names this content type (wildcards don't count)."""
    wanted = ",".join(request.headers.getall("Accept", []))
    return any(part.partition(";")[0].strip().lower() == media for part in wanted.split(","))
