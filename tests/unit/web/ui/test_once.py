"""Secrets that are shown once."""

from __future__ import annotations

from gitdeploy.clock import SystemClock
from gitdeploy.web.ui.once import Once, Shown


class Clock(SystemClock):
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000

    def now(self) -> int:
        return self.at


SECRET = Shown("token", "ci", "gd_secret")


def test_a_secret_is_shown_to_its_session_once():
    once = Once(Clock())
    once.keep("mine", SECRET)
    assert once.take("another", "token") is None
    assert once.take("mine", "webhook") is None
    assert once.take("mine", "token") == SECRET
    assert once.take("mine", "token") is None


def test_a_secret_that_nobody_came_for_is_forgotten():
    clock = Clock()
    once = Once(clock)
    once.keep("mine", SECRET)
    clock.at += 120_000_000
    once.keep("another", SECRET)
    assert once.take("mine", "token") is None
    assert once.take("another", "token") == SECRET


def test_the_newest_secret_of_a_session_is_the_one_that_is_shown():
    once = Once(Clock())
    once.keep("mine", SECRET)
    newer = SECRET._replace(secret="gd_newer")
    once.keep("mine", newer)
    assert once.take("mine", "token") == newer
