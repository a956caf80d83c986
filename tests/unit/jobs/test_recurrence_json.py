"""A recurrence out of JSON: what is taken, and refusals that name path, value, reason, remedy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import (
    MonthlyOccurrence,
    Pattern,
    Recurrence,
    SettingError,
    parse_recurrence,
)


def test_the_pages_own_example_is_taken() -> None:
    value = {
        "frequency": "week",
        "interval": 1,
        "schedule": {"weekDays": ["monday", "wednesday", "friday"], "hours": [10, 22]},
        "count": 10,
        "endTime": "2012-11-04",
    }
    assert parse_recurrence(value) == Recurrence(
        frequency="week",
        count=10,
        end_time=datetime(2012, 11, 4),
        schedule=Pattern(week_days=("monday", "wednesday", "friday"), hours=(10, 22)),
    )


def test_single_values_any_case_and_any_order_are_taken() -> None:
    value = {
        "Frequency": "Month",
        "startTime": "2012-08-04T00:00Z",
        "Schedule": {
            "HOURS": [22, 10, 10],
            "minutes": 0,
            "monthDays": -1,
            "monthlyOccurrences": {"Day": "Friday", "Occurrence": 1},
        },
        "timeZone": "Asia/Seoul",
        "count": None,
    }
    assert parse_recurrence(value) == Recurrence(
        frequency="month",
        start_time=datetime(2012, 8, 4, tzinfo=UTC),
        schedule=Pattern(
            hours=(10, 22),
            minutes=(0,),
            month_days=(-1,),
            monthly_occurrences=(MonthlyOccurrence(day="friday", occurrence=1),),
        ),
        timezone="Asia/Seoul",
    )


def test_the_zone_beside_it_counts_where_it_names_none() -> None:
    assert parse_recurrence({}, timezone="Asia/Seoul").timezone == "Asia/Seoul"
    inner = {"timezone": "Asia/Seoul"}
    assert parse_recurrence(inner).timezone == "Asia/Seoul"
    assert parse_recurrence(inner, timezone="Asia/Seoul").timezone == "Asia/Seoul"


def test_times_are_cut_to_seconds_and_offsets_kept() -> None:
    found = parse_recurrence({"startTime": "2026-11-23T21:20:39.987654+09:00"}).start_time
    assert found is not None
    assert (found.second, found.microsecond, found.utcoffset()) == (39, 0, timedelta(hours=9))


@pytest.mark.parametrize(
    ("value", "key", "shown", "reason", "fix"),
    [
        ([], "", "[]", "an object is expected, not a list", '{"frequency"'),
        ({"frequency": "fortnight"}, ".frequency", '"fortnight"', "isn't one of minute, hour", '"month"'),
        ({"frequency": "year"}, ".frequency", '"year"', "years aren't counted", '"interval": 12'),
        ({"frequency": "Second"}, ".frequency", '"Second"', "seconds aren't counted", '"minute"'),
        ({"frequency": 5}, ".frequency", "5", "a text is expected, not a number", "quotes"),
        ({"interval": 2}, ".interval", "2", 'needs a "frequency"', '"day"'),
        ({"endTime": "2030-01-01"}, ".endTime", '"2030-01-01"', 'needs a "frequency"', '"day"'),
        ({"frequency": "day", "interval": 0}, ".interval", "0", "it is below 1", "1 to 1000"),
        ({"frequency": "day", "interval": 1001}, ".interval", "1001", "it is above 1000", "1 to 1000"),
        ({"frequency": "day", "interval": True}, ".interval", "true", "not true or false", "1 to 1000"),
        ({"frequency": "day", "interval": 1.5}, ".interval", "1.5", "a whole number is expected", "1 to"),
        ({"frequency": "day", "count": 0}, ".count", "0", "it is below 1", "1 to 10000"),
        ({"frequency": "day", "count": 10001}, ".count", "10001", "it is above 10000", "endTime"),
        ({"startTime": "tomorrow"}, ".startTime", '"tomorrow"', "isn't a date and time", "ISO 8601"),
        ({"startTime": 1764000000}, ".startTime", "1764000000", "a text is expected", "quotes"),
        ({"startTime": "0001-01-01T00:00+14:00"}, ".startTime", '"0001-01-01T00:00+14:00"', "", ""),
        ({"startTime": "9999-12-31"}, ".startTime", '"9999-12-31"', "between the years", "year"),
        (
            {"frequency": "day", "startTime": "2026-01-02", "endTime": "2026-01-01T23:00Z"},
            ".endTime", '"2026-01-01T23:00Z"', "it is before startTime", "later",
        ),
        ({"timezone": "Mars"}, ".timezone", '"Mars"', "isn't a time zone", "Asia/Seoul"),
        ({"frequncy": "day"}, ".frequncy", '"day"', "isn't known here", 'Write "frequency"'),
        ({"xyz": "on"}, ".xyz", '"on"', "isn't known here", "Known are count, endTime"),
        ({"frequency": "day", "Frequency": "day"}, ".Frequency", '"day"', "given twice", "Remove one"),
        ({"frequency": "day", "schedule": []}, ".schedule", "[]", "an object is expected", "hours"),
        ({"frequency": "day", "schedule": {"hour": [5]}}, ".schedule.hour", "[5]", "isn't known", '"hours"'),
        ({"frequency": "day", "schedule": {"hours": []}}, ".schedule.hours", "[]", "it is empty", "Remove"),
        ({"frequency": "day", "schedule": {"hours": [5, 24]}}, ".schedule.hours[1]", "24", "above 23", "0 to 23"),
        ({"frequency": "day", "schedule": {"minutes": "5"}}, ".schedule.minutes", '"5"', "not a text", "0 to 59"),
        ({"frequency": "day", "schedule": {"seconds": [5]}}, ".schedule.seconds", "[5]", 'need "minutes"', "[0]"),
        (
            {"frequency": "day", "schedule": {"weekDays": ["monday"]}},
            ".schedule.weekDays", '["monday"]', 'it needs "frequency": "week"', "remove",
        ),
        (
            {"frequency": "week", "schedule": {"monthDays": [1]}},
            ".schedule.monthDays", "[1]", 'it needs "frequency": "month"', "remove",
        ),
        ({"frequency": "week", "schedule": {"weekDays": "mon"}}, ".schedule.weekDays", '"mon"', "isn't one of", '"monday"'),
        ({"frequency": "month", "schedule": {"monthDays": [1, 0]}}, ".schedule.monthDays", "[1, 0]", "no day 0", "-1"),
        ({"frequency": "month", "schedule": {"monthDays": [-32]}}, ".schedule.monthDays[0]", "-32", "below -31", "31"),
        (
            {"frequency": "month", "schedule": {"monthlyOccurrences": [{"day": "friday", "occurrence": 0}]}},
            ".schedule.monthlyOccurrences[0].occurrence", "0", "no occurrence 0", "-5",
        ),
        (
            {"frequency": "month", "schedule": {"monthlyOccurrences": [{"occurrence": 1}]}},
            ".schedule.monthlyOccurrences[0]", '{"occurrence": 1}', '"day" is missing', "friday",
        ),
        (
            {"frequency": "month", "schedule": {"monthlyOccurrences": ["friday"]}},
            ".schedule.monthlyOccurrences[0]", '"friday"', "an object is expected", "friday",
        ),
    ],
)  # fmt: skip
def test_a_refusal_names_path_value_reason_and_remedy(
    value: Any, key: str, shown: str, reason: str, fix: str
) -> None:
    with pytest.raises(SettingError) as caught:
        parse_recurrence(value)
    error = caught.value
    assert (error.key, error.value) == (f"recurrence{key}", shown)
    assert reason in error.reason
    assert fix in error.fix
    assert error.fix
    assert not error.reason.endswith(".")


def test_two_zones_are_refused() -> None:
    with pytest.raises(SettingError) as caught:
        parse_recurrence({"timezone": "Asia/Seoul"}, timezone="Europe/Berlin")
    assert caught.value.reason == "the time zone beside it is Europe/Berlin"


keys = st.sampled_from(
    [
        "frequency",
        "interval",
        "startTime",
        "endTime",
        "count",
        "schedule",
        "timezone",
        "seconds",
        "minutes",
        "hours",
        "weekDays",
        "monthDays",
        "monthlyOccurrences",
        "day",
        "occurrence",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-40, 70)
    | st.floats(allow_nan=False)
    | st.sampled_from(["day", "week", "month", "minute", "monday", "2026-01-01T00:00", "UTC"])
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(keys, values, max_size=5) | values)
def test_anything_is_a_recurrence_or_a_refusal_with_a_remedy(value: Any) -> None:
    given_value = json.loads(json.dumps(value))
    try:
        found = parse_recurrence(given_value)
    except SettingError as error:
        assert error.key.startswith("recurrence")
        assert error.reason
        assert error.fix
    else:
        assert isinstance(found, Recurrence)
