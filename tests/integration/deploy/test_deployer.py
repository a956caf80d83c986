"""Deploying through the API: redeploy, roll back, busy, recovery, pruning."""

from __future__ import annotations

import asyncio
import os

import pytest

from gitdeploy.deploy.releases import read_meta
from gitdeploy.errors import Conflict, NotFound
from gitdeploy.store import Deployment, StoreError
from tests.support import eventually

APP = "demo"


async def test_rolling_back_activates_the_old_release_without_a_build(server, repo):
    repo.write(".deployment", "[config]\ncommand = date +%N > built\n")
    repo.ticker(version="1")
    first = repo.commit()
    await server.push(repo.push())
    built = (server.paths.release(1) / "built").read_text()
    repo.ticker(version="2")
    second = repo.commit()
    await server.push(repo.push())
    row = await server.deploy(first[:10])
    assert (row.id, row.status, row.attempt, row.release, row.active) == (
        first,
        "success",
        2,
        1,
        True,
    )
    assert os.readlink(server.paths.current) == "releases/1"
    assert (server.paths.release(1) / "built").read_text() == built
    assert not (await server.store.deployments.get(APP, second)).active
    records = await server.records(first)
    assert records[0]["event"] == "deploy.started"
    assert {r["attempt"] for r in records} == {2}
    assert records[-1]["event"] == "deploy.succeeded"
    assert not any(r["event"] == "build.command" for r in records)


async def test_a_clean_deployment_is_built_anew(server, repo):
    repo.write(".deployment", "[config]\ncommand = touch built\n")
    commit = repo.commit()
    await server.push(repo.push())
    row = await server.deploy(commit, clean=True)
    assert row.release == 2
    assert (server.paths.release(2) / "built").exists()


async def test_deploying_the_active_commit_again_restarts_nothing(server, repo):
    repo.ticker()
    commit = repo.commit()
    await server.push(repo.push())
    before = server.pid("ticker")
    row = await server.deploy(commit)
    assert (row.status, row.attempt, row.release) == ("success", 2, 1)
    assert server.pid("ticker") == before


async def test_a_failed_rollback_leaves_the_active_release(server, repo):
    repo.job(
        "continuous/t",
        "import os, sys, time\nif os.path.exists(os.environ['FLAG']): sys.exit(3)\ntime.sleep(99)\n",
    )
    flag = server.paths.job_data("continuous", "t") / "flag"
    await server.store.apps.merge_settings(APP, {"FLAG": str(flag)})
    first = repo.commit()
    await server.push(repo.push())
    repo.ticker("t")
    repo.commit()
    await server.push(repo.push())
    before = server.pid("t")
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.touch()
    row = await server.deploy(first)
    assert row.status == "failed"
    assert not row.active
    assert server.pid("t") == before
    assert server.paths.release(1).is_dir()
    assert os.readlink(server.paths.current) == "releases/2"


async def test_a_busy_app_refuses_the_api_and_queues_the_patient(server, repo):
    repo.write(".deployment", "[config]\ncommand = sleep 1\n")
    one = repo.commit("one")
    repo.push()
    two = repo.commit("two")
    repo.push()

    def deploy(commit, wait_turn):
        return server.deployer.deploy(
            APP, commit, ref=None, trigger="api", deployer="a", wait_turn=wait_turn
        )

    first, second = await asyncio.gather(
        deploy(one, False), deploy(two, False), return_exceptions=True
    )
    assert first.id == one
    assert isinstance(second, Conflict)
    assert server.deployer.busy(APP)
    waiting = await deploy(two, True)
    assert waiting.status == "pending"
    joined = await deploy(two, True)
    assert joined.attempt == waiting.attempt
    ended = await server.deployer.wait(APP, two, waiting.attempt)
    assert (ended.status, ended.release) == ("success", 2)
    assert not server.deployer.busy(APP)


async def test_the_same_commit_pushed_while_it_is_deployed_becomes_a_second_attempt(server, repo):
    repo.write(".deployment", "[config]\ncommand = sleep 0.5\n")
    commit = repo.commit()
    repo.push()
    first = asyncio.create_task(server.deploy(commit))
    await eventually(lambda: server.paths.release(1).exists())
    second = await server.deploy(commit)
    assert (second.attempt, second.status) == (2, "success")
    assert (await first).status == "success"


@pytest.mark.parametrize("revision", ["f" * 40, "nobranch", "../x"])
async def test_an_unknown_commit_is_not_found(server, repo, revision):
    repo.commit()
    repo.push()
    with pytest.raises(NotFound):
        await server.deploy(revision)
    with pytest.raises(NotFound):
        await server.deployer.wait(APP, revision, 1)
    with pytest.raises(NotFound):
        await server.records(revision)


