"""A developer with a remote called deploy: from `git push` to what runs, seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal

from tests.scenarios.actors import Developer, Server
from tests.support import eventually, git

TICKER = """
import os, time
print("ticker starts", flush=True)
while not os.path.exists(os.environ["WEBJOBS_SHUTDOWN_FILE"]):
    print("tick", flush=True)
    time.sleep(0.05)
print("ticker ends", flush=True)
"""


async def test_a_first_push_makes_the_app_and_starts_its_jobs(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.job("triggered/report", "run.sh", "echo hello from $WEBJOBS_NAME\n")
    words = await repo.push(message="Add ticker")
    for expected in (
        r"remote: gitdeploy · demo · [0-9a-f]{7} “Add ticker”",
        r"remote: checkout   2 files +\d+ ms",
        r"remote: build      no build needed",
        r"remote: jobs .*\+ continuous/ticker.*\+ triggered/report",
        r"remote: deployed   release 1 in [\d.]+ s · http://127\.0\.0\.1:\d+/ui/demo/",
        r"\* \[new branch\] +main -> main",
    ):
        assert re.search(expected, words), (expected, words)
    await server.says("ticker", "tick")
    assert (await server.job("ticker"))["status"] == "Running"
    run = await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run", status=202)
    location = server.headers["Location"]

    async def ended() -> object:
        found = await server.call("GET", location)
        return found if found["status"] not in ("Initializing", "Running") else None

    run = await eventually(ended)
    assert (run["status"], run["exit_code"]) == ("Success", 0)
    assert "hello from report" in await server.call("GET", run["output_url"])


async def test_an_untouched_job_keeps_its_pid_through_a_push(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    await repo.push()
    before = await server.pid("ticker")
    repo.write("README.md", "new words")
    words = await repo.push()
    assert "= continuous/ticker" in words
    assert await server.pid("ticker") == before is not None


async def test_shared_code_that_changed_swaps_the_jobs_that_may_use_it(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.write("lib/shared.py", "X = 1\n")
    await repo.push()
    before = await server.pid("ticker")
    repo.write("lib/shared.py", "X = 2\n")
    words = await repo.push()
    assert "~ continuous/ticker" in words
    assert await server.pid("ticker") != before


async def test_a_changed_job_is_swapped_with_overlap(server: Server, repo: Developer) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    await repo.push()
    await server.says("ticker", "tick")
    before = await server.pid("ticker")
    repo.job("continuous/ticker", "run.py", TICKER.replace('"tick"', '"tock"'))
    words = await repo.push()
    after = await server.pid("ticker")
    assert re.search(rf"remote: swap +ticker +pid {before} → {after}", words), words
    await server.says("ticker", "tock")
    output = (await server.output("ticker")).splitlines()
    starts = [n for n, line in enumerate(output) if "ticker starts" in line]
    end = next(n for n, line in enumerate(output) if "ticker ends" in line)
    assert len(starts) == 2
    assert starts[1] < end, "the new one starts before the old one ends"


async def test_a_singleton_stops_before_its_successor_starts(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER, {"is_singleton": True})
    await repo.push()
    await server.says("ticker", "tick")
    repo.job("continuous/ticker", "run.py", TICKER + "#\n", {"is_singleton": True})
    await repo.push()
    output = (await server.output("ticker")).splitlines()
    starts = [n for n, line in enumerate(output) if "ticker starts" in line]
    end = next(n for n, line in enumerate(output) if "ticker ends" in line)
    assert end < starts[1]


async def test_a_job_that_dies_at_once_fails_the_deployment_and_the_old_one_keeps_running(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    good = repo.commit("good")
    await repo.push(commit=False)
    before = await server.pid("ticker")
    repo.job("continuous/ticker", "run.py", "raise SystemExit('out of ticks')\n")
    bad = repo.commit("bad")
    words = await repo.push(commit=False)
    assert "out of ticks" in words
    assert "deployed" not in words
    assert await server.pid("ticker") == before
    assert (await server.job("ticker"))["status"] == "Running"
    failed = await server.call("GET", f"/apps/demo/api/deployments/{bad}")
    assert (failed["status"], failed["active"], failed["complete"]) == (3, False, True)
    kept = await server.call("GET", f"/apps/demo/api/deployments/{good}")
    assert (kept["status"], kept["active"]) == (4, True)
    assert git("ls-remote", "deploy", "main", cwd=repo.path).stdout.startswith(bad)


async def test_a_removed_job_stops(server: Server, repo: Developer) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.job("continuous/other", "run.py", TICKER)
    await repo.push()
    git("rm", "-rq", "App_Data/jobs/continuous/ticker", cwd=repo.path)
    words = await repo.push()
    assert "- continuous/ticker" in words
    await server.call("GET", "/apps/demo/api/continuouswebjobs/ticker", status=404)
    assert [j["name"] for j in await server.call("GET", "/apps/demo/api/continuouswebjobs")] == [
        "other"
    ]


async def test_what_is_wrong_with_one_job_is_told_and_the_others_run(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.job("triggered/weekly", "run.sh", "echo\n", {"schedule": "0 6 * * MON"})
    repo.write("App_Data/jobs/triggered/empty/notes.txt", "nothing to run")
    words = await repo.push()
    assert "App_Data/jobs/triggered/weekly/settings.job" in words
    assert "schedule" in words
    assert "0 0 6 * * MON" in words, "the six-field spelling is the fix"
    assert "no runnable script file was found" in words
    assert "deployed" in words
    assert (await server.job("ticker"))["status"] == "Running"
    weekly = await server.job("weekly", kind="triggered")
    assert "schedule" in weekly["error"]
    empty = await server.job("empty", kind="triggered")
    assert empty["error"] == "No runnable script file was found."


async def test_another_branch_is_stored_and_says_that_it_is_not_deployed(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    await repo.push()
    words = await repo.push("deploy", "main:topic")
    assert "topic" in words
    assert "not deployed" in words
    assert len(await server.call("GET", "/apps/demo/api/deployments")) == 1


async def test_the_only_branch_of_a_first_push_is_the_one_that_deploys(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    words = await repo.push("deploy", "main:trunk")
    assert "deployed" in words
    assert (await server.call("GET", "/api/apps/demo"))["branch"] == "trunk"


async def test_push_options_skip_and_do_not_wait(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    words = await repo.push("-o", "gitdeploy.deploy=skip", "deploy", "main")
    assert "deployed   release" not in words
    assert await server.call("GET", "/apps/demo/api/deployments") == []
    repo.write("x", "1")
    words = await repo.push("-o", "gitdeploy.wait=false", "deploy", "main")
    assert "deployed   release" not in words

    async def done() -> object:
        found = await server.call("GET", "/apps/demo/api/deployments/latest", status=(200, 202))
        return found["complete"]

    await eventually(done)


async def test_colours_come_only_when_asked_for(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    assert "\x1b[" not in await repo.push()
    coloured = await repo.push("-o", "gitdeploy.color=always", "deploy", "main")
    assert "\x1b[" in coloured


async def test_rolling_back_activates_the_kept_release_without_a_build(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    first = repo.commit("one")
    await repo.push(commit=False)
    repo.job("continuous/ticker", "run.py", TICKER.replace('"tick"', '"tock"'))
    second = repo.commit("two")
    await repo.push(commit=False)
    await server.says("ticker", "tock")
    await server.call("PUT", f"/apps/demo/api/deployments/{first}", {})

    async def active() -> bool:
        found = await server.call("GET", f"/apps/demo/api/deployments/{first}")
        return bool(found["active"] and found["complete"])

    await eventually(active)
    assert not (await server.call("GET", f"/apps/demo/api/deployments/{second}"))["active"]
    log = await server.call("GET", f"/apps/demo/api/deployments/{first}/log")
    assert log, "the log of both attempts"
    await eventually(
        lambda: _last_line_is(server, "tick"), what="the first release's job runs again"
    )


async def _last_line_is(server: Server, word: str) -> bool:
    return (await server.output("ticker")).splitlines()[-1].endswith(word)


async def test_a_build_streams_its_output_and_its_failure_leaves_the_old_release(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/report", "run.sh", "cat ../../../../made.txt\n")
    repo.write(".deployment", "[config]\ncommand = sh build.sh\n")
    repo.write("build.sh", "echo compiling; echo made by the build > made.txt\n")
    words = await repo.push()
    assert "compiling" in words
    run = await _run(server, "report")
    assert "made by the build" in run
    repo.write("build.sh", "echo it breaks here; exit 3\n")
    words = await repo.push()
    assert "it breaks here" in words
    assert re.search(r"exit code 3|code 3", words)
    assert "made by the build" in await _run(server, "report")


async def _run(server: Server, job: str, query: str = "", *, app: str = "demo") -> str:
    """Follow a run to its end; all it wrote."""
    lines: list[str] = []
    path = f"/apps/{app}/api/triggeredwebjobs/{job}/run?follow=true{query}"
    async with server.stream("POST", path) as stream:
        async for line in stream:
            record = json.loads(line)
            if record["event"] == "job.output":
                lines.append(record["line"])
    assert "exit_code" in record, record
    return "\n".join(lines)


async def test_a_client_that_leaves_does_not_stop_the_deployment(
    server: Server, repo: Developer
) -> None:
    repo.write(".deployment", "[config]\ncommand = sh build.sh\n")
    repo.write("build.sh", "echo building; sleep 1; echo built\n")
    repo.job("continuous/ticker", "run.py", TICKER)
    repo.commit("slow")
    process = await asyncio.create_subprocess_exec(
        "git",
        "push",
        "deploy",
        "main",
        cwd=repo.path,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    while b"building" not in await asyncio.wait_for(process.stderr.readline(), 20):
        pass
    os.killpg(process.pid, signal.SIGKILL)  # git-remote-http, which holds the connection, too
    await process.wait()
    latest = "/apps/demo/api/deployments/latest"
    assert not (await server.call("GET", latest, status=202))["complete"]

    async def complete() -> bool:
        return bool((await server.call("GET", latest))["complete"])

    await eventually(complete)
    await server.says("ticker", "tick")


async def test_releases_are_pruned_to_the_newest(server: Server, repo: Developer) -> None:
    repo.job("triggered/report", "run.sh", "echo\n")
    for number in range(8):
        repo.write("n", str(number))
        await repo.push()
    left = sorted(int(p.name) for p in (server.home / "apps/demo/releases").iterdir() if p.is_dir())
    assert left == [4, 5, 6, 7, 8]
    assert (server.home / "apps/demo/current/n").read_text() == "7"
