"""From a body to the JSON in it, and from that to typed fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from gitdeploy.errors import Invalid

T = TypeVar("T")
_ABSENT = msgspec.Raw()
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 50
_FIX = "Send JSON as the sender's documentation has it, or as the form field `payload`."


class Envelope(msgspec.Struct, frozen=True):
    """The outermost keys by which a body shows who sends it; what is in them isn't looked at."""

    format: msgspec.Raw = _ABSENT
    url: msgspec.Raw = _ABSENT
    ref: msgspec.Raw = _ABSENT
    repository: msgspec.Raw = _ABSENT
    object_kind: msgspec.Raw = _ABSENT
    project: msgspec.Raw = _ABSENT
    push: msgspec.Raw = _ABSENT
    push_data: msgspec.Raw = _ABSENT
    changes: msgspec.Raw = _ABSENT
    refChanges: msgspec.Raw = _ABSENT
    eventKey: msgspec.Raw = _ABSENT
    publisherId: msgspec.Raw = _ABSENT
    eventType: msgspec.Raw = _ABSENT
    resource: msgspec.Raw = _ABSENT

    def has(self, *keys: str) -> bool:
        """Whether all of these keys are there, with something else than null."""
        return all(bytes(memoryview(getattr(self, key))[:5]) not in (b"", b"null") for key in keys)


def payload_of(body: bytes, content_type: str) -> bytes:
    """The JSON, also out of a form's field `payload`, whatever the type says; empty for nothing.

    A form with `url` instead is the plain one.
    """
    stripped = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not stripped or stripped[:1] in b"{[":
        return stripped
    if content_type != _FORM and not stripped.startswith(b"payload="):
        return stripped
    fields = _fields(stripped)
    if "payload" in fields:
        return fields["payload"][0].strip().encode()
    if "url" in fields:
        return msgspec.json.encode({key: values[0] for key, values in fields.items()})
    raise Invalid("The form has no field payload.", _FIX)


def form_payload(body: bytes) -> bytes | None:
    """What is in a form's field `payload`, byte for byte; None where the body is no such form."""
    if not body.startswith(b"payload="):
        return None
    try:
        return _fields(body)["payload"][0].encode()
    except Invalid:
        return None


def _fields(form: bytes) -> Mapping[str, list[str]]:
    try:
        return parse_qs(
            form.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise Invalid(f"The form has more than {_MOST_FIELDS} fields.", _FIX) from error


def decode(payload: bytes, type: type[T]) -> T:
    """The payload's fields. Raises Invalid naming the key, or what isn't JSON."""
    try:
        return msgspec.json.decode(payload, type=type)
    except msgspec.ValidationError as error:
        raise Invalid(f"The payload is refused: {error}.", _FIX) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The payload isn't JSON: {error}.", _FIX) from error
    except RecursionError as error:
        raise Invalid("The payload is nested too deeply.", _FIX) from error
