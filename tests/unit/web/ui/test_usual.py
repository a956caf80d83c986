"""What is usual for a job, and the chart of its runs."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.store import Execution
from gitdeploy.web.ui.usual import AXIS, HEIGHT, chart, seconds_of, usual

NOW = 1_000_000_000_000


def run(seconds: float, status: str = "success", **changes: Any) -> Execution:
    """A run that ended now."""
    begun = NOW - int(seconds * 1e6)
    ended = None if status == "running" else NOW
    known = {"created_at": begun, "started_at": begun, "ended_at": ended, "id": "1", **changes}
    return Execution(app="a", kind="triggered", job="j", status=status, instance="i", **known)


def test_usual_is_what_the_middle_run_that_went_well_took() -> None:
    found = usual([run(1), run(300, "failed"), run(3), run(2), run(99, "running")])
    assert found is not None
    assert found.p50 == 2
    assert round(found.p95, 6) == 2.9


def test_nothing_is_usual_before_two_runs_went_well() -> None:
    assert usual([]) is None
    assert usual([run(1), run(2, "failed"), run(3, "running")]) is None


def test_a_run_takes_until_now_while_it_goes_on() -> None:
    assert seconds_of(run(5, "running"), NOW + 1_000_000) == 6
    assert seconds_of(run(5), NOW + 1_000_000) == 5
    assert seconds_of(run(5, "running"), 0) == 0
    assert seconds_of(run(5, started_at=None), NOW) == 5


def test_the_newest_run_is_at_the_right_and_failures_hang_below_the_axis() -> None:
    found = chart([run(10, "running"), run(20, "failed"), run(40), run(1, "stopped")], NOW)
    assert [bar.tone for bar in found.bars] == ["idle", "ok", "bad", "run"]
    assert (found.good, found.bad) == (1, 1)
    places = [bar.x for bar in found.bars]
    assert places == sorted(places)
    assert places[-1] == 95
    below = found.bars[2]
    assert below.y > AXIS
    assert all(bar.y + bar.height == AXIS for bar in found.bars if bar is not below)
    assert found.bars[1].height > found.bars[3].height


def test_a_run_that_never_started_has_no_bar() -> None:
    assert chart([run(1, "failed", started_at=None)], NOW).bars == []


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6),
            st.sampled_from(["success", "failed", "running", "stopped", "aborted"]),
        ),
        max_size=90,
    )
)
def test_every_bar_is_in_the_chart(runs: list[tuple[float, str]]) -> None:
    found = chart([run(*one) for one in runs], NOW)
    assert len(found.bars) == min(60, len(runs))
    for bar in found.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= 100.01
        assert 0 <= bar.y < bar.y + bar.height <= HEIGHT
    if found.usual is not None:
        assert 0 <= found.p95 <= found.p50 < AXIS
