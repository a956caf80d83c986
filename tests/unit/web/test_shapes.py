"""Kudu's shapes and the small functions around them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.events import Entry
from gitdeploy.store import Token
from gitdeploy.web.apps import branch_name
from gitdeploy.web.fetching import without_credentials
from gitdeploy.web.kudu.deployment_view import details, log_entries
from gitdeploy.web.kudu.merged import make_id, parse_id
from gitdeploy.web.kudu.shapes import duration
from gitdeploy.web.principal import IMPLIED, new_secret, of_token


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "00:00:00.0000000"),
        (1, "00:00:00.0000010"),
        (61_500_000, "00:01:01.5000000"),
        (86_399_999_999, "23:59:59.9999990"),
        (90_061_000_000, "1.01:01:01.0000000"),
        (-5, "00:00:00.0000000"),
    ],
)
def test_a_span_is_written_as_dotnet_does(microseconds: int, text: str) -> None:
    assert duration(microseconds) == text


def test_scopes_imply_the_lesser_ones() -> None:
    for scope, implied in IMPLIED.items():
        assert scope in implied
        for lesser in implied:
            assert IMPLIED[lesser] <= implied
    assert IMPLIED["admin"] == set(IMPLIED)


def test_a_tokens_principal_has_all_that_its_scopes_imply() -> None:
    token = Token(id="1", name="ci", scopes=["run"], apps=["shop"], expires_at=None, created_at=0)
    principal = of_token(token)
    assert (principal.may("read"), principal.may("run"), principal.may("deploy")) == (
        True,
        True,
        False,
    )
    assert (principal.knows("shop"), principal.knows("other")) == (True, False)


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {46}


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("main", True),
        ("release/1.2", True),
        ("a-b_c", True),
        ("ü", True),
        ("", False),
        ("-x", False),
        ("a..b", False),
        ("a b", False),
        ("a~1", False),
        ("a.lock", False),
        ("a/.b", False),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("@", False),
        ("a@{b", False),
        ("a.", False),
        ("a\x01", False),
        ("x" * 300, False),
    ],
)
def test_branch_names_follow_gits_rules(name: str, good: bool) -> None:
    assert branch_name(name) is good


def test_credentials_are_cut_out_of_addresses() -> None:
    assert without_credentials("https://u:p@h:1/r.git") == "https://h:1/r.git"
    assert without_credentials("https://h/a@b") == "https://h/a@b"
    assert without_credentials("nothing") == "nothing"


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["continuous", "triggered"]), st.text(min_size=1, max_size=12)),
        st.sampled_from(["", "202601010000000000:o1.e2", "1:o0.e0,2:o5.e0"]),
        max_size=4,
    )
)
@settings(deadline=None, max_examples=200)
def test_a_log_streams_id_holds_every_place(cursors: dict[Any, str]) -> None:
    cursors = {
        (kind, job.encode("utf-8", "replace").decode()): at for (kind, job), at in cursors.items()
    }
    text = make_id(cursors)
    assert text.isascii()
    assert not set(text) & set("\r\n ")
    assert parse_id(text) == cursors


def entries(*events: tuple[str, dict[str, Any]]) -> list[Entry]:
    records = [
        {"ts": "t", "level": "info", "event": event, "app": "a", **fields}
        for event, fields in events
    ]
    return [Entry((number + 1) * 10, record) for number, record in enumerate(records)]


def test_a_builds_output_is_behind_its_command() -> None:
    log = entries(
        ("build.command", {"command": "make"}),
        ("build.output", {"line": "one"}),
        ("build.output", {"line": "two"}),
        ("build.command", {"command": "true"}),
        ("deploy.failed", {"what": "It broke.", "fix": "Mend it.", "step": "build", "tail": []}),
    )
    shown = log_entries(log, lambda entry: f"/log/{entry}")
    assert [entry.details_url for entry in shown] == ["/log/10", None, None]
    assert [line.message for line in details(log, 10) or []] == ["one", "two"]
    assert details(log, 40) == []
    assert details(log, 11) is None
