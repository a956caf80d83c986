"""Pushes, as the pushing client sees them."""

from __future__ import annotations

import asyncio
import os

import pytest

from gitdeploy.repos import ZERO, RefUpdate
from tests.support import eventually, git

APP = "demo"


async def test_a_first_push_starts_its_job_and_tells_so(server, repo):
    repo.ticker()
    repo.job("triggered/report", "echo report\n", "run.sh")
    repo.commit("Add ticker")
    lines = await server.push(repo.push())
    text = "\n".join(lines)
    assert lines[0] == f"gitdeploy · demo · {repo.head()[:7]} “Add ticker”"
    assert "checkout   2 files" in text
    assert "build      no build needed" in text
    assert "+ continuous/ticker   + triggered/report" in text
    assert "deployed   release 1 in" in lines[-1]
    assert lines[-1].endswith("http://test/ui/demo/")
    assert server.pid("ticker")
    assert os.readlink(server.paths.current) == "releases/1"
    row = await server.store.deployments.get(APP, repo.head())
    assert (row.status, row.active, row.release, row.attempt) == ("success", True, 1, 1)
    assert (row.author, row.message, row.deployer) == ("Ada Lovelace", "Add ticker\n", "ada")
    assert row.received_at <= row.started_at <= row.ended_at


async def test_a_push_that_touches_no_job_keeps_its_pid(server, repo):
    repo.ticker()
    repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    repo.write("README.md", "new words")
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "= continuous/ticker" in text
    assert server.pid("ticker") == before


async def test_a_changed_job_is_swapped(server, repo):
    repo.ticker()
    repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    repo.ticker(version="2")
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "~ continuous/ticker" in text
    assert f"ticker  pid {before} → {server.pid('ticker')}" in text
    assert server.pid("ticker") != before


async def test_a_job_that_dies_at_once_fails_the_deployment_and_the_old_one_stays(server, repo):
    repo.ticker()
    first = repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    repo.job("continuous/ticker", "import sys\nsys.exit('no database')\n")
    second = repo.commit()
    lines = await server.push(repo.push())
    text = "\n".join(lines)
    assert "no database" in text
    assert "failed     activate:" in text
    assert text.index("FIX") < text.index("failed ")
    assert server.pid("ticker") == before
    assert os.readlink(server.paths.current) == "releases/1"
    assert not server.paths.release(2).exists()
    rows = {r.id: r for r in await server.store.deployments.newest(APP)}
    assert (rows[first].active, rows[second].active) == (True, False)
    assert rows[second].status == "failed"
    assert "ticker" in rows[second].status_text
    assert [r.number for r in await server.store.releases.on_disk(APP)] == [1]


async def test_a_removed_job_stops(server, repo):
    repo.ticker("one")
    repo.ticker("two")
    repo.commit()
    await server.push(repo.push())
    git("rm", "-rqf", "App_Data/jobs/continuous/two", cwd=repo.path)
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "- continuous/two" in text
    assert server.pid("two") is None
    assert server.pid("one")


async def test_another_branch_is_stored_and_not_deployed(server, repo):
    repo.commit()
    await server.push(repo.push())
    repo.write("x", "y")
    commit = repo.commit()
    lines = await server.push(repo.push("dev"))
    assert any("dev is stored, not deployed" in line for line in lines)
    assert await server.store.deployments.get(APP, commit) is None


async def test_the_only_branch_of_the_first_push_becomes_the_apps_branch(server, repo):
    repo.ticker()
    repo.commit()
    lines = await server.push(repo.push("trunk"))
    assert "deployed" in lines[-1]
    assert (await server.store.apps.get(APP)).branch == "trunk"
    bare = server.paths.repository
    assert git("symbolic-ref", "HEAD", cwd=bare).stdout.strip() == "refs/heads/trunk"
    repo.write("README.md", "x")
    repo.commit()
    assert "deployed" in (await server.push(repo.push("trunk")))[-1]


async def test_deleting_the_deployment_branch_leaves_what_runs(server, repo):
    repo.ticker()
    commit = repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    lines = await server.push(RefUpdate("refs/heads/main", commit, ZERO))
    assert any("main was deleted" in line for line in lines)
    assert server.pid("ticker") == before


async def test_a_push_with_deploy_skip_stores_only(server, repo):
    commit = repo.commit()
    lines = await server.push(repo.push(), options=("gitdeploy.deploy=skip",))
    assert "main is stored, not deployed" in lines[0]
    assert await server.store.deployments.get(APP, commit) is None


