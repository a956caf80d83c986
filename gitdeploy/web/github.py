"""What `POST /deploy` understands: GitHub's push event and the plain form. Pure functions."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from gitdeploy.errors import Invalid
from gitdeploy.repos import ZERO

_HEX = re.compile(r"[0-9a-f]{40}")
_HEADS = "refs/heads/"


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A branch (None: the remote's own) that is to be fetched; `commit` where the sender says."""

    url: str
    branch: str | None
    commit: str | None = None
    explicit: bool = False


class Nothing(msgspec.Struct, frozen=True):
    """An event that leads to no deployment, and why."""

    reason: str


class _Repository(msgspec.Struct, frozen=True):
    clone_url: str | None = None
    url: str | None = None


class _Event(msgspec.Struct, frozen=True):
    """The fields of a push event that matter here (docs.github.com, webhook events, push)."""

    ref: str | None = None
    after: str | None = None
    deleted: bool = False
    repository: _Repository | None = None
    format: str | None = None
    url: str | None = None


def signed(body: bytes, secret: str, signatures: Iterable[str]) -> bool:
    """Whether one of the `X-Hub-Signature-256` values is the HMAC of the raw body.

    Every value is compared, in constant time each.
    """
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    good = False
    for value in signatures:
        for part in value.split(","):
            given = part.strip().lower().encode("utf-8", "replace")
            good |= hmac.compare_digest(given, expected.encode())
    return good


def read_payload(body: bytes, content_type: str, event: str | None) -> Push | Nothing:
    """What the sender wants, from the body and the `X-GitHub-Event` header.

    Raises Invalid naming what is missing.
    """
    if event == "ping":
        return Nothing("The webhook works.")
    if event is not None and event != "push":
        return Nothing(f"The event {event[:50]} deploys nothing.")
    return _wanted(_decode(_payload(body, content_type)))


def _payload(body: bytes, content_type: str) -> bytes:
    """The JSON, also out of a form's field `payload`, whatever the type says."""
    is_form = content_type == "application/x-www-form-urlencoded"
    if not is_form and not body.lstrip().startswith(b"payload="):
        return body
    if body.lstrip().startswith(b"{"):
        return body
    fields: Mapping[str, list[str]] = parse_qs(
        body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50
    )
    if "payload" in fields:
        return fields["payload"][0].encode()
    if "url" in fields:
        return msgspec.json.encode({key: values[0] for key, values in fields.items()})
    raise Invalid("The form has no field payload.", "Send the event as JSON, or in `payload`.")


def _decode(payload: bytes) -> _Event:
    try:
        return msgspec.json.decode(payload, type=_Event)
    except msgspec.ValidationError as error:
        raise Invalid(f"The payload is refused: {error}.", _FORMS) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The payload isn't JSON: {error}.", _FORMS) from error


def _wanted(event: _Event) -> Push | Nothing:
    if event.repository is None:
        if not event.url or event.format not in (None, "basic"):
            raise Invalid("The payload has neither repository nor url.", _FORMS)
        url, _, branch = event.url.partition("#")
        return Push(url=url, branch=branch.removeprefix(_HEADS) or None, explicit=True)
    url = event.repository.clone_url or event.repository.url or ""
    if not url:
        raise Invalid("The payload's repository has no clone_url.", _FORMS)
    if event.ref is None:
        raise Invalid("The payload has no ref.", _FORMS)
    if not event.ref.startswith(_HEADS):
        return Nothing(f"{event.ref[:100]} isn't a branch; nothing is deployed.")
    if event.deleted or event.after == ZERO:
        return Nothing(f"{event.ref[:100]} was deleted; nothing is deployed.")
    commit = event.after if event.after and _HEX.fullmatch(event.after) else None
    return Push(url=url, branch=event.ref.removeprefix(_HEADS), commit=commit)


_FORMS = (
    'Send a GitHub push event, or {"format": "basic", "url": "https://host/repository.git#branch"}.'
)


def as_text(value: Any) -> str:
    """A value of a header as one short line."""
    return re.sub(r"[^\x20-\x7e]", "?", str(value))[:100]
