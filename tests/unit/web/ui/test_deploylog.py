"""A deployment's records as lines and steps of a page."""

from __future__ import annotations

from typing import Any

from gitdeploy.events import Entry
from gitdeploy.web.ui.deploylog import Step, ends, for_page, shown, steps, visible


def entries(*records: dict[str, Any]) -> list[Entry]:
    return [Entry(number, {"attempt": 1, **record}) for number, record in enumerate(records, 1)]


def step(name: str, took: float) -> tuple[dict[str, Any], dict[str, Any]]:
    return (
        {"event": "step.started", "step": name},
        {"event": "step.finished", "step": name, "detail": "", "duration_ms": took},
    )


def test_steps_come_in_their_order_with_what_they_took() -> None:
    found = steps(entries(*step("checkout", 1500), {"event": "step.started", "step": "build"}))
    assert found == [Step("checkout", "Success", 1.5), Step("build", "Running")]


def test_a_failure_is_that_of_the_step_it_was_in() -> None:
    begun = {"event": "step.started", "step": "build"}
    failed = {"event": "deploy.failed", "step": "build", "what": "exit 3"}
    assert steps(entries(begun, failed)) == [Step("build", "Failed")]
    assert steps(entries({**failed, "step": "fetch"})) == [Step("fetch", "Failed")]


def test_colours_of_a_build_are_left_out_and_other_controls_shown() -> None:
    record = {"event": "build.output", "stream": "stderr", "line": "\x1b[31mred\x1b[0m \x1b[2J<b>"}
    (one,) = visible(entries(record))
    assert one.tone == "err"
    assert one.lines == ["  │ red \\x1b[2J<b>"]


def test_the_end_of_a_failed_build_is_not_told_twice() -> None:
    failed = {"event": "deploy.failed", "what": "exit 3", "fix": "", "tail": ["\x1b[1mlast"]}
    (build,) = visible(entries({**failed, "step": "build"}))
    (swap,) = visible(entries({**failed, "step": "activate"}))
    assert not any("last" in line for line in build.lines)
    assert swap.lines[-1] == "  │ last"


def test_what_a_pusher_needs_not_see_has_no_lines() -> None:
    assert visible(entries({"event": "step.started", "step": "build"})) == []
    assert (
        shown(entries({"event": "deploy.failed", "what": "x", "level": "error"})[0]).tone == "bad"
    )


async def test_the_stream_says_what_else_changed_and_where_it_ends() -> None:
    async def source():
        for entry in entries(
            {"event": "build.output", "line": "a"},
            {"event": "step.finished", "step": "build", "detail": "x"},
            {"event": "fetch.moved", "to": "b" * 40},
        ):
            yield entry

    told = [entry.record async for entry in for_page(source(), 1)]
    assert [one["turn"] for one in told] == [False, True, True]
    assert [one["end"] for one in told] == [False, False, True]
    assert told[2]["moved"] == "b" * 40


def test_another_attempts_end_ends_nothing() -> None:
    assert ends({"event": "deploy.succeeded", "attempt": 2}, 2)
    assert not ends({"event": "deploy.succeeded", "attempt": 1}, 2)