async def test_a_follower_that_comes_late_reads_the_whole_log(server, repo):
    repo.ticker()
    commit = repo.commit()
    await server.push(repo.push())
    records = await server.records(commit)
    steps = [r["step"] for r in records if r["event"] == "step.finished"]
    assert steps == ["checkout", "build", "discover", "validate", "activate", "prune"]
    assert all(r["duration_ms"] >= 0 for r in records if r["event"] == "step.finished")
    middle = [e async for e in server.deployer.follow(APP, commit)][3]
    rest = [e.record async for e in server.deployer.follow(APP, commit, after=middle.id)]
    assert rest == records[4:]


async def test_only_the_newest_the_active_and_the_used_releases_stay(make_server):
    server = await make_server(keep_releases=2)
    repo = await server.app()
    repo.ticker()  # lives in release 1 for good
    repo.commit()
    await server.push(repo.push())
    for number in range(4):
        repo.write("README.md", str(number))
        repo.commit()
        await server.push(repo.push())
    on_disk = [r.number for r in await server.store.releases.on_disk(APP)]
    assert on_disk == [5, 4, 1]
    names = {p.name for p in server.paths.releases.iterdir()}
    assert names == {"1", "1.json", "4", "4.json", "5", "5.json"}


async def test_of_old_deployments_neither_rows_nor_logs_are_kept(make_server, monkeypatch):
    monkeypatch.setattr("gitdeploy.deploy.prune._KEPT_LOGS", 3)
    server = await make_server(keep_releases=1)
    repo = await server.app()
    commits = []
    for number in range(5):
        repo.write("n", str(number))
        commits.append(repo.commit())
        await server.push(repo.push())
    assert {p.name for p in (server.paths.root / "deployments").iterdir()} == set(commits[2:])
    assert [d.id for d in await server.store.deployments.newest(APP)] == commits[:1:-1]
    again = await server.deploy(commits[0])
    assert (again.status, again.attempt) == ("success", 1)
    assert (await server.records(commits[0]))[-1]["event"] == "deploy.succeeded"


async def test_the_releases_manifest_is_git_ls_tree(server, repo):
    repo.ticker()
    repo.write("bin/run", "#!/bin/sh\n", executable=True)
    repo.commit()
    await server.push(repo.push())
    from tests.support import git

    listed = git("ls-tree", "-r", "HEAD", cwd=repo.path).stdout.splitlines()
    expected = {}
    for line in listed:
        meta, path = line.split("\t")
        expected[path] = (int(meta.split()[0], 8), meta.split()[2])
    assert read_meta(server.paths, 1).manifest == expected


async def test_closing_cuts_off_a_build_and_records_it(make_server):
    server = await make_server()
    repo = await server.app()
    marker = "gitdeploy-test-cut-off"
    repo.write(".deployment", f"[config]\ncommand = sh -c 'echo begun; sleep 77' {marker}\n")
    commit = repo.commit()
    repo.push()
    task = asyncio.create_task(server.deploy(commit))
    await eventually(lambda: processes(marker))
    await server.deployer.close()
    row = await task
    assert row.status == "failed"
    assert "stopped" in row.status_text
    assert not processes(marker)
    assert not server.paths.release(1).exists()
    with pytest.raises(Conflict):
        await server.deploy(commit)


async def test_a_deployment_cut_off_by_a_crash_is_failed_at_the_next_start(server, repo):
    repo.ticker()
    commit = repo.commit()
    await server.push(repo.push())
    store, clock = server.store, server.clock
    begun = Deployment(
        app=APP,
        id=commit,
        attempt=1,
        status="pending",
        received_at=clock.now(),
        instance="one",
        trigger="api",
        log_from=server.events.deployment_journal(APP, commit).end,
    )
    await store.deployments.begin(begun)
    await store.deployments.advance(APP, commit, "pending", "building", started_at=clock.now())
    half = await store.releases.add(APP, commit, at=clock.now())
    server.paths.release(half.number).mkdir()
    server.paths.current.unlink()
    (server.paths.releases / "9").mkdir()

    await server.make_deployer().start()

    row = await store.deployments.get(APP, commit)
    assert (row.status, row.release, row.active) == ("failed", 1, True)
    assert [r.number for r in await store.releases.on_disk(APP)] == [1]
    assert sorted(p.name for p in server.paths.releases.iterdir()) == ["1", "1.json"]
    assert os.readlink(server.paths.current) == "releases/1"
    assert (await server.records(commit))[-1]["event"] == "deploy.failed"


async def test_a_deployment_that_was_activated_before_the_crash_has_succeeded(server, repo):
    commit = repo.commit()
    await server.push(repo.push())
    store, clock = server.store, server.clock
    await store.deployments.begin(
        Deployment(
            app=APP,
            id=commit,
            attempt=1,
            status="pending",
            received_at=clock.now(),
            instance="one",
            trigger="api",
        )
    )
    await store.deployments.advance(APP, commit, "pending", "deploying", started_at=clock.now())
    await store.releases.activate(APP, 1, [], at=clock.now())
    await server.make_deployer().start()
    assert (await store.deployments.get(APP, commit)).status == "success"


