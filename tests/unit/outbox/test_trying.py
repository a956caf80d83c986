"""What follows from an answer, and what of it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from gitdeploy.net import Outcome
from gitdeploy.outbox.trying import judged, place, unsendable
from gitdeploy.store import Delivery, Hook, Try

NOW = 1_700_000_000_000_000


def verdict(outcome: Outcome, *, hook: dict[str, Any] | None = None, **delivery: Any) -> Try:
    values: dict[str, Any] = {
        "app": "shop",
        "id": "h1",
        "event": "PostDeployment",
        "url": "https://ada:pass-word@example.org/in?token=t0k3n-t0k3n",
        "way": "{}",
        "created_at": 1,
        "who": "ada",
        "secret": "s3cr3t-of-the-hook",
    }
    row: dict[str, Any] = {
        "app": "shop",
        "hook": "h1",
        "n": 1,
        "id": "f",
        "event": "PostDeployment",
        "kind": "published",
        "subject": "{}",
        "at": 1,
    }
    sent = Delivery(**{**row, **delivery})
    return judged(Hook(**{**values, **(hook or {})}), sent, outcome, now=NOW, base=10)


def answer(status: int | None, **more: Any) -> Outcome:
    return Outcome(**{"url": "https://example.org/in", "duration": 0.25, "status": status, **more})


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_has_taken_it(status: int) -> None:
    tried = verdict(answer(status, reason="Fine", body=b"thanks"))
    assert (tried.state, tried.next_at) == ("delivered", None)
    assert (tried.status, tried.reason, tried.response) == (status, "Fine", "thanks")
    assert tried.duration_ms == 250.0


@pytest.mark.parametrize("status", [301, 400, 404, 410, 429, 500, 503])
def test_any_other_answer_is_tried_again_even_410(status: int) -> None:
    tried = verdict(answer(status))
    assert (tried.state, tried.next_at) == ("pending", NOW + 10_000_000)


def test_no_answer_is_tried_again() -> None:
    tried = verdict(answer(None, error="example.org can't be reached."))
    assert (tried.state, tried.next_at) == ("pending", NOW + 10_000_000)
    assert (tried.status, tried.response) == (None, None)


def test_a_2xx_that_breaks_off_may_not_have_been_taken() -> None:
    assert verdict(answer(200, error="It broke off.")).state == "pending"


def test_what_we_refuse_is_given_up_at_once() -> None:
    tried = verdict(answer(None, error="10.0.0.1 is refused.", refused=True))
    assert (tried.state, tried.next_at) == ("failed", None)


def test_after_a_day_it_is_given_up() -> None:
    tried = verdict(answer(500), tries=40, first_at=NOW - 24 * 3_600_000_000)
    assert (tried.state, tried.next_at) == ("failed", None)


def test_retry_after_is_obeyed() -> None:
    tried = verdict(answer(503, headers=(("Retry-After", "90"),)))
    assert tried.next_at == NOW + 90_000_000


def test_an_answer_that_repeats_our_secrets_is_kept_without_them() -> None:
    body = b"you said s3cr3t-of-the-hook, pass-word and t0k3n-t0k3n \xff s3cr3t-of"
    tried = verdict(answer(500, body=body, cut=True, reason="t0k3n-t0k3n"))
    assert tried.response is not None
    assert "s3cr3t" not in tried.response
    assert "pass-word" not in tried.response
    assert "t0k3n" not in tried.response + str(tried.reason)
    assert tried.response.startswith("you said ***, *** and *** ")


def test_what_cant_be_made_is_given_up() -> None:
    tried = unsendable(ValueError("inside"), NOW)
    assert (tried.state, tried.next_at) == ("failed", None)
    assert tried.error is not None
    assert "inside" not in tried.error


def test_an_error_that_names_the_address_is_kept_without_it() -> None:
    url = "https://example.org/services/T0/XYZ?a=1"
    error = "https://example.org/services/T0/XYZ?a=*** can't be asked: ValueError."
    tried = verdict(answer(None, error=error), hook={"url": url})
    assert tried.error == "*** can't be asked: ValueError."


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ada:pw@example.org/services/T0/XYZ?a=1", "https://example.org"),
        ("http://[2001:db8::1]:81/x", "http://[2001:db8::1]:81"),
    ],
)
def test_logs_tell_the_host_of_an_address_alone(url: str, origin: str) -> None:
    assert place(url) == origin
