"""What a deployment says of problems and plans."""

from __future__ import annotations

from gitdeploy.deploy.validate import describe, plan
from gitdeploy.jobs.job import Job, Problem


def job(name, identity, kind="continuous"):
    return Job(kind=kind, name=name, directory=f"App_Data/jobs/{kind}/{name}", identity=identity)


def test_the_plan_names_what_comes_stays_changes_and_goes():
    before = {j.key: j for j in (job("same", "1"), job("changed", "1"), job("gone", "1"))}
    after = [job("same", "1"), job("changed", "2"), job("new", "1", "triggered")]
    assert plan(before, after) == {
        "added": ["triggered/new"],
        "kept": ["continuous/same"],
        "changed": ["continuous/changed"],
        "removed": ["continuous/gone"],
    }


def test_a_problem_is_one_sentence_with_file_key_value_and_reason():
    problem = Problem(job="mail", file="m/settings.job", key="schedule", value="x y", reason="bad")
    assert describe(problem) == "m/settings.job: schedule = x y: bad."
    assert describe(Problem(job="m", file="m", reason="no script")) == "m: no script."
