"""An HTTP action out of JSON, checked; what Azure Scheduler took for http and https is taken."""

from __future__ import annotations

import re
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from gitdeploy.jobs.action import (
    NO_RETRIES,
    Authentication,
    ErrorAction,
    HttpAction,
    HttpRequest,
    Reference,
    RetryPolicy,
    Value,
)
from gitdeploy.jobs.checks import (
    expect_choice,
    expect_object,
    expect_text,
    kind,
    known_keys,
    refuse,
)
from gitdeploy.jobs.retry_json import parse_retry_policy

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
MAX_URI = 2048
MAX_HEADERS = 100
MAX_VALUE = 8 << 10
MAX_BODY = 256 << 10
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_NAME = re.compile(r"[^\x00-\x1f=]{1,256}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_URI = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")
_OURS = frozenset(
    [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
        "trailer",
        "expect",
    ]
)
_EXAMPLE = '{"type": "https", "request": {"method": "POST", "uri": "https://…"}}'


def parse_action(value: Any, *, key: str = "action") -> HttpAction:
    """Read an action; `key` is what errors call it. Raises SettingError."""
    names = ("type", "request", "retryPolicy", "errorAction")
    given = known_keys(key, expect_object(key, value, _EXAMPLE), names)
    scheme, request, policy = _core(key, value, given)
    other = None
    if "errorAction" in given:
        path, inner = given["errorAction"]
        parts = known_keys(path, expect_object(path, inner, _EXAMPLE), names[:3])
        other_scheme, other_request, other_policy = _core(path, inner, parts)
        if "retryPolicy" not in parts:  # Azure's error action is retried as the action is
            other_policy = policy
        other = ErrorAction(type=other_scheme, request=other_request, retry_policy=other_policy)
    return HttpAction(type=scheme, request=request, retry_policy=policy, error_action=other)


def _core(
    key: str, value: Any, given: dict[str, tuple[str, Any]]
) -> tuple[Literal["Http", "Https"], HttpRequest, RetryPolicy]:
    if "type" in given:
        path, word = given["type"]
        if str(word).lower() not in ("http", "https"):
            reason = "only http and https are done here"
            raise refuse(path, word, reason, 'Write "https", and a "request".')
    if "request" not in given:
        raise refuse(key, value, '"request" is missing', f"Write {_EXAMPLE}.")
    request = _request(*given["request"])
    scheme: Literal["Http", "Https"] = "Https" if request.uri.startswith("https") else "Http"
    if "type" in given and given["type"][1].lower() != scheme.lower():
        path, word = given["type"]
        raise refuse(path, word, f"the request's uri is {scheme.lower()}", "Write one of them.")
    policy = parse_retry_policy(*given["retryPolicy"]) if "retryPolicy" in given else NO_RETRIES
    return scheme, request, policy


def _request(key: str, value: Any) -> HttpRequest:
    names = ("uri", "method", "headers", "body", "authentication")
    example = '{"method": "POST", "uri": "https://…"}'
    given = known_keys(key, expect_object(key, value, example), names)
    for name in ("uri", "method"):
        if name not in given:
            raise refuse(key, value, f'"{name}" is missing', f"Write {example}.")
    return HttpRequest(
        uri=_uri(*given["uri"]),
        method=expect_choice(*given["method"], METHODS),
        headers=_headers(*given["headers"]) if "headers" in given else {},
        body=_value(*given["body"], MAX_BODY) if "body" in given else None,
        authentication=(
            _authentication(*given["authentication"]) if "authentication" in given else None
        ),
    )


