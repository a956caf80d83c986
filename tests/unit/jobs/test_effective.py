"""Which jobs an app has, and with which settings."""

from __future__ import annotations

import msgspec

from gitdeploy.jobs import Job, JobSettings, Override, base_of, effective
from gitdeploy.jobs.effective import with_settings
from gitdeploy.jobs.scripts import NO_SCRIPT
from gitdeploy.jobs.settings import parse_settings


def job(kind: str, name: str, settings: str = "{}", identity: str = "one") -> Job:
    directory = f"App_Data/jobs/{kind}/{name}"
    parsed, _ = parse_settings(settings.encode(), f"{directory}/settings.job")
    return Job(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        directory=directory,
        script="run.sh",
        host="bash",
        settings=parsed,
        identity=identity,
    )


def test_deployed_and_uploaded_jobs_stand_side_by_side() -> None:
    found = effective([job("continuous", "a")], [job("triggered", "b")])
    assert [j.key for j in found.jobs] == [("continuous", "a"), ("triggered", "b")]
    assert found.uploaded == {("triggered", "b")}
    assert found.problems == ()


def test_an_uploaded_job_wins_whatever_the_case_and_it_is_told() -> None:
    mine = job("triggered", "Mail", identity="mine")
    found = effective([job("triggered", "mail")], [mine])
    assert found.jobs == (mine,)
    (problem,) = found.problems
    assert "uploaded triggered job has this name" in problem.reason
    assert "DELETE api/triggeredwebjobs/mail" in problem.fix


def test_an_uploaded_job_of_the_other_kind_wins_too() -> None:
    found = effective([job("continuous", "mail")], [job("triggered", "mail")])
    assert [j.key for j in found.jobs] == [("triggered", "mail")]
    assert "an uploaded triggered job" in found.problems[0].reason


def test_a_removed_job_is_gone_but_not_an_uploaded_one_of_its_name() -> None:
    deployed, uploaded = job("triggered", "a"), job("triggered", "a", identity="two")
    assert effective([deployed], [], removed=[("triggered", "A")]).jobs == ()
    assert effective([deployed], [uploaded], removed=[("triggered", "a")]).jobs == (uploaded,)


def test_settings_given_over_the_api_count_while_the_file_is_as_it_was() -> None:
    old = job("triggered", "a", '{"schedule": "0 0 * * * *"}')
    override = {old.key: Override(base_of(old), '{"schedule": "0 30 * * * *", "mine": 1}')}
    (now,) = effective([old], [], overrides=override).jobs
    assert now.settings.schedule == "0 30 * * * *"
    assert now.settings.raw["mine"] == 1
    assert now.identity == old.identity  # nothing restarts for a schedule

    changed = job("triggered", "a", '{"schedule": "0 0 12 * * *"}')
    found = effective([changed], [], overrides=override)
    assert found.jobs == (changed,)
    assert found.stale == (("triggered", "a"),)


def test_white_space_and_order_in_settings_job_change_nothing() -> None:
    one = job("triggered", "a", '{"a": 1, "b": 2}')
    two = job("triggered", "a", '{ "b":2,\n "a":1 }')
    assert base_of(one) == base_of(two) != base_of(job("triggered", "a"))
    assert base_of(Job(kind="triggered", name="x", directory="d", settings=JobSettings())) == ""


def test_running_from_a_copy_or_in_place_is_another_process() -> None:
    old = job("continuous", "a")
    override = {old.key: Override(base_of(old), '{"is_in_place": false}')}
    (now,) = effective([old], [], overrides=override).jobs
    assert now.identity != old.identity


def test_settings_given_over_the_api_mend_what_was_wrong_with_the_file() -> None:
    text = '{"schedule": "every noon"}'
    wrong = msgspec.structs.replace(job("triggered", "a", text), error="settings.job: schedule …")
    override = {wrong.key: Override(base_of(wrong), '{"schedule": "0 0 12 * * *"}')}
    (now,) = effective([wrong], [], overrides=override).jobs
    assert now.error is None
    assert now.settings.schedule == "0 0 12 * * *"


def test_a_job_without_a_script_lives_by_its_action_alone() -> None:
    empty = msgspec.structs.replace(job("triggered", "a"), script=None, error=NO_SCRIPT)
    action = '{"action": {"type": "Https", "request": {"method": "GET", "uri": "https://x.org/"}}}'
    now = with_settings(empty, action)
    assert now.runnable
    assert now.error is None
    assert with_settings(now, "{}").error == NO_SCRIPT
    unnamed = msgspec.structs.replace(empty, error="A job's name begins with …")
    assert with_settings(unnamed, "{}").error == "A job's name begins with …"
