"""What a schedule does in place of a script: an HTTP request, as Azure Scheduler's job action.

Names and meaning: its REST API (2016-03-01: JobAction, HttpRequest, RetryPolicy, JobErrorAction)
and "Scheduler Outbound Authentication". Encoded as JSON this is its spelling. Ours: `Bearer`, the
`Exponential` retries (as Logic Apps have them), references in the place of values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from gitdeploy.errors import Invalid

RetryType = Literal["None", "Fixed", "Exponential"]
_SENSITIVE = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey")


class Reference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that stands elsewhere: an app setting, or a secret in the store. One is set."""

    setting: str | None = None
    secret: str | None = None


Value = str | Reference


class Authentication(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`Basic` has `username` and `password`, `Bearer` a `token`."""

    type: Literal["Basic", "Bearer"]
    username: Value | None = None
    password: Value | None = None
    token: Value | None = None


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request: `uri` is http or https, `method` upper-case."""

    uri: str
    method: str
    headers: dict[str, Value] = {}
    body: Value | None = None
    authentication: Authentication | None = None


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """How a request that failed is tried again: `retry_count` times at most.

    Fixed waits `retry_interval` before each, Exponential twice as long each time, up to
    `maximum_interval`. As JSON intervals are ISO 8601 durations.
    """

    retry_type: RetryType
    retry_count: int = 0
    retry_interval: timedelta = timedelta(0)
    maximum_interval: timedelta | None = None

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each retry."""
        wait, longest = self.retry_interval.total_seconds(), self.maximum_interval
        for _ in range(self.retry_count if self.retry_type != "None" else 0):
            yield wait if longest is None else min(wait, longest.total_seconds())
            if self.retry_type == "Exponential":
                wait *= 2


NO_RETRIES = RetryPolicy(retry_type="None")


class ErrorAction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The request that is made when the action and its retries have failed.

    Its policy is always written: where none is read the action's own holds.
    """

    type: Literal["Http", "Https"]
    request: HttpRequest
    retry_policy: RetryPolicy = NO_RETRIES


class HttpAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A job's request, its retries, and what to do when they all failed."""

    type: Literal["Http", "Https"]
    request: HttpRequest
    retry_policy: RetryPolicy = NO_RETRIES
    error_action: ErrorAction | None = None


def take_secrets(action: HttpAction, prefix: str) -> tuple[HttpAction, dict[str, str]]:
    """The action with references in the place of secrets, and the secrets by their names.

    Secrets are passwords, tokens, and headers that are called like one. Names are
    the places, `prefix.request.authentication.password`: the same each time.
    """
    taken: dict[str, str] = {}
    request = _without_secrets(action.request, f"{prefix}.request", taken)
    other = action.error_action
    if other is not None:
        inner = _without_secrets(other.request, f"{prefix}.errorAction.request", taken)
        other = replace(other, request=inner)
    return replace(action, request=request, error_action=other), taken


def references(action: HttpAction) -> frozenset[Reference]:
    """All values that stand elsewhere."""
    requests = [action.request]
    if action.error_action is not None:
        requests.append(action.error_action.request)
    return frozenset(
        value for request in requests for value in _values(request) if isinstance(value, Reference)
    )


def resolved(
    request: HttpRequest, settings: Mapping[str, str], secrets: Mapping[str, str]
) -> HttpRequest:
    """The request with texts in the place of references. Raises Invalid where one is missing."""

    def text(value: Value | None) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if value.setting is not None:
            found, what = settings.get(value.setting), f"The app setting {value.setting}"
        else:
            found, what = secrets.get(value.secret or ""), f"The secret {value.secret}"
        if found is None:
            raise Invalid(f"{what} that the action refers to isn't set.", "Set it.")
        return found

    given = request.authentication
    if given is not None:
        given = replace(
            given,
            username=text(given.username),
            password=text(given.password),
            token=text(given.token),
        )
    headers: dict[str, Value] = {name: text(v) or "" for name, v in request.headers.items()}
    return replace(request, headers=headers, body=text(request.body), authentication=given)


def _values(request: HttpRequest) -> Iterator[Value | None]:
    yield from request.headers.values()
    yield request.body
    if request.authentication is not None:
        given = request.authentication
        yield from (given.username, given.password, given.token)


def _without_secrets(request: HttpRequest, prefix: str, taken: dict[str, str]) -> HttpRequest:
    def put(name: str, value: Value | None) -> Value | None:
        if not isinstance(value, str):
            return value
        taken[f"{prefix}.{name}"] = value
        return Reference(secret=f"{prefix}.{name}")

    given = request.authentication
    if given is not None:
        password = put("authentication.password", given.password)
        token = put("authentication.token", given.token)
        given = replace(given, password=password, token=token)
    headers: dict[str, Value] = {
        name: (put(f"headers.{name.lower()}", value) or "") if _is_sensitive(name) else value
        for name, value in request.headers.items()
    }
    return replace(request, headers=headers, authentication=given)


def _is_sensitive(header: str) -> bool:
    name = header.lower()
    return any(word in name for word in _SENSITIVE)
