"""`settings.job`: a JSON object beside the script (kudu.md). Known keys are checked, unknown kept."""

from __future__ import annotations

import json
import math
from pathlib import PurePosixPath
from typing import Any, NoReturn

import msgspec

from gitdeploy.jobs.errors import ScheduleError
from gitdeploy.jobs.job import JobSettings, Problem
from gitdeploy.jobs.schedule import Schedule
from gitdeploy.jobs.zones import zone

MAX_BYTES = 64 << 10
MAX_DEPTH = 8
_MAX_SECONDS = 366 * 86400

_TEXTS = ("schedule", "timezone")
_BOOLEANS = ("is_singleton", "is_in_place")
_SECONDS = ("stopping_wait_time", "restart_time", "timeout")


def parse_settings(text: bytes, file: str) -> tuple[JobSettings, list[Problem]]:
    """Read a settings file; whatever is wrong becomes a Problem, and its key has its default.

    `file` is what the problems name; their `job` is the directory's name. Never raises.
    """
    job = PurePosixPath(file).parent.name
    try:
        raw = _object(text)
    except _Refused as refused:
        return JobSettings(), [Problem(job=job, file=file, reason=refused.reason, fix=refused.fix)]
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in raw.items():
        try:
            values.update(_known(key, value))
        except _Refused as refused:
            problems.append(
                Problem(
                    job=job,
                    file=file,
                    key=key,
                    value=_shown(value),
                    reason=refused.reason,
                    fix=refused.fix,
                )
            )
    if values.get("schedule") is not None:
        timezone = raw.get("timezone")
        if timezone is not None and "timezone" not in values:
            values["schedule"] = None  # at a wrong hour is worse than not at all
        else:
            try:
                Schedule.parse(values["schedule"], values.get("timezone"))
            except ScheduleError as error:
                values["schedule"] = None
                problems.append(
                    Problem(
                        job=job,
                        file=file,
                        key="schedule",
                        value=_shown(raw["schedule"]),
                        reason=error.reason,
                        fix=error.fix,
                    )
                )
    return JobSettings(raw=raw, **values), problems


class _Refused(Exception):
    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


def _known(key: str, value: Any) -> dict[str, Any]:
    """The key with its value in its type; nothing for an unknown key or null. Raises _Refused."""
    if value is None:
        return {}
    if key in _TEXTS:
        if not isinstance(value, str):
            raise _Refused(f"a text is expected, not {_kind(value)}", 'Write it in quotes: "…".')
        if key == "timezone" and zone(value) is None:
            raise _Refused(
                "it isn't a time zone", "Write an IANA name such as Europe/Berlin or Asia/Seoul."
            )
        return {key: value}
    if key in _BOOLEANS:
        if not isinstance(value, bool):
            raise _Refused(f"true or false is expected, not {_kind(value)}", "Write true or false.")
        return {key: value}
    if key in _SECONDS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Refused(
                f"a number of seconds is expected, not {_kind(value)}", "Write a number, as in 30."
            )
        if not 0 <= value <= _MAX_SECONDS:
            raise _Refused(
                f"it isn't between 0 and {_MAX_SECONDS} seconds", "Write a number in that range."
            )
        return {key: float(value)}
    return {}


def _object(text: bytes) -> dict[str, Any]:
    """The JSON object of a settings file, safe to store. Raises _Refused."""
    if len(text) > MAX_BYTES:
        raise _Refused(
            f"it has {len(text)} bytes, more than {MAX_BYTES}", "Keep only settings in it."
        )
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Refused(f"byte {error.start + 1} isn't UTF-8", "Save it as UTF-8.") from error
    if not decoded.strip():
        raise _Refused("it is empty", "Write {} or remove the file.")
    if _depth(decoded) > MAX_DEPTH:
        raise _Refused(f"it is nested deeper than {MAX_DEPTH} levels", "Flatten it.")
    try:
        value = json.loads(decoded, parse_constant=_no_constant, parse_float=_finite)
        msgspec.json.encode(value)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        reason = error.msg[0].lower() + error.msg[1:]
        raise _Refused(f"it isn't JSON at {where}: {reason}", "Mend the line.") from error
    except (ValueError, OverflowError) as error:
        reason = "it holds a number or a character that can't be stored"
        raise _Refused(f"{reason}: {error}", "Use plain numbers and whole characters.") from error
    if not isinstance(value, dict):
        raise _Refused(f"an object is expected, not {_kind(value)}", 'Write {"key": value, …}.')
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


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else text[:99] + "…"
