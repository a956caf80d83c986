"""The processes of an app's jobs: who is seen, what is told of them, and who can be ended."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from gitdeploy.config import IsolationLevel
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

APP = "/apps/shop"
# It has a child that has one of its own, and one that leaves the session and the family.
FAMILY = """\
import os, subprocess, sys, time
below = "import subprocess, time; subprocess.Popen(['sleep', '300']); time.sleep(300)"
subprocess.Popen([sys.executable, "-c", below, "https://ada:lovelace@example.org/"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "301"])
    os._exit(0)
while True: time.sleep(0.1)
"""
SLOW = "import time\ntime.sleep(300)\n"
JOBS = {
    "App_Data/jobs/continuous/family/run.py": FAMILY,
    "App_Data/jobs/triggered/slow/run.py": SLOW,
}


@pytest.fixture(params=["none", "process", "sandbox"])
def options(request: pytest.FixtureRequest) -> dict[str, IsolationLevel]:
    return {"isolation": request.param}


@pytest.fixture
async def family(admin: Client, shop: Site) -> list[dict[str, Any]]:
    """The continuous job's processes, once all five are there."""
    report = shop.server.holders.report
    if report[shop.server.options.isolation or "none"] != "ok":
        pytest.skip("this level doesn't work here")
    await shop.deploy(JOBS)
    return await eventually(lambda: there(admin, 4))


async def there(admin: Client, count: int, path: str = "/api/processes") -> list[dict[str, Any]]:
    found = (await admin.get(APP + path)).json
    return found if len(found) == count and all(p["name"] != "sh" for p in found) else []


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_all_processes_of_jobs_are_listed_and_no_others(
    admin: Client, family: list[dict[str, Any]]
) -> None:
    job = (await admin.get(f"{APP}/api/continuouswebjobs/family")).json
    assert {p["job"] for p in family} == {"continuous/family"}
    assert [p["name"] for p in family].count("sleep") == 2
    assert job["pid"] in {p["id"] for p in family}
    assert all(p["is_webjob"] and p["user_name"] for p in family)
    for api in ("/api", ""):
        for name in ("processes", "diagnostics/processes"):
            for end in ("", "/"):
                assert (await admin.get(f"{APP}{api}/{name}{end}")).json == family
    started = await admin.ask("POST", f"{APP}/api/triggeredwebjobs/slow/run")
    now = await eventually(lambda: there(admin, 5))
    (run,) = [p for p in now if p["job"] == "triggered/slow"]
    assert run["run"] == started.headers["Location"].rpartition("/")[2]
    assert run["description"] == "The run of triggered/slow"


async def test_a_process_tells_what_it_is_and_has_used(
    admin: Client, family: list[dict[str, Any]]
) -> None:
    first = (await admin.get(f"{APP}/api/continuouswebjobs/family")).json["pid"]
    (brief,) = [p for p in family if p["id"] == first]
    told = (await admin.get(brief["href"])).json
    assert told["name"] == brief["name"] and "python" in told["name"]
    assert told["command_line"].endswith("run.py") and told["file_name"].startswith("/")
    assert told["working_set"] > 1 << 20 and told["virtual_memory"] >= told["working_set"]
    assert told["thread_count"] == 1 and told["total_cpu_time"].startswith("00:00:")
    assert told["start_time"] < told["time_stamp"]
    assert told["parent"].endswith("/api/processes/0")
    assert "environment_variables" not in told
    (child,) = [url for url in told["children"] if url.rpartition("/")[2] != str(first)]
    below = (await admin.get(child)).json
    assert below["parent"] == brief["href"]
    assert below["command_line"].endswith("https://ada:***@example.org/")


