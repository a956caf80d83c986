"""`settings.job`: a JSON object beside the script (kudu.md). Known keys are checked, unknown kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, get_args

from gitdeploy.jobs.action import HttpAction, take_secrets
from gitdeploy.jobs.action_json import parse_action
from gitdeploy.jobs.checks import expect_choice, expect_text, kind, refuse
from gitdeploy.jobs.errors import ScheduleError, SettingError
from gitdeploy.jobs.job import JobSettings, Overlap, Problem
from gitdeploy.jobs.jsonfile import MAX_BYTES, MAX_DEPTH, NotAnObject, read_object
from gitdeploy.jobs.recurrence import Recurrence
from gitdeploy.jobs.recurrence_json import parse_recurrence
from gitdeploy.jobs.schedule import Schedule
from gitdeploy.jobs.zones import zone

__all__ = ["MAX_BYTES", "MAX_DEPTH", "check_settings", "parse_settings"]

_MAX_SECONDS = 366 * 86400
_OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)


def parse_settings(text: bytes, file: str) -> tuple[JobSettings, list[Problem]]:
    """Read a settings file; whatever is wrong becomes a Problem, and its key has its default.

    `file` is what the problems name; their `job` is the directory's name. Never raises.
    """
    job = PurePosixPath(file).parent.name
    try:
        raw = read_object(text)
    except NotAnObject as error:
        return JobSettings(), [Problem(job=job, file=file, reason=error.reason, fix=error.fix)]
    settings, errors = check_settings(raw)
    return settings, [
        Problem(
            job=job, file=file, key=each.key, value=each.value, reason=each.reason, fix=each.fix
        )
        for each in errors
    ]


def check_settings(raw: dict[str, Any]) -> tuple[JobSettings, list[SettingError]]:
    """The settings that an object holds, and what is wrong with it; a wrong key has its default.

    A schedule or recurrence whose time zone is wrong isn't followed: at a wrong hour is worse
    than not at all. Of a schedule and a recurrence neither is, where both are given.
    """
    values: dict[str, Any] = {}
    errors: list[SettingError] = []
    for key, check in _CHECKS.items():
        value = raw.get(key)
        if value is None:
            continue
        try:
            values[key] = check(key, value)
        except SettingError as error:
            errors.append(error)
    zone_is_wrong = raw.get("timezone") is not None and "timezone" not in values
    try:
        values.update(_when(raw, values, zone_is_wrong))
    except SettingError as error:
        values["schedule"] = None
        errors.append(error)
    if zone_is_wrong:
        values["schedule"] = values["recurrence"] = None
    order = list(raw)
    errors.sort(key=lambda error: order.index(error.key.partition(".")[0]))
    return JobSettings(raw=raw, **values), errors


def _when(
    raw: Mapping[str, Any], values: Mapping[str, Any], zone_is_wrong: bool
) -> dict[str, Recurrence | None]:
    """The recurrence, once it and the schedule are known to be right."""
    timezone: str | None = values.get("timezone")
    if raw.get("schedule") is not None and raw.get("recurrence") is not None:
        reason = "a job has a schedule or a recurrence, not both"
        raise refuse("recurrence", raw["recurrence"], reason, "Remove one of them.")
    if values.get("schedule") is not None and not zone_is_wrong:
        try:
            Schedule.parse(values["schedule"], timezone)
        except ScheduleError as error:
            raise refuse("schedule", raw["schedule"], error.reason, error.fix) from error
    if raw.get("recurrence") is not None:
        return {"recurrence": parse_recurrence(raw["recurrence"], timezone=timezone)}
    return {}


def _timezone(key: str, value: Any) -> str:
    name = expect_text(key, value)
    if zone(name) is None:
        fix = "Write an IANA name such as Europe/Berlin or Asia/Seoul."
        raise refuse(key, value, "it isn't a time zone", fix)
    return name


def _boolean(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        reason = f"true or false is expected, not {kind(value)}"
        raise refuse(key, value, reason, "Write true or false.")
    return value


def _seconds(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        reason = f"a number of seconds is expected, not {kind(value)}"
        raise refuse(key, value, reason, "Write a number, as in 30.")
    if not 0 <= value <= _MAX_SECONDS:
        reason = f"it isn't between 0 and {_MAX_SECONDS} seconds"
        raise refuse(key, value, reason, "Write a number in that range.")
    return float(value)


def _overlap(key: str, value: Any) -> str:
    return expect_choice(key, value, _OVERLAPS)


def _action(key: str, value: Any) -> HttpAction:
    """An action without secrets: a file in git is no place for them."""
    action = parse_action(value, key=key)
    for name in take_secrets(action, key)[1]:
        fix = 'Write {"setting": "NAME"} in its place and set the app setting NAME.'
        raise refuse(name, "…", "a secret doesn't belong into this file", fix)
    return action


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "schedule": expect_text,
    "timezone": _timezone,
    "is_singleton": _boolean,
    "is_in_place": _boolean,
    "stopping_wait_time": _seconds,
    "restart_time": _seconds,
    "timeout": _seconds,
    "overlap": _overlap,
    "action": _action,
}
