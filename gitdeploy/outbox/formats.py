"""What is sent for a delivery, in the format that its hook wants. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gitdeploy.clock import rfc3339
from gitdeploy.outbox.slack import slack_text
from gitdeploy.outbox.subject import Subject, subject_of
from gitdeploy.store import Delivery, Hook

_JSON = "application/json; charset=utf-8"
_CLOUDEVENTS = "application/cloudevents+json; charset=utf-8"
_TYPE = "gitdeploy."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a delivery tells of, as the API shows it; values are what msgspec can encode.

    `kudu` is what Kudu's hooks send, `data` what our API answers for it, `page` its page's
    address, `source` the app's, `path` where it is below that.
    """

    kudu: Any
    data: Any
    page: str
    source: str
    path: str


View = Callable[[Hook, Subject], Shown]


@dataclass(frozen=True, slots=True)
class Message:
    """The body of a POST and its headers, the signature included."""

    body: bytes
    headers: Mapping[str, str]


def message(hook: Hook, delivery: Delivery, view: View) -> Message:
    """What is sent: the same bytes at each try. Raises msgspec.DecodeError for a broken row."""
    subject = subject_of(delivery)
    shown = view(hook, subject)
    media = _JSON
    match hook.format:
        case "kudu":
            value = shown.kudu
        case "cloudevents":
            value, media = cloud_event(delivery, shown), _CLOUDEVENTS
        case "slack":
            value = {"text": slack_text(delivery, subject, shown.page)}
    body = msgspec.json.encode(value)
    headers = {
        "Content-Type": media,
        "X-Gitdeploy-Event": delivery.event,
        "X-Gitdeploy-Delivery": delivery.id,
        "X-Gitdeploy-Try": str(delivery.tries + 1),
    }
    if hook.secret:
        headers["X-Hub-Signature-256"] = signature(hook.secret, body)
    return Message(body, headers)


def cloud_event(delivery: Delivery, shown: Shown) -> dict[str, Any]:
    """The structured form of CloudEvents 1.0 (JSON event format, section 3)."""
    return {
        "specversion": "1.0",
        "id": delivery.id,
        "source": shown.source,
        "type": _TYPE + delivery.event,
        "subject": shown.path,
        "time": rfc3339(delivery.at),
        "datacontenttype": "application/json",
        "data": shown.data,
    }


def signature(secret: str, body: bytes) -> str:
    """`sha256=` and the HMAC of the body in hex, as GitHub signs its webhooks."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
