"""kill -9 of the server touches no job; the next start takes them up where they are."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.scenarios.actors import Developer, Server
from tests.support import eventually

COUNTER = """
import time
n = 0
while True:
    n += 1
    print("count", n, flush=True)
    time.sleep(0.02)
"""


def numbers(text: str) -> list[int]:
    return [int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if "count" in line]


async def test_a_job_counts_on_while_the_server_is_dead_and_is_adopted(
    server: Server, repo: Developer
) -> None:
    repo.job("continuous/counter", "run.py", COUNTER)
    await repo.push()
    await server.says("counter", "count 10")
    pid = await server.pid("counter")
    assert pid is not None
    await server.kill()
    os.kill(pid, 0)
    await asyncio.sleep(0.3)  # the time without a server is what is tested
    await server.start()
    assert await server.pid("counter") == pid
    seen = numbers(await server.output("counter"))
    assert seen == list(range(1, len(seen) + 1)), "no line is lost, cut or told twice"
    more = len(seen)
    await eventually(lambda: _count(server, more + 20), what="new lines after adoption")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: _pid_is_not(server, pid), what="its death is noticed")


async def _count(server: Server, least: int) -> bool:
    return len(numbers(await server.output("counter"))) >= least


async def _pid_is_not(server: Server, pid: int) -> bool:
    return await server.pid("counter") != pid


async def test_exit_codes_that_were_missed_are_learned(
    server: Server, repo: Developer, tmp_path: Path
) -> None:
    repo.job("triggered/slow", "run.sh", "echo begin; sleep 1; echo end; exit 42\n")
    await repo.push()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/slow/run", status=202)
    location = server.headers["Location"].split("://", 1)[1].split("/", 1)[1]
    await server.kill()
    await asyncio.sleep(1.5)  # the run ends while nobody watches
    await server.start()

    async def ended() -> object:
        run = await server.call("GET", "/" + location)
        return run if run["status"] not in ("Initializing", "Running") else None

    run = await eventually(ended)
    assert (run["status"], run["exit_code"]) == ("Failed", 42)
    output = await server.call("GET", run["output_url"])
    assert "begin" in output
    assert "end" in output


async def test_a_run_that_goes_on_is_still_the_only_one_after_a_restart(
    server: Server, repo: Developer
) -> None:
    repo.job("triggered/slow", "run.sh", "sleep 60\n")
    await repo.push()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/slow/run", status=202)
    await server.kill()
    await server.start()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/slow/run", status=409)
    job = await server.job("slow", kind="triggered")
    assert job["latest_run"]["status"] == "Running"


async def test_sigterm_stops_the_jobs_in_good_order_and_exits_with_0(
    server: Server, repo: Developer
) -> None:
    script = COUNTER.replace(
        "while True:", "import os\nwhile not os.path.exists(os.environ['WEBJOBS_SHUTDOWN_FILE']):"
    )
    repo.job("continuous/counter", "run.py", script + "print('good bye', flush=True)\n")
    await repo.push()
    await server.says("counter", "count 3")
    pid = await server.pid("counter")
    assert await server.end() == 0
    assert not Path(f"/proc/{pid}").exists()
    await server.start()
    assert "good bye" in await server.output("counter")
    again = await server.pid("counter")
    assert again not in (None, pid), "what should run runs again"


async def test_a_deployment_that_a_crash_cut_off_is_told_as_failed(
    server: Server, repo: Developer
) -> None:
    repo.write(".deployment", "[config]\ncommand = echo building && sleep 30\n")
    commit = repo.commit("slow")
    push = asyncio.create_task(repo.push(commit=False, check=False))
    await eventually(lambda: _building(server, commit), what="the build runs")
    await server.kill()
    await push
    await server.start()
    found = await server.call("GET", f"/apps/demo/api/deployments/{commit}")
    assert (found["status"], found["complete"]) == (3, True)
    assert not list((server.home / "apps/demo/releases").glob("[0-9]*"))


async def _building(server: Server, commit: str) -> bool:
    found = await server.call("GET", f"/apps/demo/api/deployments/{commit}", status=(200, 404))
    return bool(found.get("status") == 1)
