"""What is sent, byte for byte where somebody else's format says so."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from gitdeploy.outbox import Shown, Subject, message, subject_of
from gitdeploy.outbox.formats import signature
from gitdeploy.outbox.slack import span
from gitdeploy.store import Delivery, Hook

PAGE = "https://deploy.example.org/ui/shop/x/"
DEPLOYMENT = {
    "app": "shop",
    "id": "1a2b3c4d5e" + "0" * 30,
    "attempt": 2,
    "status": "success",
    "received_at": 5,
    "instance": "i",
    "trigger": "push",
    "author": "Ada <ada>",
    "message": "Sell <b> & more\n\nLong story.",
    "active": 1,
}
RUN = {
    "app": "shop",
    "kind": "triggered",
    "job": "report",
    "id": "2026",
    "status": "failed",
    "instance": "i",
    "created_at": 1,
    "started_at": 2_000_000,
    "ended_at": 3_200_000,
    "exit_code": 3,
    "overlapping": 0,
}
CRASH = {**RUN, "kind": "continuous", "job": "ticker", "exit_code": 137}
MISSED = {"app": "shop", "job": "nightly", "due_at": 7, "state": "missed", "note": "Missed 2."}


def hook(**changes: Any) -> Hook:
    values: dict[str, Any] = {
        "app": "shop",
        "id": "h1",
        "event": "PostDeployment",
        "url": "https://example.org/",
        "way": "{}",
        "created_at": 1,
        "who": "ada",
    }
    return Hook(**{**values, **changes})


def delivery(kind: Any = "deployment", subject: Any = DEPLOYMENT, **changes: Any) -> Delivery:
    values: dict[str, Any] = {
        "app": "shop",
        "hook": "h1",
        "n": 4,
        "id": "f" * 32,
        "event": "PostDeployment",
        "kind": kind,
        "subject": json.dumps(subject),
        "at": 1_700_000_000_123_456,
    }
    return Delivery(**{**values, **changes})


def view(hook: Hook, subject: Subject) -> Shown:
    return Shown(
        kudu={"form": "kudu"},
        data={"form": "data"},
        page=PAGE,
        source="https://deploy.example.org/apps/shop",
        path="deployments/1a2b3c",
    )


def slack(kind: Any, subject: Any, **changes: Any) -> str:
    sent = message(hook(format="slack"), delivery(kind, subject, **changes), view)
    body = json.loads(sent.body)
    assert list(body) == ["text"]
    return str(body["text"])


def test_the_signature_is_the_one_that_github_publishes_as_an_example() -> None:
    # docs.github.com, "Validating webhook deliveries"
    assert signature("It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_the_signature_agrees_with_rfc_4231() -> None:
    assert signature("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_kudus_format_is_what_kudus_hooks_send() -> None:
    sent = message(hook(), delivery(tries=3), view)
    assert json.loads(sent.body) == {"form": "kudu"}
    assert sent.headers == {
        "Content-Type": "application/json; charset=utf-8",
        "X-Gitdeploy-Event": "PostDeployment",
        "X-Gitdeploy-Delivery": "f" * 32,
        "X-Gitdeploy-Try": "4",
    }


def test_a_secret_signs_just_the_bytes_that_are_sent() -> None:
    sent = message(hook(secret="ünlock"), delivery(), view)
    assert sent.headers["X-Hub-Signature-256"] == signature("ünlock", sent.body)


def test_a_cloud_event_has_what_its_specification_requires() -> None:
    sent = message(hook(format="cloudevents"), delivery(), view)
    media, _, charset = sent.headers["Content-Type"].partition("; ")
    assert (media, charset) == ("application/cloudevents+json", "charset=utf-8")
    event = json.loads(sent.body)
    assert event["specversion"] == "1.0"
    assert event["id"] == "f" * 32
    assert event["type"] == "gitdeploy.PostDeployment"
    assert urlsplit(event["source"]).scheme == "https"
    assert event["subject"] == "deployments/1a2b3c"
    assert event["datacontenttype"] == "application/json"
    assert event["data"] == {"form": "data"}
    when = datetime.fromisoformat(event["time"])
    assert when.utcoffset() is not None
    assert when.timestamp() == pytest.approx(1_700_000_000.123456)
    # attribute names: lower-case letters and digits only (CloudEvents 1.0, "Naming Conventions")
    assert all(name.isalnum() and name == name.lower() for name in event)


def test_the_same_delivery_is_the_same_bytes_at_each_try() -> None:
    for form in ("kudu", "cloudevents", "slack"):
        bodies = {message(hook(format=form), delivery(tries=n), view).body for n in range(3)}
        assert len(bodies) == 1


def test_slack_reads_who_deployed_what() -> None:
    assert slack("deployment", DEPLOYMENT) == (
        f"shop: deployed <{PAGE}|1a2b3c4d5e> “Sell &lt;b&gt; &amp; more” by Ada &lt;ada&gt;."
    )


def test_slack_reads_why_a_deployment_failed() -> None:
    failed = {**DEPLOYMENT, "status": "failed", "status_text": "No <script>.", "author": ""}
    assert slack("deployment", failed).endswith("more” failed: No &lt;script&gt;.")
    assert "failed: see its log." in slack("deployment", {**failed, "status_text": ""})


def test_slack_reads_how_a_run_ended() -> None:
    link = f"shop: the run of <{PAGE}|report>"
    assert slack("execution", RUN) == f"{link} has failed after 1.2 s: exit code 3."
    good = {**RUN, "status": "success", "exit_code": 0}
    assert slack("execution", good) == f"{link} has succeeded after 1.2 s."
    stopped = {**RUN, "status": "stopped"}
    assert slack("execution", stopped) == f"{link} was stopped after 1.2 s."


def test_slack_reads_what_killed_a_job() -> None:
    link = f"shop: <{PAGE}|ticker> crashed:"
    assert slack("execution", CRASH) == f"{link} exit code 137 (SIGKILL)."
    assert slack("execution", {**CRASH, "exit_code": None}) == f"{link} its exit code was lost."
    assert slack("execution", {**CRASH, "exit_code": 255}) == f"{link} exit code 255."
    assert slack("execution", {**CRASH, "error": "Gone & away"}) == f"{link} Gone &amp; away"


def test_slack_reads_which_schedule_was_missed() -> None:
    text = slack("occurrence", MISSED)
    assert text == f"shop: <{PAGE}|nightly> has missed its schedule. Missed 2."


def test_slack_reads_what_somebody_published() -> None:
    assert slack("published", {"text": "Lunch! <!here>"}) == "Lunch! <!here>"
    text = slack("published", {"a": "<b>"}, event="Custom")
    assert text == 'shop: Custom {"a": "&lt;b&gt;"}'
    assert slack("published", [1], event="Custom") == "shop: Custom [1]"


def test_a_long_text_is_cut() -> None:
    failed = {**DEPLOYMENT, "status": "failed", "status_text": "x" * 9000}
    assert len(slack("deployment", failed)) == 3000


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (-5, "0.0 s"),
        (1_250_000, "1.2 s"),
        (59_940_000, "59.9 s"),
        (185_000_000, "3 min 5 s"),
        (7_805_000_000, "2 h 10 min"),
    ],
)
def test_spans_are_for_people(microseconds: int, text: str) -> None:
    assert span(microseconds) == text


def test_a_damaged_row_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(msgspec.DecodeError):
        subject_of(delivery(subject={"app": "shop"}))
