"""What a form says of a schedule is what its settings say, there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import check_settings
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.jobform.numbers import clock, day, listed, shown, whole
from gitdeploy.web.ui.jobform.when import read_when, when_fields

DAYS = ["monday", "tuesday", "friday"]


def patterns() -> st.SearchStrategy[dict[str, Any]]:
    numbers = {
        "hours": st.lists(st.integers(0, 23), min_size=1, unique=True).map(sorted),
        "minutes": st.lists(st.integers(0, 59), min_size=1, unique=True).map(sorted),
    }
    month_days = st.lists(
        st.integers(-31, 31).filter(bool), min_size=1, max_size=9, unique=True
    ).map(sorted)
    weekly = st.fixed_dictionaries(
        {"frequency": st.just("week"), "schedule": st.just({"weekDays": DAYS})}
    )
    monthly = st.fixed_dictionaries(
        {
            "frequency": st.just("month"),
            "schedule": st.fixed_dictionaries({"monthDays": month_days}, optional=numbers),
        }
    )
    daily = st.fixed_dictionaries(
        {
            "frequency": st.sampled_from(["minute", "hour", "day"]),
            "schedule": st.fixed_dictionaries(numbers),
        }
    )
    return st.one_of(weekly, monthly, daily)


@settings(deadline=None, max_examples=150)
@given(pattern=patterns(), interval=st.integers(1, 1000), count=st.none() | st.integers(1, 10_000))
def test_a_recurrence_goes_through_the_form_unchanged(
    pattern: dict[str, Any], interval: int, count: int | None
) -> None:
    recurrence = {**pattern, "interval": interval, **({} if count is None else {"count": count})}
    found, wrong = check_settings({"recurrence": recurrence, "timezone": "Asia/Seoul"})
    assert not wrong
    raw, faults = read_when(Form(when_fields(found)))
    assert not faults
    assert raw == {"recurrence": recurrence, "timezone": "Asia/Seoul"}


@pytest.mark.parametrize(
    "recurrence",
    [
        # pairs that aren't each day with each occurrence
        {
            "frequency": "month",
            "schedule": {
                "monthlyOccurrences": [
                    {"day": "monday", "occurrence": 1},
                    {"day": "friday", "occurrence": -1},
                ]
            },
        },
        {"frequency": "day", "count": 3, "endTime": "2090-01-01"},
    ],
)
def test_what_the_fields_cant_say_is_shown_as_json_and_stays(recurrence: dict[str, Any]) -> None:
    found, wrong = check_settings({"recurrence": recurrence})
    assert not wrong
    fields = when_fields(found)
    assert fields["repeat"] == ["json"]
    assert read_when(Form(fields)) == ({"recurrence": recurrence}, {})


def test_a_start_with_an_offset_is_shown_by_the_zones_own_clock() -> None:
    given = {"frequency": "day", "startTime": "2090-01-02T00:00:00Z"}
    found, _ = check_settings({"recurrence": given, "timezone": "Asia/Seoul"})
    fields = when_fields(found)
    assert (fields["start_date"], fields["start_time"]) == (["2090-01-02"], ["09:00"])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("9", [9]),
        ("9, 17", [9, 17]),
        ("9-11;3", [3, 9, 10, 11]),
        ("9 17", [9, 17]),
        ("24", None),
        ("11-9", None),
        ("9,,", None),
        ("nine", None),
        ("٣", None),
    ],
)
def test_lists_of_numbers_are_read_as_people_type_them(
    text: str, numbers: list[int] | None
) -> None:
    assert listed(text, 0, 23) == numbers


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-31, 59), min_size=1, unique=True).map(sorted))
def test_what_is_shown_is_read_again(numbers: list[int]) -> None:
    assert listed(shown(numbers), -31, 59) == numbers


def test_no_number_day_or_time_is_made_up() -> None:
    assert whole("1.5", 0, 9) is None
    assert whole("-3", -9, 9) == -3
    assert day("2026-02-30") is None
    assert clock("25:00") is None
    assert clock("9:05") is not None
