"""A whole form as a job: its name, kind and settings, and what is wrong at which field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast, get_args

from gitdeploy.deploy.action_secrets import settle
from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.jobs import HttpAction, Overlap, SettingError, check_job_name
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.jobform.doing import read_action
from gitdeploy.web.ui.jobform.when import Fault, Faults, read_when
from gitdeploy.web.ui.jobform.wrong import field_of, told
from gitdeploy.web.ui.language import Words

How = Literal["demand", "continuous", "schedule", "http"]
HOWS: tuple[How, ...] = get_args(How)
OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)

_WHEN = frozenset({"schedule", "recurrence", "timezone", "action"})
_SECONDS = {
    "continuous": ("stopping_wait_time", "restart_time"),
    "triggered": ("stopping_wait_time", "timeout"),
}
_OWN = _WHEN | {"is_singleton", "stopping_wait_time", "restart_time", "timeout", "overlap"}
_MOST_SECONDS = 366 * 86_400


class Filled(NamedTuple):
    """What a form says. `raw` are the settings that it decides on, as they were given; `shown` the
    same without secrets; `errors` what is wrong, by field."""

    name: str
    how: How
    raw: dict[str, Any]
    shown: dict[str, Any]
    errors: dict[str, str]

    @property
    def kind(self) -> Kind:
        return "continuous" if self.how == "continuous" else "triggered"


def read_job(
    form: Form, words: Words, *, name: str = "", how: How | None = None, old: HttpAction | None
) -> Filled:
    """Read a form; `name` is that of the job that is edited, `how` what it can't stop to be, and
    `old` its action, whose secrets stay where the form has none."""
    chosen = how or cast(How, form.get("how") if form.get("how") in HOWS else "demand")
    errors: dict[str, str] = {}
    raw: dict[str, Any] = {}
    faults: Faults = {}
    if not name:
        name = form.get("name")
        try:
            check_job_name(name)
        except Invalid:
            errors["name"] = words("job_form.wrong.name" if name else "job_form.wrong.needed")
    if chosen in ("schedule", "http"):
        more, found = read_when(form)
        raw |= more
        faults |= found
        if chosen == "schedule" and not more and "repeat" not in faults:
            faults["repeat"] = Fault("choose_repeat")
    if chosen == "http":
        raw["action"], found = read_action(form, old)
        faults |= found
    kind: Kind = "continuous" if chosen == "continuous" else "triggered"
    faults |= _read_behaviour(form, kind, raw)
    errors |= {
        field: words(f"job_form.wrong.{fault.key}", **fault.values)
        for field, fault in faults.items()
    }
    shown = raw
    if not faults:
        errors_of_settings, shown = _checked(kind, name, raw, form, words)
        errors = {**errors_of_settings, **errors}
    return Filled(name, chosen, raw, _without_secrets(shown), errors)


def merged(before: Mapping[str, Any], filled: Filled) -> dict[str, Any]:
    """A job's settings with those of the form in them; what the form doesn't know stays."""
    kept = {key: value for key, value in before.items() if key not in _OWN}
    return {**filled.raw, **kept}


def _read_behaviour(form: Form, kind: Kind, raw: dict[str, Any]) -> Faults:
    faults: Faults = {}
    if kind == "continuous":
        if form.has("is_singleton"):
            raw["is_singleton"] = True
    elif form.get("overlap", "drop") != "drop":
        raw["overlap"] = form.get("overlap")
    for name in _SECONDS[kind]:
        text = form.get(name)
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not 0 <= value <= _MOST_SECONDS:
            faults[name] = Fault("seconds_range", {"n": _MOST_SECONDS})
        else:
            raw[name] = int(value) if value.is_integer() else value
    return faults


def _checked(
    kind: Kind, name: str, raw: dict[str, Any], form: Form, words: Words
) -> tuple[dict[str, str], dict[str, Any]]:
    """What the job's own checks say, and the settings without secrets."""
    json = form.get("repeat") == "json"
    try:
        settled = settle(kind, name or "name", raw)
    except SettingError as error:
        return {field_of(error, json=json): told(error, words)}, raw
    errors: dict[str, str] = {}
    for each in settled.wrong:
        errors.setdefault(field_of(each, json=json), told(each, words))
    return errors, settled.raw


def _without_secrets(raw: dict[str, Any]) -> dict[str, Any]:
    """Settings to look at: a value that is kept apart is three dots."""

    def seen(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            if set(value) == {"secret"}:
                return "…"
            return {inner: seen(each, inner) for inner, each in value.items()}
        if isinstance(value, list):
            return [seen(each) for each in value]
        return "…" if key in ("password", "token") and isinstance(value, str) else value

    found: dict[str, Any] = seen(raw)
    return found
