"""What a webhook's body means."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.web.github import Nothing, Push, read_payload, signed

SHA = "4f2c1ab0" * 5
PUSH: dict[str, Any] = {
    "ref": "refs/heads/feature/x",
    "after": SHA,
    "deleted": False,
    "repository": {"clone_url": "https://github.com/o/r.git", "url": "https://api"},
}


def read(payload: Any, content_type: str = "application/json", event: str | None = "push") -> Any:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_payload(body, content_type, event)


def test_githubs_own_example_of_a_signature_is_right() -> None:
    """docs.github.com, "Validating webhook deliveries", the values for testing."""
    body, secret = b"Hello, World!", "It's a Secret to Everybody"
    value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signed(body, secret, [value])
    assert signed(body, secret, ["sha256=00, " + value.upper().replace("SHA256", "sha256")])
    assert not signed(body + b" ", secret, [value])
    assert not signed(body, secret + " ", [value])


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=80))
@settings(deadline=None, max_examples=200)
def test_no_other_text_is_a_signature(body: bytes, secret: str, text: str) -> None:
    right = hmac.new(secret.encode("utf-8", "replace"), body, hashlib.sha256).hexdigest()
    if right not in text.lower():
        assert not signed(body, secret.encode("utf-8", "replace").decode(), [text])
    assert not signed(body, secret.encode("utf-8", "replace").decode(), [])


def test_a_push_event_names_repository_branch_and_commit() -> None:
    wanted = Push(url="https://github.com/o/r.git", branch="feature/x", commit=SHA)
    assert read(PUSH) == wanted
    assert read(PUSH, event=None) == wanted
    assert read({**PUSH, "after": "nonsense"}).commit is None


def test_the_plain_form_names_a_url_and_maybe_a_branch() -> None:
    plain = {"format": "basic", "url": "https://h/r.git#dev"}
    wanted = Push(url="https://h/r.git", branch="dev", explicit=True)
    assert read(plain, event=None) == wanted
    assert read({"url": "https://h/r.git"}, event=None).branch is None
    form = b"format=basic&url=https%3A%2F%2Fh%2Fr.git%23dev"
    assert read(form, "application/x-www-form-urlencoded", None) == wanted


def test_a_form_field_holds_the_same_event_whatever_the_type_says() -> None:
    from urllib.parse import quote_plus

    body = b"payload=" + quote_plus(json.dumps(PUSH)).encode()
    for content_type in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        assert read(body, content_type) == read(PUSH)
    assert read(PUSH, "application/x-www-form-urlencoded") == read(PUSH)


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        ({}, "ping"),
        ({}, "issues"),
        ({**PUSH, "ref": "refs/tags/v1"}, "push"),
        ({**PUSH, "deleted": True}, "push"),
        ({**PUSH, "after": "0" * 40}, "push"),
    ],
)
def test_what_deploys_nothing_says_so(payload: Any, event: str) -> None:
    answer = read(payload, event=event)
    assert isinstance(answer, Nothing)
    assert answer.reason.endswith(".")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ref", "after", "repository", "url", "clone_url", "deleted", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(deadline=None, max_examples=300)
def test_any_json_is_understood_or_refused(value: Any) -> None:
    try:
        answer = read(value, event=None)
    except Invalid as refusal:
        assert refusal.what
    else:
        assert isinstance(answer, Push | Nothing)
