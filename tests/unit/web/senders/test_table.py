"""Who sent a request, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from gitdeploy.errors import Invalid
from gitdeploy.web.senders import SENDERS, Nothing, Push, delivery_of, payload_of, recognise
from tests.unit.web.senders.conftest import FORM, JSON, PAYLOADS, changes, document

NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))
EVENTS = sorted({name for sender in SENDERS for name in sender.events})
KEYS = [
    *("ref", "after", "deleted", "repository", "clone_url", "url", "format", "scm", "commits"),
    *("head_commit", "author", "pusher", "object_kind", "event_name", "project", "git_http_url"),
    *("push", "changes", "new", "old", "type", "name", "target", "links", "html", "href", "refId"),
    *("publisherId", "eventType", "resource", "refUpdates", "remoteUrl", "sessionToken", "token"),
    *("push_data", "id", "notificationId", "x"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["refs/heads/main", "refs/tags/v1", "0" * 40, "a" * 40, "push", "git.push"])
    | st.sampled_from(["tfs", "branch", "basic", "https://h/r.git", "git"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.sampled_from([*EVENTS, "X-GitHub-Delivery", "Idempotency-Key"]),
    st.sampled_from(["push", "ping", "Push Hook", "repo:push", "repo:refs_changed", "", "é"]),
    max_size=3,
)


@given(VALUES, HEADERS, st.sampled_from([JSON, FORM, ""]))
@settings(deadline=None, max_examples=500)
def test_any_json_is_understood_or_refused(
    value: Any, headers: dict[str, str], content_type: str
) -> None:
    check(json.dumps(value).encode(), headers, content_type)


@given(st.binary(max_size=200), HEADERS, st.sampled_from([JSON, FORM, ""]))
@settings(deadline=None, max_examples=300)
def test_any_bytes_are_understood_or_refused(
    body: bytes, headers: dict[str, str], content_type: str
) -> None:
    check(body, headers, content_type)
    check(b"payload=" + body, headers, content_type)


@given(st.sampled_from(NAMES), st.data())
@settings(deadline=None, max_examples=500)
def test_a_real_document_with_one_value_changed_is_understood_or_refused(
    name: str, data: st.DataObject
) -> None:
    body = document(name)
    place: Any = body
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else [0]))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(VALUES)
        break
    check(json.dumps(body).encode(), {}, JSON)


def check(body: bytes, headers: dict[str, str], content_type: str) -> None:
    known = CIMultiDict(headers)
    try:
        payload = payload_of(body, content_type)
        sender = recognise(known, payload)
        delivery = delivery_of(sender, known, payload)
        read = sender.read(known, payload)
    except Invalid as refusal:
        assert refusal.what
        assert refusal.fix
        return
    assert delivery is None or (delivery and len(delivery) <= 150)
    assert read
    for change in read:
        assert isinstance(change, Push | Nothing)
        shown = change.reason if isinstance(change, Nothing) else change.pusher + change.author
        assert "\n" not in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"zen": 1}',
        b"\xff\xfe",
        b'{"ref": "\\ud800", "repository": {}}',
        b'{"x": ' + b"[" * 100_000,
        b"a=b",
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_send(body: bytes) -> None:
    for content_type in (JSON, FORM):
        with pytest.raises(Invalid) as refused:
            changes(body, None, content_type)
        assert refused.value.fix


def test_who_is_unknown_is_told_who_is_understood() -> None:
    with pytest.raises(Invalid) as refused:
        changes({"hello": "world"})
    for title in ("GitHub", "GitLab", "Gitea", "Forgejo", "Bitbucket", "Azure DevOps"):
        assert title in refused.value.what


def test_a_form_with_very_many_fields_is_refused() -> None:
    with pytest.raises(Invalid, match="50 fields"):
        changes(b"&".join(b"a=%d" % n for n in range(1000)), None, FORM)


@pytest.mark.parametrize(
    ("event", "deliveries", "expected"),
    [
        (("X-GitHub-Event", "push"), {"X-GitHub-Delivery": "g"}, "g"),
        (("X-Gitea-Event", "push"), {"X-Gitea-Delivery": "t", "X-GitHub-Delivery": "g"}, "t"),
        (("X-Forgejo-Event", "push"), {"X-Gitea-Delivery": "t"}, "t"),
        (
            ("X-Gitlab-Event", "Push Hook"),
            {"X-Gitlab-Event-UUID": "e", "X-Gitlab-Webhook-UUID": "w", "Idempotency-Key": "i"},
            "i",
        ),
        (
            ("X-Gitlab-Event", "Push Hook"),
            {"X-Gitlab-Event-UUID": "e", "X-Gitlab-Webhook-UUID": "w"},
            "w",
        ),
        (("X-Gitlab-Event", "Push Hook"), {"X-Gitlab-Event-UUID": "e"}, "e"),
        (("X-Event-Key", "repo:push"), {"X-Request-UUID": "u"}, "u"),
        (("X-Event-Key", "repo:refs_changed"), {"X-Request-Id": "r"}, "r"),
        (("X-GitHub-Event", "push"), {"X-Gitea-Delivery": "t"}, None),
        (("X-GitHub-Event", "push"), {"X-GitHub-Delivery": " \x07 "}, None),
    ],
)
def test_a_delivery_is_known_by_its_senders_own_header(
    event: tuple[str, str], deliveries: dict[str, str], expected: str | None
) -> None:
    headers = CIMultiDict([event, *deliveries.items()])
    assert delivery_of(recognise(headers, b"{}"), headers, b"{}") == expected