def processes(marker: str) -> list[int]:
    """Pids whose command line has the marker."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if marker.encode() in file.read():
                        found.append(int(name))
            except OSError:
                continue
    return found


async def test_an_attempt_whose_turn_never_came_is_recorded_and_its_followers_leave(server, repo):
    repo.write(".deployment", "[config]\ncommand = sleep 77\n")
    one, two = repo.commit("one"), repo.commit("two")
    repo.push()
    first = asyncio.create_task(server.deploy(one))
    await eventually(lambda: server.paths.release(1).exists())
    second = asyncio.create_task(server.deploy(two))
    await eventually(lambda: server.store.deployments.get(APP, two))
    follower = asyncio.create_task(server.records(two))
    await asyncio.sleep(0)
    await server.deployer.close()
    assert {(await first).status, (await second).status} == {"failed"}
    assert (await follower)[-1]["event"] == "deploy.failed"


async def test_an_attempt_cancelled_before_its_first_step_is_recorded(server, repo):
    commit = repo.commit()
    repo.push()
    row = await server.deployer.deploy(
        APP, commit, ref=None, trigger="api", deployer="a", wait_turn=True
    )
    await server.deployer.close()
    assert (await server.deployer.wait(APP, commit, row.attempt)).status == "failed"


async def test_followers_leave_where_the_end_cannot_be_recorded(server, repo, monkeypatch):
    repo.ticker()
    commit = repo.commit()
    repo.push()

    async def broken(*_: object, **__: object) -> None:
        raise StoreError("The store can't be written: disk full.")

    monkeypatch.setattr(server.store.releases, "active", broken)
    monkeypatch.setattr(server.store.releases, "on_disk", broken)
    monkeypatch.setattr(server.store.deployments, "advance", broken)
    row = await server.deployer.deploy(
        APP, commit, ref=None, trigger="api", deployer="a", wait_turn=True
    )
    records = await asyncio.wait_for(server.records(commit), 10)
    assert records[0]["event"] == "deploy.started"
    await asyncio.wait_for(server.deployer.wait(APP, commit, row.attempt), 10)
    assert not server.deployer.busy(APP)


async def test_a_bug_in_a_step_is_told_without_its_trace(server, repo, monkeypatch):
    def bug(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("gitdeploy.deploy.build.layout", bug)
    commit = repo.commit()
    text = "\n".join(await server.push(repo.push()))
    assert "gitdeploy itself failed" in text
    assert "secret detail" not in text
    assert not any("secret detail" in str(r) for r in await server.records(commit))
    server.stderr.flush()
    assert "ZeroDivisionError: secret detail" in (server.root / "server.log").read_text()


async def test_what_fails_once_a_release_is_active_is_a_warning(server, repo, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gitdeploy.deploy.prune.discard_environments", full)
    repo.ticker()
    commit = repo.commit()
    lines = await server.push(repo.push())
    assert any("disk is full" in line for line in lines)
    assert "deployed" in lines[-1]
    row = await server.store.deployments.get(APP, commit)
    assert (row.status, row.active) == ("success", True)
    assert server.paths.release(1).is_dir()


async def test_a_deployment_cancelled_while_it_is_recorded_never_begins(server, repo, monkeypatch):
    commit = repo.commit()
    repo.push()
    recording, go_on = asyncio.Event(), asyncio.Event()
    begin = server.store.deployments.begin_with_release

    async def slowly(*arguments, **named):
        recording.set()
        await go_on.wait()
        return await begin(*arguments, **named)

    monkeypatch.setattr(server.store.deployments, "begin_with_release", slowly)
    deploying = asyncio.create_task(server.deploy(commit))
    await recording.wait()
    cancelling = asyncio.create_task(server.deployer.cancel(APP, commit, who="ada"))
    await asyncio.sleep(0)
    go_on.set()
    assert (await cancelling).status_text == "Cancelled by ada."
    assert (await deploying).status == "failed"
    assert not server.deployer.busy(APP)
    assert not server.paths.releases.exists() or not list(server.paths.releases.iterdir())


async def test_rolling_back_doesnt_wait_for_what_has_proven_itself(make_server):
    """The job restarts all the time, and a grace of half a minute would be a long roll back."""
    server = await make_server(swap_grace=0.2)
    repo = await server.app()
    repo.job("continuous/dies", "import sys; sys.exit(0)\n")
    first = repo.commit()
    await server.push(repo.push())
    repo.job("continuous/dies", "import sys; sys.exit(0)  # again\n")
    repo.commit()
    await server.push(repo.push())
    server.options.swap_grace = 30.0
    back = await asyncio.wait_for(server.deploy(first), 20)
    assert (back.status, back.active, back.attempt) == ("success", True, 2)
