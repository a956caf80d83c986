"""HTTP actions: what is taken, refused, kept apart, put together again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.jobs import (
    HttpAction,
    Reference,
    RetryPolicy,
    SettingError,
    parse_action,
    references,
    resolved,
    take_secrets,
)

SIMPLE = {"type": "https", "request": {"method": "get", "uri": "https://example.com/x?y=1"}}
# scheduler-concepts-terms.md and scheduler-outbound-authentication.md, put together
FULL = {
    "type": "http",
    "retryPolicy": {"retryType": "fixed", "retryInterval": "PT1M", "retryCount": 3},
    "request": {
        "uri": "http://contoso.com/foo",
        "method": "PUT",
        "body": "Posting from a timer",
        "headers": {"Content-Type": "application/json", "X-Api-Key": "k3y"},
        "authentication": {"username": "user1", "password": "pa55", "type": "basic"},
    },
    "errorAction": {
        "type": "http",
        "request": {
            "uri": "http://contoso.com/notifyError",
            "method": "POST",
            "authentication": {"type": "Bearer", "token": "t0ken"},
        },
    },
}


def without(value: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """SIMPLE's request with changes."""
    return {"request": value["request"] | changes}


def test_azures_job_action_is_taken() -> None:
    action = parse_action(FULL)
    assert (action.type, action.request.method, action.request.uri) == (
        "Http",
        "PUT",
        "http://contoso.com/foo",
    )
    assert action.request.authentication is not None
    assert action.request.authentication.type == "Basic"
    assert list(action.retry_policy.waits()) == [60.0, 60.0, 60.0]
    assert action.error_action is not None
    assert action.error_action.request.uri.endswith("/notifyError")
    assert parse_action(SIMPLE).type == "Https"
    assert parse_action(SIMPLE).request.method == "GET"


@pytest.mark.parametrize("value", [SIMPLE, FULL])
def test_what_was_read_can_be_written_stored_and_read_again(value: dict[str, Any]) -> None:
    action = parse_action(value)
    for kept in (action, take_secrets(action, "action")[0]):
        text = msgspec.json.encode(kept)
        assert msgspec.json.decode(text, type=HttpAction) == kept
        assert parse_action(json.loads(text)) == kept


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        ({"retryType": "none"}, []),
        ({"retryType": "Fixed"}, [60.0] * 5),
        ({"type": "fixed", "count": 2, "interval": "PT30S"}, [30.0, 30.0]),
        ({"retryType": "fixed", "retryCount": 1, "retryInterval": 5}, [5.0]),
        ({"type": "exponential"}, [7.0, 14.0, 28.0, 56.0]),
        (
            {"type": "exponential", "count": 5, "interval": "PT10S", "maximum": "PT1M"},
            [10.0, 20.0, 40.0, 60.0, 60.0],
        ),
    ],
)
def test_retries_wait_as_the_policy_says(policy: dict[str, Any], waits: list[float]) -> None:
    action = parse_action(SIMPLE | {"retryPolicy": policy})
    assert list(action.retry_policy.waits()) == waits


def test_without_a_policy_nothing_is_tried_again() -> None:
    policy = parse_action(SIMPLE).retry_policy
    assert policy == RetryPolicy(retry_type="None")
    assert list(policy.waits()) == []


def test_an_error_action_is_tried_again_as_the_action_unless_it_says_otherwise() -> None:
    retried = {"retryPolicy": {"retryType": "fixed", "retryCount": 2}}
    inherits = parse_action(SIMPLE | retried | {"errorAction": SIMPLE})
    says = parse_action(
        SIMPLE | retried | {"errorAction": SIMPLE | {"retryPolicy": {"retryType": "none"}}}
    )
    for action, times in ((inherits, 2), (says, 0)):
        again = parse_action(json.loads(msgspec.json.encode(action)))
        assert again == action
        assert again.error_action is not None
        assert len(list(again.error_action.retry_policy.waits())) == times


def test_secrets_are_taken_out_and_put_in_again() -> None:
    action = parse_action(FULL)
    kept, secrets = take_secrets(action, "mail")
    assert secrets == {
        "mail.request.headers.x-api-key": "k3y",
        "mail.request.authentication.password": "pa55",
        "mail.errorAction.request.authentication.token": "t0ken",
    }
    shown = msgspec.json.encode(kept).decode()
    assert not any(secret in shown for secret in secrets.values())
    assert resolved(kept.request, {}, secrets) == action.request
    assert take_secrets(kept, "mail") == (kept, {})
    assert {each.secret for each in references(kept)} == set(secrets)


