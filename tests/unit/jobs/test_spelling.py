"""The two spellings of a schedule: what one says of the other is due at the same times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import (
    RecurrenceSchedule,
    Schedule,
    ScheduleError,
    from_ncrontab,
    parse_recurrence,
    to_ncrontab,
)

ANCHOR = datetime(2026, 3, 5, 12, 25, 37, 500_000, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Seoul"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def some(low: int, high: int) -> st.SearchStrategy[list[int]]:
    spread = st.integers(1, high).map(lambda width: list(range(low, high + 1, width)))
    return spread | st.lists(st.integers(low, high), min_size=1, max_size=4, unique=True)


patterns = {
    "minute": st.fixed_dictionaries({}, optional={"hours": some(0, 23), "minutes": some(0, 59)}),
    "day": st.fixed_dictionaries({}, optional={"hours": some(0, 23), "minutes": some(0, 59)}),
    "week": st.fixed_dictionaries(
        {"weekDays": st.lists(st.sampled_from(DAYS), min_size=1, unique=True)},
        optional={"hours": some(0, 23), "minutes": some(0, 59)},
    ),
    "month": st.fixed_dictionaries(
        {},
        optional={
            "hours": some(0, 23),
            "minutes": some(0, 59),
            "monthDays": st.lists(st.sampled_from([-1, 1, 2, 15, 28, 31]), min_size=1),
            "monthlyOccurrences": st.lists(
                st.fixed_dictionaries(
                    {"day": st.sampled_from(DAYS)},
                    optional={"occurrence": st.sampled_from([1, 2, 3, 4, 5, -1])},
                ),
                min_size=1,
                max_size=3,
            ),
        },
    ),
}
patterns["hour"] = patterns["minute"]
recurrences = st.sampled_from(sorted(patterns)).flatmap(
    lambda frequency: st.fixed_dictionaries(
        {"frequency": st.just(frequency), "interval": st.sampled_from([1, 2, 3, 4, 5, 6, 12, 120])},
        optional={"schedule": patterns[frequency], "startTime": st.just("2025-11-30T23:59:58")},
    )
)


@settings(deadline=None, max_examples=300)
@given(recurrences, st.sampled_from(ZONES), st.integers(0, 400))
def test_an_expression_made_of_a_recurrence_is_due_at_the_same_times(
    value: dict[str, Any], zone: str, days: int
) -> None:
    recurrence = parse_recurrence(value, timezone=zone)
    expression = to_ncrontab(recurrence, ANCHOR)
    assume(expression is not None)
    assert expression is not None
    after = ANCHOR + timedelta(days=days)
    ours = RecurrenceSchedule.of(recurrence, ANCHOR).occurrences(after, 30)
    assert ours == Schedule.parse(expression, zone).occurrences(after, 30)
    regardless = to_ncrontab(recurrence)
    assert regardless in (expression, None)
    if "startTime" in value:
        assert regardless == expression


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pairs = st.tuples(number, number).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    steps = st.integers(1, high).map(lambda width: f"*/{width}")
    return (
        st.just("*")
        | steps
        | st.lists(number.map(str) | pairs, min_size=1, max_size=3).map(",".join)
    )


days = field(1, 31) | st.sampled_from(["L", "1,L", "LW", "1-31,L"])
weekdays = field(0, 6) | st.sampled_from(["5L", "MON#2", "MON#2,5L,SUN", "7", "1-7", "*,MON#1"])
months = field(1, 12) | st.sampled_from(["*/3", "2/6", "7", "2,5,8,11"])


@settings(deadline=None, max_examples=300)
@given(
    st.tuples(field(0, 59), field(0, 59), field(0, 23), days, months, weekdays).map(" ".join),
    st.sampled_from(ZONES),
    st.integers(0, 400),
)
def test_a_recurrence_made_of_an_expression_is_due_at_the_same_times(
    expression: str, zone: str, later: int
) -> None:
    try:
        schedule = Schedule.parse(expression, zone)
        recurrence = from_ncrontab(expression, zone)
    except ScheduleError:
        assume(False)
    assume(recurrence is not None)
    assert recurrence is not None
    after = ANCHOR + timedelta(days=later)
    expected = schedule.occurrences(after, 20)
    assert RecurrenceSchedule.of(recurrence, ANCHOR).occurrences(after, 20) == expected
    again = to_ncrontab(recurrence)
    assert again is not None
    assert Schedule.parse(again, zone).occurrences(after, 20) == expected


@pytest.mark.parametrize(
    ("expression", "recurrence"),
    [
        ("0 30 2 * * *", {"frequency": "day", "schedule": {"hours": [2], "minutes": [30]}}),
        ("0 0 * * * *", {"frequency": "day", "schedule": {"minutes": [0]}}),
        ("0 */15 * * * *", {"frequency": "day", "schedule": {"minutes": [0, 15, 30, 45]}}),
        (
            "0 0 9 * * 1-5",
            {"frequency": "week", "schedule": {"hours": [9], "minutes": [0], "weekDays": DAYS[:5]}},
        ),
        (
            "0 0 6 1,L * *",
            {
                "frequency": "month",
                "schedule": {"hours": [6], "minutes": [0], "monthDays": [-1, 1]},
            },
        ),
        (
            "0 0 6 * * 1#2",
            {
                "frequency": "month",
                "schedule": {
                    "hours": [6],
                    "minutes": [0],
                    "monthlyOccurrences": [{"day": "monday", "occurrence": 2}],
                },
            },
        ),
        (
            "0 0 6 15 2/3 *",
            {
                "frequency": "month",
                "interval": 3,
                "startTime": "1970-02-01",
                "schedule": {"hours": [6], "minutes": [0], "monthDays": [15]},
            },
        ),
    ],
)
def test_both_say_the_same(expression: str, recurrence: dict[str, Any]) -> None:
    parsed = parse_recurrence(recurrence, timezone="UTC")
    assert to_ncrontab(parsed) == expression
    assert from_ncrontab(expression, "UTC") == parsed


@pytest.mark.parametrize("expression", ["0 0 9 LW * *", "0 0 9 1 1,2 *", "0 0 9 * 1,3,8 MON"])
def test_what_no_recurrence_can_say(expression: str) -> None:
    assert from_ncrontab(expression, "UTC") is None


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"startTime": "2027-01-01"},
        {"frequency": "day", "count": 3, "schedule": {"hours": [1]}},
        {"frequency": "day", "endTime": "2027-01-01", "schedule": {"hours": [1]}},
        {"frequency": "day", "interval": 2},
        {"frequency": "week", "interval": 2},
        {"frequency": "minute", "interval": 7},
        {"frequency": "month", "schedule": {"monthDays": [-2]}},
        {"frequency": "month", "schedule": {"monthlyOccurrences": {"day": "friday", "occurrence": -2}}},
        {"frequency": "month", "interval": 12, "startTime": "2026-02-01", "schedule": {"monthDays": 30}},
    ],
)  # fmt: skip
def test_what_no_expression_can_say(value: dict[str, Any]) -> None:
    assert to_ncrontab(parse_recurrence(value, timezone="UTC"), ANCHOR) is None


def test_real_time_is_said_only_where_clocks_are_not_changed() -> None:
    value = {"frequency": "minute", "interval": 15, "startTime": "2026-01-01T00:05"}
    assert to_ncrontab(parse_recurrence(value, timezone="Asia/Seoul")) == "0 5/15 * * * *"
    assert to_ncrontab(parse_recurrence(value, timezone="Europe/Berlin")) is None


def test_what_hangs_on_an_unknown_start_is_not_said() -> None:
    daily = parse_recurrence({"frequency": "day"}, timezone="UTC")
    assert to_ncrontab(daily) is None
    assert to_ncrontab(daily, ANCHOR) == "38 25 12 * * *"
    assert to_ncrontab(parse_recurrence({"frequency": "minute"}, timezone="UTC")) is None


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(ScheduleError):
        from_ncrontab("0 0 25 * * *")
