from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime, to_datetime
from gitdeploy.supervise.overdue import LIMIT, Overdue, next_due, overdue

SECOND = 1_000_000


class Every:
    """Due at each multiple of some seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def next(self, after: datetime) -> datetime | None:
        whole = from_datetime(after) // (self.seconds * SECOND) + 1
        return to_datetime(0) + timedelta(seconds=whole * self.seconds)


class Never:
    def next(self, after: datetime) -> datetime | None:
        return None


def test_a_schedule_that_is_never_due_has_nothing_overdue() -> None:
    assert overdue(Never(), 0, 10 * SECOND) is None
    assert next_due(Never(), 0) is None


def test_the_end_of_the_span_counts_its_begin_does_not() -> None:
    assert overdue(Every(10), 10 * SECOND, 30 * SECOND) == Overdue(2, 30 * SECOND, 20 * SECOND)
    assert overdue(Every(10), 10 * SECOND, 29 * SECOND) == Overdue(1, 20 * SECOND, None)
    assert overdue(Every(10), 10 * SECOND, 19 * SECOND) is None


def test_a_year_of_seconds_is_told_as_many_with_its_true_last_ones() -> None:
    year = 365 * 86_400 * SECOND
    found = overdue(Every(1), 0, year)
    assert found == Overdue(LIMIT, year, year - SECOND)
    assert found.many == "10000 or more"


def test_many_due_times_of_a_rare_schedule_still_end_with_the_last() -> None:
    now = 20_000 * 3600 * SECOND + 5
    found = overdue(Every(3600), 0, now)
    assert found is not None
    assert (found.latest, found.before_latest) == (20_000 * 3600 * SECOND, 19_999 * 3600 * SECOND)


@settings(deadline=None, max_examples=200)
@given(
    every=st.integers(1, 5000),
    after=st.integers(0, 10**6),
    span=st.integers(0, 10**6),
)
def test_the_count_is_what_arithmetic_says(every: int, after: int, span: int) -> None:
    now = after + span
    expected = now // every - after // every
    found = overdue(Every(every), after * SECOND, now * SECOND)
    if expected == 0:
        assert found is None
        return
    assert found is not None
    assert found.total == min(expected, LIMIT)
    if expected < LIMIT:
        assert found.latest == now // every * every * SECOND
