"""A retry policy out of JSON, checked.

It may also be spelt as Logic Apps do (`type`, `count`, `interval`). Limits and defaults of fixed
retries: scheduler-concepts-terms.md (5 times, each minute; at most 20), of exponential ones
logic-apps-exception-handling.md.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast, get_args

import msgspec

from gitdeploy.jobs.action import NO_RETRIES, RetryPolicy, RetryType
from gitdeploy.jobs.checks import (
    expect_choice,
    expect_integer,
    expect_object,
    kind,
    known_keys,
    refuse,
)

MAX_RETRIES = 20
_LONGEST = timedelta(days=31)
_RETRY_TYPES: tuple[RetryType, ...] = get_args(RetryType)
_RETRY_ALIASES = {
    "type": "retryType",
    "count": "retryCount",
    "interval": "retryInterval",
    "maximum": "maximumInterval",
}


def parse_retry_policy(key: str, value: Any) -> RetryPolicy:
    """Read a policy; `key` is what errors call it. Raises SettingError."""
    example = '{"retryType": "fixed", "retryInterval": "PT1M", "retryCount": 5}'
    names = ("retryType", "retryCount", "retryInterval", "maximumInterval")
    given = known_keys(key, expect_object(key, value, example), names, _RETRY_ALIASES)
    if "retryType" not in given:
        raise refuse(key, value, '"retryType" is missing', f"Write {example}.")
    chosen = cast(RetryType, expect_choice(*given["retryType"], _RETRY_TYPES))
    if chosen != "Exponential" and "maximumInterval" in given:
        path, inner = given["maximumInterval"]
        raise refuse(path, inner, "only exponential retries have it", "Remove it.")
    if chosen == "None":
        return NO_RETRIES
    fixed = chosen == "Fixed"
    count = expect_integer(*given["retryCount"], 1, MAX_RETRIES) if "retryCount" in given else None
    return RetryPolicy(
        retry_type=chosen,
        retry_count=count or (5 if fixed else 4),
        retry_interval=_interval(given, "retryInterval", timedelta(seconds=60 if fixed else 7)),
        maximum_interval=None if fixed else _interval(given, "maximumInterval", timedelta(hours=1)),
    )


def _interval(given: dict[str, tuple[str, Any]], name: str, default: timedelta) -> timedelta:
    """An ISO 8601 duration or a number of seconds."""
    if name not in given:
        return default
    path, value = given[name]
    fix = 'Write an ISO 8601 duration, as in "PT1M" or "PT30S".'
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise refuse(path, value, f"a duration is expected, not {kind(value)}", fix)
    try:
        found = (
            timedelta(seconds=value)
            if isinstance(value, int)
            else msgspec.convert(value.strip().upper(), timedelta)
        )
    except (msgspec.ValidationError, OverflowError):
        raise refuse(path, value, "it isn't a duration", fix) from None
    if not timedelta(seconds=1) <= found <= _LONGEST:
        raise refuse(path, value, "it isn't between 1 second and 31 days", fix)
    return found
