"""Codes of sign-in links."""

from __future__ import annotations

from gitdeploy.clock import SystemClock
from gitdeploy.web.sign_in_links import LASTS, SignInLinks


class Clock(SystemClock):
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = 1_000_000

    def now(self) -> int:
        return self.at


def test_a_code_works_once():
    links = SignInLinks(Clock())
    code, _ = links.make("t", None)
    assert links.use(code + "x") is None
    ticket = links.use(code)
    assert ticket is not None
    assert ticket.token_id == "t"
    assert links.use(code) is None


def test_a_code_is_worth_nothing_after_ten_minutes():
    clock = Clock()
    links = SignInLinks(clock)
    code, until = links.make("t", None)
    other, _ = links.make("t", None)
    clock.at += LASTS * 1_000_000 - 1
    assert links.use(code) is not None
    clock.at += 1
    assert until <= clock.now()
    assert links.use(other) is None


def test_the_oldest_go_where_there_are_too_many():
    links = SignInLinks(Clock())
    first, _ = links.make("t", None)
    rest = [links.make("t", None)[0] for _ in range(100)]
    assert links.use(first) is None
    assert links.use(rest[0]) is not None