def _uri(key: str, value: Any) -> str:
    text = expect_text(key, value)
    if len(text) > MAX_URI:
        raise refuse(key, text, f"it is longer than {MAX_URI} characters", "Shorten it.")
    fix = "Write it as https://host/path."
    if _NOT_IN_URI.search(text):
        reason = "it has a character that must be percent-encoded"
        raise refuse(key, text, reason, "Encode it, as in %20 for a space.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise refuse(key, text, "it isn't an address", fix) from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise refuse(key, text, "it isn't an http or https address", fix)
    if parts.username is not None or parts.password is not None:
        shown = text.replace(parts.netloc.rpartition("@")[0], "…")
        reason = "it holds a name or a password"
        raise refuse(key, shown, reason, 'Write them as "authentication".')
    return text


def _headers(key: str, value: Any) -> dict[str, Value]:
    headers: dict[str, Value] = {}
    given = expect_object(key, value, '{"Content-Type": "application/json"}')
    if len(given) > MAX_HEADERS:
        raise refuse(key, len(given), f"more than {MAX_HEADERS} headers", "Remove some.")
    for name, inner in given.items():
        path = f"{key}.{name}"
        if not _TOKEN.fullmatch(name):
            raise refuse(path, inner, "it isn't a header's name", "Mend the name.")
        if name.lower() in _OURS:
            raise refuse(path, inner, "this header is made by the client itself", "Remove it.")
        headers[name] = _value(path, inner, MAX_VALUE)
        text = headers[name]
        if isinstance(text, str) and (_CONTROL.search(text) or not text.isascii()):
            raise refuse(path, inner, "it has a character that no header may have", "Remove it.")
    return headers


def _value(key: str, value: Any, limit: int) -> Value:
    """A text, or where it stands: {"setting": NAME}, {"secret": NAME}."""
    if isinstance(value, str):
        if len(value.encode("utf-8", "surrogatepass")) > limit:
            raise refuse(key, value, f"it is longer than {limit} bytes", "Shorten it.")
        return value
    if not isinstance(value, dict):
        fix = 'Write a text, or {"setting": "NAME"} for an app setting\'s value.'
        raise refuse(key, value, f"a text is expected, not {kind(value)}", fix)
    given = known_keys(key, value, ("setting", "secret"))
    if len(given) != 1:
        reason = 'one of "setting" and "secret" is expected'
        raise refuse(key, value, reason, 'Write {"setting": "NAME"}.')
    ((name, (path, inner)),) = given.items()
    text = expect_text(path, inner)
    if not _NAME.fullmatch(text):
        raise refuse(path, inner, "it isn't a name", 'Write {"setting": "NAME"}.')
    return Reference(setting=text) if name == "setting" else Reference(secret=text)


def _authentication(key: str, value: Any) -> Authentication:
    example = '{"type": "Basic", "username": "…", "password": {"setting": "NAME"}}'
    whole = expect_object(key, value, example)
    word = whole.get("type", whole.get("Type"))
    if isinstance(word, str) and word.lower() in ("clientcertificate", "activedirectoryoauth"):
        reason = f"{word} isn't done here"
        raise refuse(f"{key}.type", word, reason, 'Write "Basic" or "Bearer".')
    given = known_keys(key, whole, ("type", "username", "password", "token"))
    if "type" not in given:
        raise refuse(key, list(whole), '"type" is missing', f"Write {example}.")
    chosen = expect_choice(*given["type"], ("Basic", "Bearer"))
    needed = ("username", "password") if chosen == "Basic" else ("token",)
    for name in needed:
        if name not in given:
            raise refuse(key, list(whole), f'"{name}" is missing', f"Write {name!r} too.")
    for name, (path, _) in given.items():
        if name not in ("type", *needed):
            raise refuse(path, "…", f"{chosen} doesn't have it", "Remove it.")
    values = {name: _secret_value(*given[name]) for name in needed}
    return Authentication(type=cast(Literal["Basic", "Bearer"], chosen), **values)


def _secret_value(key: str, value: Any) -> Value:
    """As _value, but an error doesn't show what was given."""
    if not isinstance(value, str | dict):
        raise refuse(key, "…", f"a text is expected, not {kind(value)}", "Write it in quotes.")
    if isinstance(value, str) and (_CONTROL.search(value) or len(value) > MAX_VALUE):
        reason = "it is too long, or has a control character"
        raise refuse(key, "…", reason, "Mend it.")
    return _value(key, value, MAX_VALUE * 4)