async def test_only_the_process_that_is_named_ends_with_what_is_below_it(
    admin: Client, family: list[dict[str, Any]]
) -> None:
    first = (await admin.get(f"{APP}/api/continuouswebjobs/family")).json["pid"]
    child = (await admin.get(f"{APP}/api/processes/{first}")).json["children"][0]
    (grandchild,) = (await admin.get(child)).json["children"]
    ended = {int(url.rpartition("/")[2]) for url in (child, grandchild)}

    assert (await admin.ask("DELETE", child)).status == 204

    assert all(gone(pid) for pid in ended)
    left = await eventually(lambda: there(admin, 2))
    assert {p["id"] for p in left} == {p["id"] for p in family} - ended
    assert (await admin.ask("DELETE", child)).status == 404


async def test_a_jobs_own_process_that_is_ended_counts_as_crashed(
    admin: Client, shop: Site, family: list[dict[str, Any]]
) -> None:
    started = await admin.ask("POST", f"{APP}/api/triggeredwebjobs/slow/run")
    now = await eventually(lambda: there(admin, 5))
    (run,) = [p for p in now if p["job"] == "triggered/slow"]

    assert (await admin.ask("POST", f"{APP}/api/processes/{run['id']}/stop")).status == 204

    async def failed() -> Any:
        found = (await admin.get(started.headers["Location"])).json
        return found if found["end_time"] else None

    ended = await eventually(failed)
    assert (ended["status"], ended["exit_code"], ended["signal"]) == ("Failed", 137, "SIGKILL")
    entries = shop.server.events.app_journal("shop").tail(100)
    killed = [e.record for e in entries if e.record["event"] == "process.killed"]
    assert [(e["pid"], e["who"]) for e in killed] == [(run["id"], "administrator")]


async def test_no_strangers_process_is_seen_or_ended(
    admin: Client, shop: Site, family: list[dict[str, Any]]
) -> None:
    assert (await admin.ask("PUT", "/api/apps/other")).status == 201
    stranger = subprocess.Popen([sys.executable, "-c", SLOW])
    try:
        for pid in (stranger.pid, 1, family[0]["id"]):
            for method in ("GET", "DELETE"):
                assert (await admin.ask(method, f"/apps/other/api/processes/{pid}")).status == 404
        assert (await admin.ask("DELETE", f"{APP}/api/processes/{stranger.pid}")).status == 404
        assert (await admin.get("/apps/other/api/processes")).json == []
        for odd in ("-1", "x", "1e3", "99999999999", "%C2%B2"):
            assert (await admin.get(f"{APP}/api/processes/{odd}")).status == 404
        assert stranger.poll() is None and not gone(family[0]["id"])
    finally:
        stranger.kill()
        stranger.wait()


async def test_the_server_shows_itself_and_isnt_ended_by_an_app(
    admin: Client, family: list[dict[str, Any]]
) -> None:
    for name in ("0", "-", str(os.getpid())):
        told = (await admin.get(f"{APP}/api/processes/{name}")).json
        assert (told["id"], told["name"]) == (os.getpid(), "gitdeploy")
        assert told["is_scm_site"] is True and told["working_set"] > 1 << 20
        assert "command_line" not in told
        assert (await admin.ask("DELETE", f"{APP}/api/processes/{name}")).status == 403


async def test_ending_takes_the_scope_deploy(admin: Client, family: list[dict[str, Any]]) -> None:
    runner = await admin.token_for("run")
    pid = family[0]["id"]
    assert (await runner.get(f"{APP}/api/processes/{pid}")).status == 200
    assert (await runner.ask("DELETE", f"{APP}/api/processes/{pid}")).status == 403
    assert not gone(pid)


async def test_dumps_and_profiles_are_refused_in_a_sentence(
    admin: Client, family: list[dict[str, Any]]
) -> None:
    url = f"{APP}/api/processes/{family[0]['id']}"
    for method, rest in (
        ("GET", "dump?dumpType=2"),
        ("POST", "profile/start"),
        ("GET", "profile/stop"),
        ("GET", "threads"),
        ("GET", "modules/7f00"),
        ("GET", "environments/all"),
    ):
        answer = await admin.ask(method, f"{url}/{rest}")
        assert answer.status == 501 and answer.json["fix"]
