"""Text from outside made safe to show, and records as lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gitdeploy.clock import rfc3339
from gitdeploy.logs.lines import OutputLine

# Control characters but tab (C0, DEL, C1), what ends a line in Unicode, and the marks that turn
# the direction of writing (they make a line read as something else).
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SGR = re.compile("(\x1b\\[[0-9;:]{0,64}m)")
_RESET = "\x1b[0m"


def safe_text(text: str | bytes, *, colors: bool = False) -> str:
    """One line that can't move a cursor, end a line or hide anything.

    Control characters but tab are shown as `\\x1b`, bytes that aren't UTF-8 likewise. With
    `colors` SGR sequences (colours) stay, and are reset at the end.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if not colors or "\x1b[" not in text:
        return _UNSAFE.sub(_shown, text)
    parts = _SGR.split(text)
    parts[::2] = [_UNSAFE.sub(_shown, part) for part in parts[::2]]
    if len(parts) > 1 and parts[-2] not in (_RESET, "\x1b[m"):
        parts.append(_RESET)
    return "".join(parts)


def output_record(line: OutputLine, **bound: object) -> dict[str, Any]:
    """A line of output as a record of the one stream (`event` is `job.output`).

    `bound` are its other fields, such as app, job, instance; `run` is the execution unless bound.
    Bytes that aren't UTF-8 are shown as `\\xff`; the raw form has them as they are.
    """
    record: dict[str, Any] = {
        "ts": rfc3339(line.ts),
        "level": "info",
        "event": "job.output",
        "run": line.execution,
        **bound,
        "stream": line.stream,
        "line": line.line.decode("utf-8", "backslashreplace"),
    }
    if line.cut:
        record["cut"] = True
    return record


def event_text(record: Mapping[str, Any]) -> str:
    """A record as one line for people: time, level, event, then `key=value`."""
    head = " ".join(str(record.get(key, "-")) for key in ("ts", "level", "event"))
    fields = [
        f"{key}={_value(value)}"
        for key, value in record.items()
        if key not in ("ts", "level", "event")
    ]
    return safe_text(" ".join([head, *fields]))


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not re.search(r'[\s"=]', value):
        return value
    return msgspec.json.encode(value, enc_hook=str).decode()


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
