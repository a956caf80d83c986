"""Rows, bars and timeline of jobs: pure functions of views and executions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.clock import from_datetime
from gitdeploy.home import Kind
from gitdeploy.jobs import Schedule
from gitdeploy.jobs.job import Job
from gitdeploy.store.overview import Past
from gitdeploy.supervise import JobView
from gitdeploy.web.ui.bars import AXIS, bars_of
from gitdeploy.web.ui.joblist import Row, counts, row_of, wanted
from gitdeploy.web.ui.language import words
from gitdeploy.web.ui.preferences import Preferences
from gitdeploy.web.ui.show import Show
from gitdeploy.web.ui.timeline import timeline_of

NOW = from_datetime(datetime(2026, 11, 24, 13, 30, tzinfo=UTC))
HOUR = 3_600_000_000
SHOW = Show(words("en"), Preferences("en", "auto", "utc", None), NOW)


def past(
    ago: int, took: int | None = 1_000_000, status: str = "success", **changes: object
) -> Past:
    begun = NOW - ago
    values = dict(
        app="shop",
        kind="triggered",
        job="mail",
        id=f"{begun:020}",
        status=status,
        created_at=begun,
        started_at=begun,
        ended_at=None if took is None else begun + took,
        exit_code=None,
    )
    return Past(**{**values, **changes})  # type: ignore[arg-type]


def view(kind: Kind = "triggered", name: str = "mail", **changes: object) -> JobView:
    job = Job(kind=kind, name=name, directory="d", script="run.py", host="python")
    values: dict[str, object] = {
        "job": job,
        "status": "Ready" if kind == "triggered" else "Running",
    }
    return JobView(**{**values, **changes})  # type: ignore[arg-type]


def row(*runs: Past, **changes: object) -> Row:
    return row_of(view(**changes), runs, asleep=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "state", "attention"),
    [
        (row(), "Never", False),
        (row(past(5)), "Success", False),
        (row(past(5, status="failed")), "Failed", True),
        (
            row(past(1, None, "running"), past(5, status="failed"), status="Running"),
            "Running",
            True,
        ),
        (row(past(5, status="aborted"), past(9)), "Aborted", True),
        (row(past(5, status="stopped")), "Stopped", False),
        (row(error="No runnable script file was found."), "error", True),
        (row(kind="continuous"), "Up", False),
        (row(kind="continuous", status="PendingRestart"), "PendingRestart", True),
        (row(kind="continuous", status="Stopped", enabled=False), "Stopped", False),
        (row_of(view("continuous", status="Stopped"), (), asleep=True), "asleep", False),
    ],
)
def test_a_row_says_how_its_job_stands(made: Row, state: str, attention: bool) -> None:
    assert (made.state, made.attention) == (state, attention)


def test_usual_is_the_median_of_what_went_well() -> None:
    runs = [past(10, 3_000_000), past(20, 9_000_000, "failed"), past(30, 1_000_000)]
    assert row(*runs).usual is None
    assert row(*runs, past(40, 2_000_000)).usual == 2.0
    assert row(*runs, past(40, 2_000_000), kind="continuous").usual is None


def test_filters_count_and_words_narrow() -> None:
    rows = [
        row(past(5, status="failed"), name="b"),
        row(name="A"),
        row(name="web", kind="continuous"),
    ]
    assert counts(rows) == {"all": 3, "continuous": 1, "triggered": 2, "attention": 1}
    assert [one.name for one in wanted(rows, "all", "", "name")] == ["A", "b", "web"]
    assert [one.name for one in wanted(rows, "all", "WEB run.py", "name")] == ["web"]
    assert wanted(rows, "triggered", "web", "name") == []
    assert wanted(rows, "all", "", "status")[0].name == "b"


def test_bars_stand_on_the_axis_and_failures_hang_below() -> None:
    found = bars_of(
        row(past(10, 2_000_000), past(20, 1_000_000, "failed"), past(30, 1_000_000)), NOW
    )
    assert (found.good, found.bad) == (2, 1)
    assert found.down == f"M90 {AXIS + 1}h4v7h-4z"
    heights = [int(height) for height in re.findall(r"v(\d+)", found.up)]
    assert heights[0] < heights[1] == 20


def test_bars_of_a_continuous_job_are_slices_of_its_day() -> None:
    lived = past(12 * HOUR, None, "running")
    died = past(30 * HOUR, 12 * HOUR, "failed")
    found = bars_of(row(lived, died, kind="continuous"), NOW)
    assert (found.good, found.bad) == (15, 1)  # 10 of this process, 5 of the one before


def test_the_timeline_has_bars_triangles_dots_and_a_line_of_now() -> None:
    schedule = Schedule.parse("0 0 * * * *", "UTC")
    mail = row(
        past(1 * HOUR, 30 * 60_000_000),
        past(6 * HOUR, 1, "failed"),
        past(30 * HOUR),
        next_due=NOW + 1,
    )
    web = row(past(48 * HOUR, None, "running"), name="web", kind="continuous")
    made = timeline_of([mail, web], lambda one: schedule if one is mail else None, SHOW)
    assert made.now == 50
    assert (made.runs, made.failures, made.planned) == (2, 1, 1)
    assert [(bar.tone, bar.x) for bar in made.lanes[0].bars] == [("ok", 47.917)]
    assert made.lanes[0].failed == [37.5]
    assert len(made.lanes[0].planned) == 24
    assert [(bar.x, bar.width, bar.tone) for bar in made.lanes[1].bars] == [(0, 50, "up")]
    labels = [tick.label for tick in made.ticks if tick.label]
    assert labels == ["18:00", "Tue", "06:00", "18:00", "Wed", "06:00", "12:00"]


def test_the_hour_grid_is_of_the_readers_zone() -> None:
    seoul = replace(SHOW, preferences=Preferences("ko", "auto", "browser", "Asia/Kolkata"))
    made = timeline_of([], lambda one: None, seoul)
    midnights = [tick.x for tick in made.ticks if tick.is_day]
    # 13:30 UTC is 19:00 in Kolkata: midnight is 19 hours before and 5 behind
    assert midnights == [
        pytest.approx(100 * 5 / 48, abs=0.01),
        pytest.approx(100 * 29 / 48, abs=0.01),
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 60 * HOUR),
            st.none() | st.integers(0, 3 * HOUR),
            st.sampled_from(["success", "failed", "aborted", "stopped", "running"]),
        ),
        max_size=60,
    ),
    st.sampled_from(["triggered", "continuous"]),
)
def test_whatever_ran_is_drawn_within_the_picture(runs, kind) -> None:
    lived = [
        past(ago, None if took is None else min(took, ago), status) for ago, took, status in runs
    ]
    lived.sort(key=lambda one: one.id, reverse=True)
    made = row(*lived, kind=kind)
    lane = timeline_of([made], lambda one: None, SHOW).lanes[0]
    assert all(0 <= bar.x <= 100 and 0 < bar.width <= 100 for bar in lane.bars)
    assert all(0 <= x <= 50.3 for x in lane.failed)
    found = bars_of(made, NOW)
    assert found.good + found.bad <= 40
    for x, height in re.findall(r"M(\d+) \d+h4v(\d+)", found.up + found.down + found.other):
        assert 0 <= int(x) <= 96
        assert 1 <= int(height) <= 20
