"""The tables of states."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.jobs import CONTINUOUS, RUN, allowed, ended, kudu_status

KUDU_RUN = {"Initializing", "Running", "Success", "Failed", "Aborted", "Stopped"}
KUDU_CONTINUOUS = {
    "Initializing", "Starting", "Running", "PendingRestart", "Stopping", "Stopped", "Disabling",
    "InactiveInstance",
}  # fmt: skip


def test_the_states_are_kudus() -> None:
    assert {kudu_status(state) for state in RUN} == KUDU_RUN
    assert {kudu_status(state) for state in CONTINUOUS} == KUDU_CONTINUOUS


def test_a_run_ends_once_and_for_all() -> None:
    ends = {state for state in RUN if ended(RUN, state)}
    assert ends == {"success", "failed", "aborted", "stopped"}
    assert not any(ended(CONTINUOUS, state) for state in CONTINUOUS)


def test_a_run_that_never_ran_can_not_succeed() -> None:
    assert not allowed(RUN, "initializing", "success")
    assert allowed(RUN, "initializing", "failed")


def test_an_unknown_state_is_a_mistake_in_the_program() -> None:
    with pytest.raises(KeyError):
        allowed(RUN, "running", "done")
    with pytest.raises(KeyError):
        allowed(RUN, "done", "running")


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_every_walk_of_a_run_ends_within_two_steps(data: st.DataObject) -> None:
    state, steps = "initializing", 0
    while not ended(RUN, state):
        following = data.draw(st.sampled_from(sorted(RUN[state])))
        assert allowed(RUN, state, following)
        state, steps = following, steps + 1
    assert steps <= 2


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(CONTINUOUS)), st.sampled_from(sorted(CONTINUOUS)))
def test_every_state_of_a_continuous_job_can_be_reached(start: str, goal: str) -> None:
    reached, new = {start}, {start}
    while new:
        new = {after for state in new for after in CONTINUOUS[state]} - reached
        reached |= new
    assert goal in reached
