"""Requests as senders make them; their documents, typed in, are in payloads/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from gitdeploy.web.senders import Change, Push, payload_of, recognise

PAYLOADS = Path(__file__).parent / "payloads"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def document(name: str) -> dict[str, Any]:
    """A sender's published document."""
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return loaded


def changes(
    body: Any, headers: dict[str, str] | None = None, content_type: str = JSON
) -> Sequence[Change]:
    """What a request says. Raises Invalid."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    known = CIMultiDict(headers or {})
    payload = payload_of(raw, content_type)
    return recognise(known, payload).read(known, payload)


def push(body: Any, headers: dict[str, str] | None = None, content_type: str = JSON) -> Push:
    """The one push that a request is about."""
    (change,) = changes(body, headers, content_type)
    assert isinstance(change, Push)
    return change


def reason(body: Any, headers: dict[str, str] | None = None) -> str:
    """Why a request deploys nothing."""
    (change,) = changes(body, headers)
    assert not isinstance(change, Push)
    return change.reason
