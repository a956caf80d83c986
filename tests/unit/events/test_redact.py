"""Secrets never reach a log, on whichever way."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events, Redactor
from gitdeploy.home import Home

SECRET = "s3cr3t-of-the-admin"
OWN = "gd_" + "A" * 43


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("fetch https://ada:hunter22@example.org/x.git", "hunter22"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("authorization: Basic YWRhOmh1bnRlcg==", "YWRhOmh1bnRlcg=="),
        (f"token is {OWN}!", OWN),
        (f"x{SECRET}y", SECRET),
    ],
)
def test_a_secret_in_a_text_is_masked(text: str, hidden: str) -> None:
    masked = Redactor([SECRET]).text(text)
    assert hidden not in masked
    assert "***" in masked


def test_ordinary_text_is_left_alone() -> None:
    for text in ("https://example.org/a:b@c", "a token of thanks", "gd_short", "x://y"):
        assert Redactor().text(text) == text


def test_a_secret_key_is_masked_however_deep() -> None:
    record = Redactor()(None, "info", {"a": {"webhook_secret": "x"}, "list": [{"password": "y"}]})
    assert record == {"a": {"webhook_secret": "***"}, "list": [{"password": "***"}]}


def test_no_way_out_of_the_stream_carries_a_secret(tmp_path: Path) -> None:
    stderr = io.StringIO()
    redactor = Redactor([SECRET])
    events = Events(Home(tmp_path), SystemClock(), instance="i", redactor=redactor, stderr=stderr)
    log = events.deployment_log("shop", "d" * 40, 1)
    log.info("build.output", line=f"export TOKEN={SECRET}", url=f"http://u:{SECRET}@h/")
    try:
        raise ValueError(SECRET)
    except ValueError:
        events.app_log("shop").exception("job.failed")
    events.close()
    everywhere = stderr.getvalue() + "".join(
        path.read_text() for path in tmp_path.rglob("*.ndjson")
    )
    assert "build.output" in everywhere
    assert "Traceback" in stderr.getvalue()
    assert SECRET not in everywhere


def test_a_stack_trace_is_in_no_journal(tmp_path: Path) -> None:
    events = Events(Home(tmp_path), SystemClock(), instance="i", stderr=io.StringIO())
    try:
        raise ValueError("inside")
    except ValueError:
        events.app_log("shop").exception("job.failed")
    events.close()
    assert all("Traceback" not in path.read_text() for path in tmp_path.rglob("*.ndjson"))
