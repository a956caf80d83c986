"""A JSON object out of bytes that somebody pushed: bounded, strict, safe to store."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.jobs.checks import kind

MAX_BYTES = 64 << 10
MAX_DEPTH = 8


class NotAnObject(Invalid):
    """The bytes are no JSON object; `reason` is one clause without a full stop."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason[0].upper()}{reason[1:]}.", fix)
        self.reason = reason


def read_object(text: bytes) -> dict[str, Any]:
    """The object. Raises NotAnObject."""
    if len(text) > MAX_BYTES:
        raise NotAnObject(
            f"it has {len(text)} bytes, more than {MAX_BYTES}", "Keep only settings in it."
        )
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotAnObject(f"byte {error.start + 1} isn't UTF-8", "Save it as UTF-8.") from error
    if not decoded.strip():
        raise NotAnObject("it is empty", "Write {} or remove the file.")
    if _depth(decoded) > MAX_DEPTH:
        raise NotAnObject(f"it is nested deeper than {MAX_DEPTH} levels", "Flatten it.")
    try:
        value = json.loads(decoded, parse_constant=_no_constant, parse_float=_finite)
        msgspec.json.encode(value)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        reason = error.msg[0].lower() + error.msg[1:]
        raise NotAnObject(f"it isn't JSON at {where}: {reason}", "Mend the line.") from error
    except (ValueError, OverflowError) as error:
        reason = "it holds a number or a character that can't be stored"
        raise NotAnObject(
            f"{reason}: {error}", "Use plain numbers and whole characters."
        ) from error
    if not isinstance(value, dict):
        raise NotAnObject(f"an object is expected, not {kind(value)}", 'Write {"key": value, …}.')
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} isn't JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond a number's range")
    return value


def _depth(text: str) -> int:
    """How deep brackets are nested, strings left out; looked at before a parser recurses."""
    depth = deepest = 0
    quoted = escaped = False
    for character in text:
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
