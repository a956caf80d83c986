"""The HTTP action of a job: from the fields of the form to settings, and back.

A secret is never shown again: what is kept stands in the form as nothing, or as dots among the
headers, and stays as it is where that is left so. `{"setting": "NAME"}` in the place of a value
refers to an app setting.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import msgspec

from gitdeploy.jobs import HttpAction, HttpRequest, Reference, RetryPolicy
from gitdeploy.jobs.action import Value
from gitdeploy.jobs.retry_json import MAX_RETRIES
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.jobform.numbers import whole
from gitdeploy.web.ui.jobform.when import Fault, Faults, Fields

KEPT = "••••••••"
"""Stands for the value of a header that isn't shown."""
RETRIES = ("none", "fixed", "exponential")
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_LONGEST = 31 * 86_400
_SETTING = re.compile(r'\{\s*"setting"\s*:\s*"([^"]+)"\s*\}')


def read_action(form: Form, old: HttpAction | None) -> tuple[dict[str, Any], Faults]:
    """The action as settings.job has it, and what is wrong at which field."""
    faults: Faults = {}
    action = _one(form, "a", None if old is None else old.request, faults)
    if form.has("error_action"):
        before = None if old is None or old.error_action is None else old.error_action.request
        action["errorAction"] = _one(form, "e", before, faults)
    return action, faults


def action_fields(action: HttpAction) -> tuple[Fields, set[str]]:
    """The fields that say what an action says, and those whose value is kept and not shown."""
    fields, kept = _fields("a", action.request, action.retry_policy)
    if action.error_action is not None:
        more, hidden = _fields("e", action.error_action.request, action.error_action.retry_policy)
        fields |= {**more, "error_action": ["on"]}
        kept |= hidden
    return fields, kept


def _one(form: Form, prefix: str, old: HttpRequest | None, faults: Faults) -> dict[str, Any]:
    request: dict[str, Any] = {
        "uri": form.get(f"{prefix}_url"),
        "method": form.get(f"{prefix}_method", "POST"),
    }
    if not request["uri"]:
        faults[f"{prefix}_url"] = Fault("url")
    headers = _headers(form, prefix, old, faults)
    if headers:
        request["headers"] = headers
    body = (form.all(f"{prefix}_body") or [""])[0]
    if body.strip():
        request["body"] = _value(body)
    chosen = form.get(f"{prefix}_auth", "none")
    if chosen in ("basic", "bearer"):
        request["authentication"] = _authentication(form, prefix, chosen, old, faults)
    return {"request": request, "retryPolicy": _retries(form, prefix, faults)}


def _headers(form: Form, prefix: str, old: HttpRequest | None, faults: Faults) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    known = {} if old is None else {name.lower(): value for name, value in old.headers.items()}
    for number, line in enumerate(form.get(f"{prefix}_headers").splitlines(), 1):
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not line.strip():
            continue
        if not colon or not name:
            faults.setdefault(f"{prefix}_headers", Fault("header_line", {"n": number}))
            continue
        if value == KEPT:
            before = known.get(name.lower())
            if before is None:
                faults.setdefault(f"{prefix}_headers", Fault("header_kept", {"name": name}))
                continue
            headers[name] = msgspec.to_builtins(before)
        else:
            headers[name] = _value(value)
    return headers


def _authentication(
    form: Form, prefix: str, chosen: str, old: HttpRequest | None, faults: Faults
) -> dict[str, Any]:
    raw: dict[str, Any] = {"type": chosen}
    secret = "password" if chosen == "basic" else "token"
    if chosen == "basic":
        raw["username"] = _value(form.get(f"{prefix}_username"))
        if not raw["username"]:
            faults[f"{prefix}_username"] = Fault("needed")
    given = (form.all(f"{prefix}_{secret}") or [""])[0]
    raw[secret] = _value(given)
    if not given:
        before = None if old is None else old.authentication
        kept: Value | None = None if before is None else getattr(before, secret)
        if kept is None:
            faults[f"{prefix}_{secret}"] = Fault("needed")
        raw[secret] = msgspec.to_builtins(kept)
    return raw


def _retries(form: Form, prefix: str, faults: Faults) -> dict[str, Any]:
    kind = form.get(f"{prefix}_retry", "none")
    if kind not in RETRIES[1:]:
        return {"retryType": "none"}
    name = f"{prefix}_retry_count"
    raw: dict[str, Any] = {"retryType": kind, "retryCount": whole(form.get(name), 1, MAX_RETRIES)}
    if raw["retryCount"] is None:
        faults[name] = Fault("number", {"low": 1, "high": MAX_RETRIES})
    raw["retryInterval"] = _span(form, f"{prefix}_retry_interval", faults)
    if kind == "exponential":
        raw["maximumInterval"] = _span(form, f"{prefix}_retry_most", faults)
    return raw


def _span(form: Form, name: str, faults: Faults) -> int | None:
    """Seconds."""
    unit = UNITS.get(form.get(f"{name}_unit"), 1)
    number = whole(form.get(name), 1, _LONGEST // unit)
    if number is None:
        faults[name] = Fault("number", {"low": 1, "high": _LONGEST // unit})
        return None
    return number * unit


def _value(text: str) -> Any:
    """A text, or the app setting that it refers to."""
    found = _SETTING.fullmatch(text.strip())
    return text if found is None else {"setting": found[1]}


def _fields(prefix: str, request: HttpRequest, policy: RetryPolicy) -> tuple[Fields, set[str]]:
    kept: set[str] = set()
    fields: Fields = {
        f"{prefix}_url": [request.uri],
        f"{prefix}_method": [request.method],
        f"{prefix}_headers": ["\n".join(f"{n}: {_shown(v)}" for n, v in request.headers.items())],
        f"{prefix}_body": ["" if request.body is None else _shown(request.body)],
        f"{prefix}_retry": [policy.retry_type.lower()],
    }
    given = request.authentication
    if given is not None:
        fields[f"{prefix}_auth"] = [given.type.lower()]
        if given.username is not None:
            fields[f"{prefix}_username"] = [_shown(given.username)]
        kept.add(f"{prefix}_{'password' if given.type == 'Basic' else 'token'}")
    if policy.retry_type != "None":
        fields[f"{prefix}_retry_count"] = [str(policy.retry_count)]
        fields |= _span_fields(f"{prefix}_retry_interval", policy.retry_interval)
        if policy.maximum_interval is not None:
            fields |= _span_fields(f"{prefix}_retry_most", policy.maximum_interval)
    return fields, kept


def _span_fields(name: str, span: timedelta) -> Fields:
    seconds = int(span.total_seconds())
    unit = next(one for one in reversed(UNITS) if seconds % UNITS[one] == 0)
    return {name: [str(seconds // UNITS[unit])], f"{name}_unit": [unit]}


def _shown(value: Value) -> str:
    if not isinstance(value, Reference):
        return value
    return KEPT if value.setting is None else json.dumps({"setting": value.setting})
