"""Which hooks an app may have, and what of them is shown to whom."""

from __future__ import annotations

from typing import Any

import pytest

from gitdeploy.errors import Conflict, Invalid
from gitdeploy.store import Hook
from gitdeploy.web.fetch_records import superseded_text
from gitdeploy.web.kudu.hook_rules import Wanted, canonical, check_event, check_wanted, fitting
from gitdeploy.web.kudu.hook_view import address

URL = "https://example.org/in"


def hook(name: str = "new", **changes: Any) -> Hook:
    values: dict[str, Any] = {
        "app": "shop",
        "id": name,
        "event": "PostDeployment",
        "url": URL,
        "way": "{}",
        "created_at": 1,
        "who": "ada",
    }
    return Hook(**{**values, **changes})


def test_a_new_address_is_a_new_hook() -> None:
    assert fitting(hook(), []) is None
    assert fitting(hook(), [hook("old", url=f"{URL}/other")]) is None


def test_the_same_address_and_event_are_the_same_hook_in_any_case() -> None:
    old = hook("old")
    assert fitting(hook(url=URL.upper(), event="POSTDEPLOYMENT"), [old]) is old
    assert fitting(hook(insecure_ssl=True), [old]) is old


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"event": "JobCrashed"}, {}),
        ({"secret": "a"}, {}),
        ({}, {"secret": "a"}),
        ({"format": "slack"}, {}),
        ({"format": "slack"}, {"format": "cloudevents"}),
    ],
)
def test_an_address_that_would_say_two_things_is_a_conflict(
    new: dict[str, Any], old: dict[str, Any]
) -> None:
    with pytest.raises(Conflict) as refused:
        fitting(hook(**new), [hook("old", **old)])
    assert "old" in refused.value.what


def test_in_the_formats_of_ours_an_address_has_several_events() -> None:
    old = [hook("a", format="slack"), hook("b", format="cloudevents", event="Custom")]
    assert fitting(hook(format="slack", event="JobCrashed"), old) is None
    assert fitting(hook(event="JobCrashed"), old) is None


def test_there_is_an_end_to_the_number_of_hooks() -> None:
    many = [hook(str(n), url=f"{URL}/{n}") for n in range(50)]
    with pytest.raises(Conflict):
        fitting(hook(), many)
    assert fitting(hook(url=f"{URL}/3"), many) is many[3]
    assert fitting(hook(), many[1:]) is None


def test_events_of_ours_have_one_spelling_and_others_their_own() -> None:
    assert canonical("jobcrashed") == "JobCrashed"
    assert canonical("lunch") == "lunch"


@pytest.mark.parametrize("event", ["", " ", "a b", "-x", "é", "x" * 101, "a/b", "a\n"])
def test_a_name_that_cant_be_a_header_or_a_path_is_no_event(event: str) -> None:
    with pytest.raises(Invalid):
        check_event(event)


def test_a_good_hook_passes() -> None:
    check_wanted(Wanted(url=URL, event="x" * 100, secret="s" * 256), URL)


@pytest.mark.parametrize(
    ("url", "whole", "part"),
    [
        (URL, URL, "https://example.org/***"),
        (
            "http://ada:pw%40x@example.org:81/in?code=1",
            "http://ada:***@example.org:81/in?code=1",
            "http://example.org:81/***",
        ),
        (
            "http://token@[2001:db8::1]/x",
            "http://***@[2001:db8::1]/x",
            "http://[2001:db8::1]/***",
        ),
    ],
)
def test_an_address_is_shown_without_its_password_and_to_readers_without_the_rest(
    url: str, whole: str, part: str
) -> None:
    assert address(url, whole=True) == whole
    assert address(url, whole=False) == part


def test_what_another_one_came_before_is_known_to_the_trigger_by_its_words() -> None:
    # store/migrations/0008_hooks_of_deployments.sql leaves these out
    assert superseded_text("abc").startswith("Superseded by ")