async def test_a_push_with_wait_false_returns_at_once_and_deploys(server, repo):
    repo.ticker()
    commit = repo.commit()
    lines = await server.push(repo.push(), options=("gitdeploy.wait=false",))
    assert len(lines) == 1
    assert "http://test/ui/demo/" in lines[0]
    row = await server.deployer.wait(APP, commit, 1)
    assert row.status == "success"


async def test_colours_come_only_when_asked_for(server, repo):
    repo.commit()
    plain = await server.push(repo.push())
    repo.commit()
    coloured = await server.push(repo.push(), options=("gitdeploy.color=always",))
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[" in line for line in coloured)


async def test_an_unknown_option_is_told_and_the_push_deploys(server, repo):
    repo.commit()
    lines = await server.push(repo.push(), options=("gitdeploy.waite=false",))
    assert "gitdeploy.waite isn't an option" in lines[0]
    assert "deployed" in lines[-1]


async def test_a_client_that_leaves_does_not_stop_the_deployment(server, repo):
    repo.write(".deployment", "[config]\ncommand = echo begun; sleep 1; touch built\n")
    commit = repo.commit()
    update = repo.push()
    from gitdeploy.repos import Caller, Push

    push = Push(app=APP, updates=(update,), options=(), caller=Caller(who="a", address="x"))
    stream = server.deployer.post_receive(push)
    async for line in stream:
        if "begun" in line and "$" not in line:
            break
    await stream.aclose()
    assert server.deployer.busy(APP)
    row = await server.deployer.wait(APP, commit, 1)
    assert row.status == "success"
    assert (server.paths.release(1) / "built").exists()


async def test_a_push_waits_for_its_turn_and_says_so(server, repo):
    repo.write(".deployment", "[config]\ncommand = sleep 1\n")
    repo.commit("one")
    first = repo.push()
    repo.commit("two")
    one = asyncio.create_task(server.push(first))
    await eventually(lambda: server.deployer.busy(APP))
    lines = await server.push(repo.push())
    assert lines[0].startswith("waiting")
    assert "“two”" in lines[1]
    assert "deployed   release 2" in lines[-1]
    assert "deployed   release 1" in (await one)[-1]


@pytest.mark.parametrize("strict", [False, True])
async def test_a_broken_schedule_is_told_and_fails_only_where_strict(make_server, strict):
    server = await make_server(strict=strict)
    repo = await server.app()
    repo.ticker()
    repo.job("triggered/mail", "echo\n", "run.sh")
    repo.write("App_Data/jobs/triggered/mail/settings.job", '{"schedule": "*/5 * * * *"}')
    repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "settings.job" in text
    assert "schedule" in text
    assert ("deployed" in text) is not strict
    assert bool(server.pid("ticker")) is not strict
    if strict:
        assert "failed     validate:" in text


async def test_a_push_with_cancel_ends_the_deployment_before_it_and_leaves_no_trace(server, repo):
    repo.write(".deployment", "[config]\ncommand = echo $$ > pid; sleep 1000\n")
    first = repo.commit("one")
    await server.push(repo.push(), options=("gitdeploy.wait=false",))
    pid_file = server.paths.release(1) / "pid"
    await eventually(lambda: pid_file.exists() and pid_file.read_text().strip())
    repo.write(".deployment", "[config]\ncommand = true\n")
    repo.commit("two")
    lines = await server.push(repo.push(), options=("gitdeploy.cancel",))
    assert lines[0] == f"cancelled  deployment {first[:10]}"
    assert "deployed" in lines[-1]
    row = await server.store.deployments.get(APP, first)
    assert (row.status, row.status_text) == ("failed", "Cancelled by ada.")
    assert not server.paths.release(1).exists()
    assert sorted(p.name for p in server.paths.releases.iterdir()) == ["2", "2.json"]


async def test_a_push_behind_a_roll_back_says_that_the_active_release_isnt_its_parent(server, repo):
    first = repo.commit("one")
    await server.push(repo.push())
    second = repo.commit("two")
    await server.push(repo.push())
    await server.deploy(first)
    repo.commit("three")
    lines = await server.push(repo.push())
    assert f"active release 1 is {first[:7]}, not {second[:7]}" in lines[0]
    repo.commit("four")
    assert not any("active release" in line for line in await server.push(repo.push()))
