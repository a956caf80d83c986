"""Execution ids: Kudu's form, unique, ascending."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime
from gitdeploy.jobs import execution_id, next_execution_id

NOW = from_datetime(datetime(2026, 11, 23, 21, 20, 39, 123456, tzinfo=UTC))
instants = st.integers(0, from_datetime(datetime(2999, 1, 1, tzinfo=UTC)))


def test_an_id_is_utc_time_to_a_tenth_of_a_millisecond() -> None:
    assert execution_id(NOW) == "202611232120391234"


def test_two_in_one_tick_are_two() -> None:
    first = execution_id(NOW)
    second = next_execution_id(first, NOW)
    assert (first, second) == ("202611232120391234", "202611232120391235")
    assert next_execution_id("202612312359599999", NOW) == "202701010000000000"


@settings(deadline=None, max_examples=200)
@given(st.lists(instants, min_size=2, max_size=20))
def test_whatever_the_clock_does_ids_ascend(times: list[int]) -> None:
    ids = [execution_id(times[0])]
    for now in times[1:]:
        ids.append(next_execution_id(ids[-1], now))
    assert ids == sorted(set(ids))
    assert all(len(each) == 18 and each.isdigit() for each in ids)


@settings(deadline=None, max_examples=100)
@given(instants, instants)
def test_ids_sort_by_time(one: int, two: int) -> None:
    assert (execution_id(one) < execution_id(two)) == (one // 100 < two // 100)
