"""settings.job: messages name key, value and reason; whatever comes in, nothing is raised."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import (
    JobSettings,
    Reference,
    check_settings,
    parse_action,
    parse_recurrence,
    parse_settings,
)

FILE = "App_Data/jobs/triggered/mail/settings.job"


def problems(text: str | bytes) -> list[tuple[str | None, str | None, str, str]]:
    data = text.encode() if isinstance(text, str) else text
    _, found = parse_settings(data, FILE)
    assert all(each.file == FILE and each.job == "mail" for each in found)
    return [(each.key, each.value, each.reason, each.fix) for each in found]


def test_known_keys_are_typed_and_unknown_ones_kept() -> None:
    text = {
        "schedule": "0 0 * * * *",
        "timezone": "Asia/Seoul",
        "is_singleton": True,
        "is_in_place": False,
        "stopping_wait_time": 60,
        "restart_time": 1.5,
        "timeout": 3600,
        "ours": {"kept": [1, None]},
    }
    found, wrong = parse_settings(json.dumps(text).encode(), FILE)
    assert wrong == []
    assert found == JobSettings(
        schedule="0 0 * * * *",
        timezone="Asia/Seoul",
        is_singleton=True,
        is_in_place=False,
        stopping_wait_time=60.0,
        restart_time=1.5,
        timeout=3600.0,
        raw=text,
    )


def test_a_recurrence_an_action_and_what_overlaps_are_read() -> None:
    action = {
        "request": {
            "method": "POST",
            "uri": "https://example.com/",
            "authentication": {"type": "Bearer", "token": {"setting": "TOKEN"}},
        }
    }
    text = {
        "recurrence": {"frequency": "day", "schedule": {"hours": [9], "minutes": [0]}},
        "timezone": "Asia/Seoul",
        "overlap": "Queue",
        "action": action,
    }
    found, wrong = parse_settings(json.dumps(text).encode(), FILE)
    assert wrong == []
    assert found == JobSettings(
        recurrence=parse_recurrence(text["recurrence"], timezone="Asia/Seoul"),
        timezone="Asia/Seoul",
        overlap="queue",
        action=parse_action(action),
        raw=text,
    )
    assert found.recurrence is not None
    assert found.recurrence.timezone == "Asia/Seoul"
    assert found.action is not None
    assert found.action.request.authentication is not None
    assert found.action.request.authentication.token == Reference(setting="TOKEN")
    again = msgspec.json.decode(msgspec.json.encode(found), type=JobSettings)
    assert again == found


def test_a_schedule_and_a_recurrence_are_one_too_many() -> None:
    text = b'{"schedule": "@daily", "recurrence": {"frequency": "day"}}'
    found, wrong = parse_settings(text, FILE)
    assert (found.schedule, found.recurrence) == (None, None)
    ((key, _, reason, fix),) = problems(text)
    assert [each.key for each in wrong] == [key] == ["recurrence"]
    assert reason == "a job has a schedule or a recurrence, not both"
    assert fix == "Remove one of them."


def test_a_wrong_place_within_a_value_is_named_with_its_path() -> None:
    text = b'{"recurrence": {"frequency": "day", "schedule": {"hours": [9, 25]}}, "overlap": 1}'
    assert [(key, value) for key, value, _, _ in problems(text)] == [
        ("recurrence.schedule.hours[1]", "25"),
        ("overlap", "1"),
    ]
    found, _ = parse_settings(text, FILE)
    assert (found.recurrence, found.overlap) == (None, "drop")


def test_a_recurrence_in_an_unknown_zone_is_not_followed_elsewhere() -> None:
    found, wrong = check_settings({"recurrence": {"frequency": "day"}, "timezone": "Mars"})
    assert found.recurrence is None
    assert [each.key for each in wrong] == ["timezone"]


def test_a_secret_in_the_file_is_refused_and_not_shown() -> None:
    request = {"method": "GET", "uri": "https://example.com/"}
    secrets = {
        "request.authentication.password": {
            "authentication": {"type": "Basic", "username": "u", "password": "s3cret"}
        },
        "request.headers.authorization": {"headers": {"Authorization": "s3cret"}},
    }
    for place, given_secret in secrets.items():
        text = json.dumps({"action": {"request": request | given_secret}})
        ((key, value, reason, fix),) = problems(text)
        assert key == f"action.{place}"
        assert "secret" in reason
        assert '{"setting": "NAME"}' in fix
        assert "s3cret" not in f"{value}{reason}{fix}"
        assert parse_settings(text.encode(), FILE)[0].action is None


def test_a_byte_order_mark_is_no_fault() -> None:
    found, wrong = parse_settings(b'\xef\xbb\xbf{"is_singleton": true}', FILE)
    assert wrong == []
    assert found.is_singleton


def test_null_is_the_default() -> None:
    found, wrong = parse_settings(b'{"schedule": null, "is_singleton": null}', FILE)
    assert wrong == []
    assert (found.schedule, found.is_singleton) == (None, False)


@pytest.mark.parametrize(
    ("text", "key", "value", "reason"),
    [
        ('{"is_singleton": "yes"}', "is_singleton", '"yes"', "true or false is expected, not a text"),
        ('{"schedule": 5}', "schedule", "5", "a text is expected, not a number"),
        ('{"schedule": true}', "schedule", "true", "a text is expected, not true or false"),
        ('{"timeout": "5"}', "timeout", '"5"', "a number of seconds is expected, not a text"),
        ('{"timeout": true}', "timeout", "true", "a number of seconds is expected, not true or false"),
        ('{"stopping_wait_time": -1}', "stopping_wait_time", "-1", "isn't between 0 and"),
        ('{"timezone": "Mars"}', "timezone", '"Mars"', "it isn't a time zone"),
        ('{"schedule": "0 0 25 * * *"}', "schedule", '"0 0 25 * * *"', "hour (character 5): 25 is above 23"),
        ('{"schedule": "* * * * *"}', "schedule", '"* * * * *"', "it has 5 fields"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_its_key_and_reason(
    text: str, key: str, value: str, reason: str
) -> None:
    ((found_key, found_value, found_reason, fix),) = problems(text)
    assert (found_key, found_value) == (key, value)
    assert reason in found_reason
    assert fix
    assert getattr(parse_settings(text.encode(), FILE)[0], key) == getattr(JobSettings(), key)


def test_five_fields_come_with_the_six_field_spelling() -> None:
    ((_, _, _, fix),) = problems('{"schedule": "*/10 * * * *"}')
    assert '"0 */10 * * * *"' in fix


def test_a_schedule_in_an_unknown_zone_is_not_followed_elsewhere() -> None:
    found, wrong = parse_settings(b'{"schedule": "0 0 9 * * *", "timezone": "Mars"}', FILE)
    assert found.schedule is None
    assert [each.key for each in wrong] == ["timezone"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "it isn't JSON at line 3, column 3"),
        ("{'a': 1}", "it isn't JSON at line 1, column 2"),
        ("", "it is empty"),
        ("[1]", "an object is expected, not a list"),
        ('"x"', "an object is expected, not a text"),
        ("null", "an object is expected, not null"),
        ('{"a": NaN}', "NaN isn't JSON"),
        ('{"a": 1e999}', "beyond a number's range"),
        ('{"a": ' + "9" * 5000 + "}", "can't be stored"),
        ('{"a": "\\ud800"}', "can't be stored"),
        ('{"a":' * 9 + "1" + "}" * 9, "nested deeper than 8"),
        ("[" * 60000, "nested deeper than 8"),
        ('{"a": "' + "x" * 70000 + '"}', "more than 65536"),
    ],
)
def test_what_is_no_settings_object_says_why(text: str, reason: str) -> None:
    ((key, value, found, fix),) = problems(text)
    assert (key, value) == (None, None)
    assert reason in found
    assert fix


def test_other_encodings_are_named() -> None:
    ((_, _, reason, fix),) = problems('{"a": "é"}'.encode("latin-1"))
    assert reason == "byte 8 isn't UTF-8"
    assert "UTF-8" in fix
    assert "byte 1 isn't UTF-8" in problems('{"a": 1}'.encode("utf-16"))[0][2]


def test_eight_levels_are_allowed_and_brackets_in_texts_do_not_count() -> None:
    assert problems('{"a":' * 8 + "1" + "}" * 8) == []
    assert problems(json.dumps({"a": "[" * 100 + '"{' * 50})) == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
keys = st.sampled_from(
    [
        "schedule",
        "timezone",
        "is_singleton",
        "is_in_place",
        "stopping_wait_time",
        "timeout",
        "x",
        "recurrence",
        "overlap",
        "action",
    ]
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(keys, values))
def test_any_object_gives_settings_that_can_be_stored(value: dict[str, Any]) -> None:
    found, wrong = parse_settings(json.dumps(value).encode(), FILE)
    again = msgspec.json.decode(msgspec.json.encode(found), type=JobSettings)
    assert again == found
    for each in wrong:
        msgspec.json.encode(each)
        assert each.reason


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=200)
    | st.text(st.sampled_from('{}[]":,0a\\ntrue'), max_size=60).map(str.encode)
)
def test_any_bytes_give_settings_or_a_problem(data: bytes) -> None:
    found, wrong = parse_settings(data, FILE)
    assert wrong or isinstance(found.raw, dict)
    msgspec.json.encode(found)
