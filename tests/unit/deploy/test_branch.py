"""What a push means for the deployment branch."""

from __future__ import annotations

from gitdeploy.deploy.branch import configured_branch, plan_push
from gitdeploy.repos import ZERO, RefUpdate

A, B = "a" * 40, "b" * 40


def update(branch, old=ZERO, new=A):
    return RefUpdate(f"refs/heads/{branch}", old, new)


def test_a_push_to_main_is_deployed():
    plan = plan_push([update("main")], ["main"], None)
    assert (plan.branch, plan.commit, plan.adopt, plan.notes) == ("main", A, False, ())


def test_the_only_branch_of_a_first_push_becomes_the_deployment_branch():
    plan = plan_push([update("trunk")], ["trunk"], None)
    assert (plan.branch, plan.commit, plan.adopt) == ("trunk", A, True)


def test_a_first_push_of_several_branches_deploys_main_only():
    plan = plan_push([update("dev", new=B), update("main")], ["dev", "main"], None)
    assert plan.commit == A
    assert plan.notes == ("dev is stored, not deployed (the deployment branch is main).",)


def test_two_other_branches_at_first_deploy_nothing_and_say_so():
    plan = plan_push([update("dev"), update("test")], ["dev", "test"], None)
    assert plan.commit is None
    assert not plan.adopt
    assert len(plan.notes) == 2


def test_a_later_other_branch_is_not_adopted():
    plan = plan_push([update("dev")], ["dev", "old"], None)
    assert plan.commit is None
    assert not plan.adopt
    assert "main" in plan.notes[0]


def test_a_branch_that_was_moved_not_made_is_not_adopted():
    plan = plan_push([update("dev", old=B)], ["dev"], None)
    assert (plan.commit, plan.adopt) == (None, False)


def test_deleting_the_deployment_branch_deploys_nothing_and_says_so():
    plan = plan_push([update("main", old=A, new=ZERO)], [], "main")
    assert plan.commit is None
    assert "deleted" in plan.notes[0]


def test_deleting_another_branch_beside_a_deployment_is_told():
    plan = plan_push([update("old", old=A, new=ZERO), update("main", old=B)], ["main"], "main")
    assert plan.commit == A
    assert plan.notes == ("old is deleted, not deployed (the deployment branch is main).",)


def test_a_tag_alone_says_that_nothing_is_deployed():
    plan = plan_push([RefUpdate("refs/tags/v1", ZERO, A)], ["main"], "main")
    assert plan.commit is None
    assert plan.notes[0].startswith("tag v1 moved")


def test_a_tag_beside_the_branch_is_not_mentioned():
    plan = plan_push([RefUpdate("refs/tags/v1", ZERO, A), update("main")], ["main"], "main")
    assert (plan.commit, plan.notes) == (A, ())


def test_kudus_settings_choose_the_branch_before_the_attribute():
    assert configured_branch("live", {}) == "live"
    assert configured_branch(None, {}) is None
    assert configured_branch("live", {"deployment_branch": "dev"}) == "dev"
    assert configured_branch("live", {"deployment_branch": "dev", "SCM_BRANCH": "x"}) == "x"
    assert configured_branch(None, {"SCM_BRANCH": "refs/heads/y"}) == "y"