def test_references_to_settings_are_followed_when_it_is_done() -> None:
    value = without(
        SIMPLE,
        headers={"Authorization": {"setting": "TOKEN"}},
        body={"setting": "BODY"},
        authentication={"type": "Bearer", "token": {"secret": "a"}},
    )
    action = parse_action(value)
    assert references(action) == {
        Reference(setting="TOKEN"),
        Reference(setting="BODY"),
        Reference(secret="a"),
    }
    request = resolved(action.request, {"TOKEN": "t", "BODY": "b"}, {"a": "s"})
    assert (request.headers, request.body) == ({"Authorization": "t"}, "b")
    with pytest.raises(Invalid, match="app setting TOKEN"):
        resolved(action.request, {}, {"a": "s"})
    with pytest.raises(Invalid, match="secret a"):
        resolved(action.request, {"TOKEN": "t", "BODY": "b"}, {})


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        ("https://x", "", "an object is expected, not a text"),
        ({}, "", '"request" is missing'),
        ({"type": "storageQueue", "queueMessage": {}}, ".queueMessage", "isn't known here"),
        ({"type": "storageQueue"}, ".type", "only http and https"),
        ({"request": {"method": "GET"}}, ".request", '"uri" is missing'),
        ({"request": {"uri": "https://x"}}, ".request", '"method" is missing'),
        (SIMPLE | {"type": "http"}, ".type", "the request's uri is https"),
        (without(SIMPLE, uri="ftp://x"), ".request.uri", "isn't an http or https address"),
        (without(SIMPLE, uri="https:///x"), ".request.uri", "isn't an http or https address"),
        (without(SIMPLE, uri="https://x:99999"), ".request.uri", "isn't an address"),
        (without(SIMPLE, uri="https://[::1"), ".request.uri", "isn't an address"),
        (without(SIMPLE, uri="https://x/a b"), ".request.uri", "must be percent-encoded"),
        (without(SIMPLE, uri="https://x/\r\nHost: y"), ".request.uri", "must be percent-encoded"),
        (without(SIMPLE, uri="https://x/" + "y" * 2048), ".request.uri", "longer than 2048"),
        (without(SIMPLE, uri="https://u:p4ss@x/"), ".request.uri", "a name or a password"),
        (without(SIMPLE, method="BREW"), ".request.method", "isn't one of GET"),
        (without(SIMPLE, headers={"a b": "c"}), ".request.headers.a b", "isn't a header's name"),
        (without(SIMPLE, headers={"Host": "c"}), ".request.headers.Host", "by the client itself"),
        (without(SIMPLE, headers={"a": "b\r\nc: d"}), ".request.headers.a", "no header may have"),
        (without(SIMPLE, headers={"a": 5}), ".request.headers.a", "a text is expected"),
        (without(SIMPLE, headers={"a": {}}), ".request.headers.a", 'one of "setting" and "secret"'),
        (without(SIMPLE, headers={"a": {"setting": ""}}), ".request.headers.a.setting", "a name"),
        (without(SIMPLE, body="x" * 300_000), ".request.body", "longer than"),
        (without(SIMPLE, authentication={}), ".request.authentication", '"type" is missing'),
        (
            without(SIMPLE, authentication={"type": "ClientCertificate", "pfx": "x"}),
            ".request.authentication.type",
            "ClientCertificate isn't done here",
        ),
        (
            without(SIMPLE, authentication={"type": "Basic", "password": "s3cret"}),
            ".request.authentication",
            '"username" is missing',
        ),
        (
            without(SIMPLE, authentication={"type": "Bearer", "token": 5}),
            ".request.authentication.token",
            "a text is expected",
        ),
        (
            without(SIMPLE, authentication={"type": "Bearer", "token": "x", "password": "s3cret"}),
            ".request.authentication.password",
            "Bearer doesn't have it",
        ),
        (SIMPLE | {"retryPolicy": {}}, ".retryPolicy", '"retryType" is missing'),
        (
            SIMPLE | {"retryPolicy": {"retryType": "fixed", "retryCount": 21}},
            ".retryPolicy.retryCount",
            "it is above 20",
        ),
        (
            SIMPLE | {"retryPolicy": {"retryType": "fixed", "retryInterval": "a minute"}},
            ".retryPolicy.retryInterval",
            "it isn't a duration",
        ),
        (
            SIMPLE | {"retryPolicy": {"retryType": "fixed", "interval": "PT0S"}},
            ".retryPolicy.interval",
            "between 1 second and 31 days",
        ),
        (
            SIMPLE | {"retryPolicy": {"retryType": "fixed", "maximum": "PT1M"}},
            ".retryPolicy.maximum",
            "only exponential retries",
        ),
        (SIMPLE | {"errorAction": {"errorAction": {}}}, ".errorAction.errorAction", "isn't known"),
        (SIMPLE | {"errorAction": {}}, ".errorAction", '"request" is missing'),
    ],
)
def test_a_refusal_names_path_and_reason_and_no_secret(value: Any, key: str, reason: str) -> None:
    with pytest.raises(SettingError) as caught:
        parse_action(value)
    error = caught.value
    assert error.key == f"action{key}"
    assert reason in error.reason
    assert error.fix
    assert "s3cret" not in str(error)
    assert "p4ss" not in str(error)
    assert len(error.value) <= 100


keys = st.sampled_from(
    [
        "type",
        "request",
        "uri",
        "method",
        "headers",
        "body",
        "authentication",
        "username",
        "password",
        "token",
        "retryPolicy",
        "retryType",
        "retryCount",
        "retryInterval",
        "maximumInterval",
        "errorAction",
        "setting",
        "secret",
        "X-A",
    ]
)
values = st.recursive(
    st.none()
    | st.integers(-2, 40)
    | st.booleans()
    | st.sampled_from(["http", "https://example.com", "GET", "Basic", "Bearer", "fixed", "PT5S"])
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=15,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(keys, values, max_size=4), values)
def test_anything_is_an_action_or_a_refusal_with_a_remedy(value: Any, more: Any) -> None:
    for each in (value, SIMPLE | value, without(SIMPLE, authentication=more, headers=more)):
        try:
            action = parse_action(each)
        except SettingError as error:
            assert error.key.startswith("action")
            assert error.fix
        else:
            assert parse_action(json.loads(msgspec.json.encode(action))) == action
