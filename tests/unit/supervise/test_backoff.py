from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.supervise.backoff import HEALTHY, after_end


def delays(*ran: float, base: float = 60.0) -> list[float]:
    failures, found = 0, []
    for seconds in ran:
        delay, failures = after_end(seconds, failures, base)
        found.append(delay)
    return found


def test_an_early_end_waits_the_restart_time() -> None:
    assert delays(0.2) == [60.0]


def test_a_process_that_ran_longer_than_two_minutes_starts_at_once() -> None:
    assert delays(121.0) == [0.0]


def test_early_ends_in_a_row_wait_half_as_long_again_each_up_to_ten_times() -> None:
    assert delays(*[1.0] * 9) == [
        60.0,
        90.0,
        135.0,
        202.5,
        303.75,
        455.625,
        600.0,
        600.0,
        600.0,
    ]


def test_health_resets_the_growth() -> None:
    assert delays(1.0, 1.0, 1.0, 130.0, 1.0) == [60.0, 90.0, 135.0, 0.0, 60.0]


def test_a_base_of_zero_still_lets_the_machine_breathe() -> None:
    assert delays(0.0, base=0.0) == [0.1]


@settings(deadline=None, max_examples=200)
@given(
    ran=st.lists(st.floats(0, 1000), max_size=200),
    base=st.floats(0, 86_400),
)
def test_a_delay_is_never_longer_than_ten_times_the_base_nor_negative(
    ran: list[float], base: float
) -> None:
    failures = 0
    for seconds in ran:
        delay, failures = after_end(seconds, failures, base)
        assert 0 <= delay <= max(base, 0.1) * 10 + 0.001
        assert (delay == 0) == (seconds > HEALTHY)
