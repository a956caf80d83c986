from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.outbox.backoff import DAY, delay, next_try, retry_after


def test_the_pauses_grow_from_ten_seconds_to_an_hour() -> None:
    assert [delay(tries, 10) for tries in range(1, 9)] == [10, 30, 60, 300, 900, 3600, 3600, 3600]


def test_it_is_tried_for_a_day_and_then_no_more() -> None:
    now, tries, first = 7_000_000, 0, 7_000_000
    while True:
        tries += 1
        at = next_try(tries, first_at=first, now=now, base=10)
        if at is None:
            break
        assert at > now
        now = at
    assert 23 * 3600e6 <= now - first <= DAY * 1e6
    assert tries == 29


def test_a_receiver_that_asks_for_time_gets_up_to_an_hour() -> None:
    assert next_try(1, first_at=0, now=0, base=10, asked=120) == 120_000_000
    assert next_try(1, first_at=0, now=0, base=10, asked=1) == 10_000_000
    assert next_try(1, first_at=0, now=0, base=10, asked=1e9) == 3600_000_000


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [
        (503, "120", 120.0),
        (429, " 7 ", 7.0),
        (500, "120", None),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (503, "-5", None),
        (503, "٣", None),
        (None, "5", None),
    ],
)
def test_retry_after_is_read_where_it_means_something(
    status: int | None, value: str, seconds: float | None
) -> None:
    assert retry_after(status, [("Server", "x"), ("retry-after", value)]) == seconds


@settings(deadline=None, max_examples=100)
@given(st.integers(-5, 10**6), st.floats(0, 10**5))
def test_no_pause_is_so_short_that_it_spins(tries: int, base: float) -> None:
    assert delay(tries, base) >= 0.01
