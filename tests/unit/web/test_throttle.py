"""Failed sign-ins."""

from __future__ import annotations

import pytest

from gitdeploy.web.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> int:
        return int(self.time * 1e6)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        raise AssertionError


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_ten_tries_are_free_and_one_more_comes_every_six_seconds(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(10):
        assert throttle.wait("1.1.1.1") == 0
        throttle.failed("1.1.1.1")
    assert throttle.wait("1.1.1.1") == 6
    clock.time += 5
    assert throttle.wait("1.1.1.1") == 1
    clock.time += 1
    assert throttle.wait("1.1.1.1") == 0
    throttle.failed("1.1.1.1")
    assert throttle.wait("1.1.1.1") == 6
    clock.time += 3600
    for _ in range(10):
        assert throttle.wait("1.1.1.1") == 0
        throttle.failed("1.1.1.1")
    assert throttle.wait("1.1.1.1") > 0


def test_addresses_are_apart_and_a_v6_network_is_one(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(10):
        throttle.failed(f"2001:db8:0:1::{number}")
    assert throttle.wait("2001:db8:0:1::ffff") > 0
    assert throttle.wait("2001:db8:0:2::1") == 0
    assert throttle.wait("1.1.1.1") == 0


def test_what_was_right_is_known_for_an_hour(clock: Clock) -> None:
    throttle = Throttle(clock)
    throttle.succeeded(b"x")
    assert throttle.known(b"x")
    assert not throttle.known(b"y")
    clock.time += 3601
    assert not throttle.known(b"x")


def test_guessing_at_one_token_from_many_addresses_is_one_guesser(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(10):
        throttle.failed(f"10.0.0.{number}", f"gd_12345678-guess-{number}")
    assert throttle.wait("10.0.1.1", "gd_12345678-another") == 6
    assert throttle.wait("10.0.1.1", "gd_87654321-another") == 0, "another token"
    assert throttle.wait("10.0.1.1") == 0
    assert throttle.wait("10.0.0.1") == 0, "that address itself has tries left"


def test_secrets_too_short_to_be_tokens_share_nothing(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(20):
        throttle.failed(f"10.0.0.{number}", "guess")
    assert throttle.wait("10.0.1.1", "guess") == 0


def test_a_bucket_is_never_more_than_empty(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(1000):  # they came at the same moment, or with a token that was good before
        throttle.failed("1.1.1.1")
    assert throttle.wait("1.1.1.1") == 6


def test_what_isnt_right_any_more_isnt_known_any_more(clock: Clock) -> None:
    throttle = Throttle(clock)
    throttle.succeeded(b"x")
    throttle.forget(b"x")
    assert not throttle.known(b"x")
    throttle.forget(b"never seen")


def test_memory_is_bounded(clock: Clock) -> None:
    throttle = Throttle(clock)
    for number in range(20_000):
        throttle.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        throttle.succeeded(str(number).encode())
    assert len(throttle._empty_at) == len(throttle._good) == 10_000
