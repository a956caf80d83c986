from __future__ import annotations

from gitdeploy.supervise import RunRequest
from tests.integration.supervise.stage import APP, Stage
from tests.support import eventually

EVERY_SECOND = {
    "triggered/mail/run.sh": "echo hi",
    "triggered/mail/settings.job": '{"schedule": "* * * * * *"}',
}


async def test_a_scheduled_job_runs_by_itself_and_says_why(stage: Stage) -> None:
    await stage.deploy(EVERY_SECOND)
    due = stage.view("mail").next_due
    assert due is not None
    assert 0 < due - stage.clock.now() <= 1_000_000

    async def twice() -> bool:
        runs = await stage.store.executions.newest(APP, "triggered", "mail")
        return sum(run.status == "success" for run in runs) >= 2

    await eventually(twice)
    run = (await stage.store.executions.newest(APP, "triggered", "mail"))[-1]
    assert run.trigger == "Schedule - * * * * * *"
    claims = await stage.store.occurrences.newest(APP, "mail")
    assert run.id in {claim.run for claim in claims}


async def test_a_due_time_during_a_run_is_dropped_and_recorded(stage: Stage) -> None:
    await stage.deploy({**EVERY_SECOND, "triggered/mail/run.sh": "sleep 30"})
    await eventually(lambda: stage.recorded("schedule.dropped"))
    assert len(await stage.store.executions.newest(APP, "triggered", "mail")) == 1
    states = {claim.state for claim in await stage.store.occurrences.newest(APP, "mail")}
    assert states == {"started", "dropped"}


async def test_schedules_are_off_where_a_setting_or_the_job_says_so(stage: Stage) -> None:
    await stage.deploy({**EVERY_SECOND, "triggered/mail/run.sh": "true"})
    assert stage.view("mail").next_due is not None
    await stage.set(WEBJOBS_DISABLE_SCHEDULE="1")
    assert stage.view("mail").next_due is None
    await stage.set(WEBJOBS_DISABLE_SCHEDULE="0")
    assert stage.view("mail").next_due is not None
    await stage.supervisor.disable(APP, "triggered", "mail")
    assert (stage.view("mail").next_due, stage.view("mail").enabled) == (None, False)
    await stage.supervisor.enable(APP, "triggered", "mail")
    assert stage.view("mail").next_due is not None


async def test_a_bad_schedule_leaves_the_job_unscheduled_and_runnable(stage: Stage) -> None:
    await stage.deploy(
        {
            "triggered/mail/run.sh": "true",
            "triggered/mail/settings.job": '{"schedule": "every day"}',
        }
    )
    view = stage.view("mail")
    assert view.next_due is None
    assert view.error
    run = await stage.supervisor.run(APP, "mail", RunRequest(trigger="t"))
    assert (await stage.supervisor.wait_ended(run)).status == "success"
