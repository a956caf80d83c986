"""The settings of Kudu and Oryx around a build."""

from __future__ import annotations

import pytest

from tests.integration.deploy.builds.conftest import APP, deployed, failed, output
from tests.support import eventually

FOREVER = "echo here; while true; do sleep 1; done\n"


async def test_commands_run_before_and_after_the_build(server, repo, stand_in):
    stand_in("go")
    repo.write("go.mod", "module site\n")
    repo.write("before.sh", "echo first\n")
    repo.write(".deployment", "[config]\nPRE_BUILD_SCRIPT_PATH = ./before.sh\n")
    await server.store.apps.merge_settings(APP, {"POST_BUILD_COMMAND": "echo last; touch made"})
    text = await deployed(server, repo)
    where = [text.index(word) for word in ("$ before.sh", "go called with", "$ echo last")]
    assert where == sorted(where)
    assert "first" in text
    assert (server.paths.release(1) / "made").exists()


async def test_a_script_that_is_missing_or_outside_is_named(server, repo):
    await server.store.apps.merge_settings(APP, {"PRE_BUILD_SCRIPT_PATH": "before.sh"})
    assert "PRE_BUILD_SCRIPT_PATH = before.sh" in (await failed(server, repo))["what"]
    await server.store.apps.merge_settings(APP, {"PRE_BUILD_SCRIPT_PATH": "../../x.sh"})
    assert "isn't a path inside the repository" in (await failed(server, repo))["what"]


async def test_a_failing_post_build_command_fails_the_deployment(server, repo):
    repo.write(".deployment", "[config]\nPOST_BUILD_COMMAND = exit 4\n")
    assert "exit 4 ended with exit code 4" in (await failed(server, repo))["what"]


@pytest.mark.parametrize(
    ("settings", "built"),
    [
        ({}, True),
        ({"ENABLE_ORYX_BUILD": "false"}, False),
        ({"ENABLE_ORYX_BUILD": "true", "SCM_DO_BUILD_DURING_DEPLOYMENT": "0"}, False),
        ({"ENABLE_ORYX_BUILD": "false", "SCM_DO_BUILD_DURING_DEPLOYMENT": "true"}, True),
    ],
)
async def test_a_build_is_switched_off_by_kudus_name_before_oryxs(server, repo, settings, built):
    await server.store.apps.merge_settings(APP, settings)
    repo.write(".deployment", "[config]\nPRE_BUILD_COMMAND = touch before\ncommand = touch made\n")
    text = await deployed(server, repo)
    release = server.paths.release(1)
    assert ((release / "made").exists(), (release / "before").exists()) == (built, built)
    assert ("skipped by" in text) is not built


async def test_a_repository_that_is_a_single_job_is_put_in_its_place(server, repo):
    target = "App_Data\\jobs\\continuous\\mail"
    await server.store.apps.merge_settings(APP, {"SCM_TARGET_PATH": target})
    repo.write("run.sh", FOREVER)
    repo.write("settings.job", '{"stopping_wait_time": 0}')
    assert "+ continuous/mail" in await deployed(server, repo)
    await eventually(lambda: "here" in output(server, "continuous", "mail"))
    pid = server.pid("mail")
    repo.write("run.sh", FOREVER + "#\n")
    assert "~ continuous/mail" in await deployed(server, repo)
    assert server.pid("mail") != pid


async def test_the_places_of_a_build_follow_the_settings(server, repo):
    repo.write(
        ".deployment",
        "[config]\nSCM_REPOSITORY_PATH = part\nSCM_TARGET_PATH = web\nWEBJOBS_ROOT_PATH = web\n"
        "PRE_BUILD_COMMAND = pwd > where; echo $DEPLOYMENT_SOURCE $DEPLOYMENT_TARGET > places\n",
    )
    repo.write("part/continuous/t/run.sh", FOREVER)
    repo.write("part/continuous/t/settings.job", '{"stopping_wait_time": 0}')
    repo.write("elsewhere.txt", "not of the site")
    text = await deployed(server, repo)
    assert "+ continuous/t" in text
    release = server.paths.release(1)
    content = release / "part/web"
    assert (content / "where").read_text() == f"{content}\n"
    assert (content / "places").read_text() == f"{content} {content}\n"
    assert (await server.store.releases.active(APP)).project == "part"
    # a rollback finds the jobs in the same place
    row = await server.deploy(repo.head())
    assert row.status == "success"
    assert server.pid("t")


async def test_actions_run_in_order_after_each_success_and_only_warn(server, repo):
    await server.store.apps.merge_settings(APP, {"SCM_POST_DEPLOYMENT_ACTIONS_PATH": "after"})
    data = server.paths.data
    repo.write("after/2.sh", f"echo two $SCM_COMMIT_ID >> {data}/actions\n")
    repo.write("after/1", f"#!/bin/sh\necho one >> {data}/actions; exit 3\n", executable=True)
    repo.write("after/0.cmd", "rem\n")
    repo.write("after/readme.txt", "no script")
    text = await deployed(server, repo)
    assert "after/0.cmd isn't run: it is a script of Windows." in text
    assert "After the deployment: after/1 ended with exit code 3." in text
    assert (data / "actions").read_text() == f"one\ntwo {repo.head()}\n"
    assert (await server.deploy(repo.head())).status == "success"
    assert (data / "actions").read_text().count("one") == 2


async def test_actions_do_not_run_where_a_deployment_fails(server, repo):
    repo.write(
        ".deployment", "[config]\ncommand = false\nSCM_POST_DEPLOYMENT_ACTIONS_PATH = after\n"
    )
    repo.write("after/1.sh", f"touch {server.paths.data}/actions\n")
    await failed(server, repo)
    assert not (server.paths.data / "actions").exists()


async def test_actions_that_are_missing_are_a_warning(server, repo):
    await server.store.apps.merge_settings(APP, {"SCM_POST_DEPLOYMENT_ACTIONS_PATH": "../x"})
    assert "isn't a path inside the repository" in await deployed(server, repo)
    await server.store.apps.merge_settings(APP, {"SCM_POST_DEPLOYMENT_ACTIONS_PATH": "after"})
    repo.write("x", "")
    assert "SCM_POST_DEPLOYMENT_ACTIONS_PATH = after: there is no" in await deployed(server, repo)


@pytest.mark.parametrize(
    ("file", "settings", "option", "fails"),
    [
        ("", {}, False, False),
        ("strict = true\n", {}, False, True),
        ("", {"GITDEPLOY_STRICT": "true"}, False, True),
        ("strict = true\n", {"GITDEPLOY_STRICT": "0"}, False, False),
        ("strict = false\n", {}, True, False),
        ("", {"STRICT": "a variable of the app's own"}, False, False),
    ],
)
async def test_strict_mode_is_chosen_by_setting_file_and_option(
    make_server, file, settings, option, fails
):
    server = await make_server(strict=option)
    repo = await server.app()
    await server.store.apps.merge_settings(APP, settings)
    repo.write(".deployment", f"[config]\n{file}")
    repo.job("triggered/empty", "", "notes.txt")
    if fails:
        record = await failed(server, repo)
        assert record["step"] == "validate"
        assert "App_Data/jobs/triggered/empty" in record["what"]
    else:
        await deployed(server, repo)


async def test_a_strict_that_is_no_boolean_is_named(server, repo):
    repo.write(".deployment", "[config]\nstrict = perhaps\n")
    assert "strict = perhaps" in (await failed(server, repo))["what"]
