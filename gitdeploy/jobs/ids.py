"""Ids of executions: UTC time as `yyyyMMddHHmmssffff`, Kudu's, so that names sort by time."""

from __future__ import annotations

from datetime import UTC, datetime

from gitdeploy.clock import from_datetime, to_datetime

_TICK = 100
"""Microseconds of one step of an id."""


def execution_id(now: int) -> str:
    """The id of an execution that begins now (microseconds since the epoch)."""
    moment = to_datetime(now)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // _TICK:04d}"


def next_execution_id(after: str, now: int) -> str:
    """The id of an execution that begins now and behind `after`, the newest id there is.

    Unique and ascending even within one tick, or when the clock went back.
    """
    candidate = execution_id(now)
    if candidate > after:
        return candidate
    seconds = datetime.strptime(after[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return execution_id(from_datetime(seconds) + (int(after[14:]) + 1) * _TICK)
