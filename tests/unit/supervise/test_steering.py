from __future__ import annotations

from collections.abc import Callable

import pytest

from gitdeploy.jobs.job import Job
from gitdeploy.supervise.steering import (
    Steering,
    process_identity,
    restart_time,
    steering,
    stopping_wait,
)


def test_nothing_set_means_kudus_defaults() -> None:
    assert steering({}) == Steering(
        stopped=False,
        schedules_off=False,
        restart_time=60.0,
        idle_timeout=121.0,
        history_size=50,
    )


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "1e300"])
def test_a_value_that_is_no_number_counts_as_not_set(value: str) -> None:
    assert steering({"WEBJOBS_RESTART_TIME": value}).restart_time == 60.0


@pytest.mark.parametrize(
    ("value", "stopped"), [("1", True), ("true", True), ("True", True), ("0", False), ("no", False)]
)
def test_webjobs_stopped_is_one_or_true(value: str, stopped: bool) -> None:
    assert steering({"WEBJOBS_STOPPED": value}).stopped is stopped
    logged = steering({"WEBJOBS_LOG_TRIGGERED_JOBS_TO_APP_LOGS": value}).triggered_logged
    assert logged is stopped


def test_a_jobs_own_restart_time_is_stronger_than_the_apps(make_job: Callable[..., Job]) -> None:
    app = {"WEBJOBS_RESTART_TIME": "7"}
    assert restart_time(make_job(), app) == 7.0
    assert restart_time(make_job(settings={"restart_time": 0.5}), app) == 0.5


def test_stopping_wait_time_defaults_by_kind(make_job: Callable[..., Job]) -> None:
    assert stopping_wait(make_job("continuous")) == 5.0
    assert stopping_wait(make_job("triggered")) == 30.0
    assert stopping_wait(make_job(settings={"stopping_wait_time": 0.0})) == 0.0


def test_a_setting_changes_what_a_process_is_but_a_steering_one_does_not(
    make_job: Callable[..., Job],
) -> None:
    job = make_job()
    plain = process_identity(job, {"COLOR": "red"})
    assert process_identity(job, {"COLOR": "blue"}) != plain
    assert process_identity(make_job(identity="two"), {"COLOR": "red"}) != plain
    steered = {"COLOR": "red", "WEBJOBS_RESTART_TIME": "5", "WEBJOBS_STOPPED": "0"}
    assert process_identity(job, steered) == plain
    logged = {"COLOR": "red", "WEBJOBS_LOG_TRIGGERED_JOBS_TO_APP_LOGS": "1"}
    assert process_identity(job, logged) == plain
