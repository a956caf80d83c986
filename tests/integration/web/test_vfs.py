"""The log files that Kudu's clients read, and jobs' own files beside them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

API = "/apps/shop/api"
VFS = f"{API}/vfs/data/jobs"
TICKER = """\
import pathlib, os, sys, time
data = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"])
data.joinpath("seen.csv").write_text("a,b\\n")
for n in range(3):
    print("tick", n, flush=True)
    print("trouble", n, file=sys.stderr, flush=True)
time.sleep(60)
"""
REPORT = """\
import pathlib, os, sys
for n in range(1000):
    print("line", n)
sys.stdout.flush()
print("Ärger", file=sys.stderr)
data = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"])
data.joinpath("sub").mkdir(exist_ok=True)
data.joinpath("sub", "page.html").write_text("<script>alert(1)</script>")
data.joinpath("job_scheduler.log").write_text("not the real one")
if not data.joinpath("out").is_symlink():
    data.joinpath("out").symlink_to("/etc")
    data.joinpath("passwd").symlink_to("/etc/passwd")
raise SystemExit(3)
"""
SITE = {
    "App_Data/jobs/continuous/ticker/run.py": TICKER,
    "App_Data/jobs/triggered/report/run.py": REPORT,
    "App_Data/jobs/triggered/report/settings.job": '{"schedule": "0 0 3 * * *"}',
    "App_Data/jobs/triggered/quiet/run.sh": "exit 0\n",
}
LINE = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d > \w{6}: (INFO|ERR |SYS INFO|SYS ERR )\] (.*)")


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May read and run the jobs of the shop, where they are deployed."""
    await shop.deploy(SITE)
    yield await admin.token_for("run", apps=["shop"])


@pytest.fixture
async def run(client: Client) -> Any:
    """A run of `report` that has ended."""
    started = await client.ask("POST", f"{API}/triggeredwebjobs/report/run")

    async def ended() -> Any:
        found = (await client.get(started.headers["Location"])).json
        return found if found["end_time"] else None

    return await eventually(ended)


def lines(text: str) -> list[tuple[str, str]]:
    """Level and text of each line, all of which must be Kudu's."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(match[1], match[2]) for match in found if match]


async def test_a_run_s_output_log_is_its_output_between_kudus_lines(
    client: Client, run: Any
) -> None:
    answer = await client.get(run["output_url"])
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    found = lines(answer.text)
    assert found[:3] == [
        ("SYS INFO", "Status changed to Initializing"),
        ("SYS INFO", "Run script 'run.py' with script host - 'PythonScriptHost'"),
        ("SYS INFO", "Status changed to Running"),
    ]
    assert [text for level, text in found if level == "INFO"] == [f"line {n}" for n in range(1000)]
    assert [text for level, text in found if level == "ERR "] == ["Ärger"]
    assert found[-2:] == [
        ("SYS ERR ", "Job failed due to exit code 3"),
        ("SYS INFO", "Status changed to Failed"),
    ]


async def test_a_run_s_status_is_kudus_json(client: Client, run: Any) -> None:
    status = (await client.get(f"{VFS}/triggered/report/{run['id']}/status")).json
    assert status == {
        "Status": "Failed",
        "StartTime": run["start_time"],
        "EndTime": run["end_time"],
        "Trigger": run["trigger"],
    }
    assert (await client.get(f"{VFS}/triggered/report/{run['id']}/error_log.txt")).status == 404


async def test_a_continuous_job_s_log_has_all_of_its_processes(
    client: Client, shop: Site, server: Server
) -> None:
    path = f"{VFS}/continuous/ticker/job_log.txt"

    async def log(count: int) -> list[tuple[str, str]] | None:
        found = lines((await client.get(path)).text)
        return found if sum(text == "tick 2" for _, text in found) == count else None

    await eventually(lambda: log(1))
    await client.ask("POST", f"{API}/continuouswebjobs/ticker/stop")
    await client.ask("POST", f"{API}/continuouswebjobs/ticker/start")
    found = await eventually(lambda: log(2)) or []
    told = [text for level, text in found if level.startswith("SYS")]
    begins = [
        "Status changed to Initializing",
        "Run script 'run.py' with script host - 'PythonScriptHost'",
        "Status changed to Running",
    ]
    assert told == [*begins, "Status changed to Stopped", *begins]
    assert ("ERR ", "trouble 0") in found
    instance = server.supervisor._context.instance
    status = await client.get(f"{VFS}/continuous/ticker/status_{instance}")
    assert status.json == {"Status": "Running"}


async def test_any_range_of_a_log_is_that_slice_of_it(client: Client, run: Any) -> None:
    url = run["output_url"]
    whole = await client.get(url)
    size, tag = len(whole.body), whole.headers["ETag"]
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert parsedate_to_datetime(whole.headers["Last-Modified"])
    for first, last in ((0, 0), (100, 2000), (size // 2, size - 1), (size - 1, size + 10)):
        part = await client.get(url, Range=f"bytes={first}-{last}")
        assert part.status == 206
        assert part.body == whole.body[first : last + 1]
        assert part.headers["Content-Range"] == f"bytes {first}-{min(last, size - 1)}/{size}"
    tail = await client.get(url, Range="bytes=-100", If_Range=tag)
    assert (tail.status, tail.body) == (206, whole.body[-100:])
    other = await client.get(url, Range="bytes=-100", If_Range='"other"')
    assert (other.status, other.body) == (200, whole.body)
    beyond = await client.get(url, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    head = await client.ask("HEAD", url)
    assert (head.status, head.headers["Content-Length"]) == (200, str(size))
    assert (await client.get(url, If_None_Match=tag)).status == 304
    assert (await client.get(url, If_Match="*")).status == 200
    assert (await client.get(url, If_Match='"other"')).status == 412


async def test_directories_are_lists_whose_addresses_can_be_asked_as_they_stand(
    client: Client, run: Any, server: Server
) -> None:
    walked: dict[str, Any] = {}

    async def walk(url: str) -> None:
        for entry in (await client.get(url)).json:
            assert set(entry) == {"name", "size", "mtime", "mime", "href", "path"}
            assert entry["href"].startswith(url)
            walked[entry["path"]] = entry
            if entry["mime"] == "inode/directory":
                assert entry["href"].endswith("/")
                await walk(entry["href"])
            elif entry["mime"] == "inode/symlink":
                assert (await client.get(entry["href"])).status == 404
            else:
                answer = await client.get(entry["href"])
                assert answer.status == 200
                assert "continuous" in entry["path"] or len(answer.body) == entry["size"]

    await walk(f"{server.url}{API}/vfs/")
    jobs, this = "/home/data/jobs", f"/home/data/jobs/triggered/report/{run['id']}"
    assert set(walked) >= {
        "/home/data",
        f"{jobs}/continuous/ticker/job_log.txt",
        f"{jobs}/continuous/ticker/seen.csv",
        f"{jobs}/triggered/quiet",
        f"{jobs}/triggered/report/job_scheduler.log",
        f"{jobs}/triggered/report/sub/page.html",
        f"{this}/output_log.txt",
        f"{this}/status",
    }
    assert walked[f"{jobs}/continuous/ticker/seen.csv"]["mime"] == "text/csv"
    assert not any(path.startswith(f"{jobs}/triggered/report/out/") for path in walked)


async def test_a_directory_redirects_to_its_slash_and_a_file_away_from_it(
    client: Client, run: Any, server: Server
) -> None:
    for base in ("/apps/shop/api/vfs", "/apps/shop/vfs"):
        for path in ("", "/data", "/data/jobs/triggered", "/home/data/jobs/triggered/report"):
            sent = await client.get(f"{base}{path}?x=1")
            assert (sent.status, sent.headers["Location"]) == (
                307,
                f"{server.url}{base}{path}/?x=1",
            )
            assert (await client.get(sent.headers["Location"])).status == 200
    sent = await client.get(f"{run['output_url']}/")
    assert (sent.status, sent.headers["Location"]) == (307, run["output_url"])


async def test_nothing_outside_a_job_s_directory_is_reached(client: Client, run: Any) -> None:
    report = f"{VFS}/triggered/report"
    for path in (
        f"{report}/passwd",
        f"{report}/out/passwd",
        f"{report}/out/",
        f"{report}/none",
        f"{VFS}/triggered/none/",
        f"{VFS}/else/",
        f"{API}/vfs/data/admin-token",
        f"{API}/vfs/gitdeploy.db",
    ):
        assert (await client.get(path)).status == 404, path
    for dots in ("..", "%2e%2e", "..%2f..", "%2e%2e%5c"):
        answer = await client.get(f"{report}/sub/{dots}/{dots}/{dots}/repo.git/HEAD")
        assert answer.status in (400, 404)
    page = await client.get(f"{report}/sub/page.html")
    assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "not the real one" not in (await client.get(f"{report}/job_scheduler.log")).text


@pytest.mark.parametrize("accept", ["text/plain", "application/x-ndjson", "text/event-stream"])
async def test_a_part_of_a_log_can_be_asked_for_in_each_form(
    client: Client, run: Any, accept: str
) -> None:
    log = f"{run['url']}/log"

    async def told(query: str) -> list[str]:
        answer = await client.get(f"{log}?{query}", Accept=accept)
        assert answer.status == 200, answer.body
        found = answer.text.splitlines()
        if accept == "text/plain":
            return found
        data = [line.removeprefix("data: ") for line in found if '"line"' in line]
        return [json.loads(one)["line"] for one in data]

    assert await told("grep=line%2077") == ["line 77", *(f"line 77{n}" for n in range(10))]
    assert await told("grep=LINE%2099&ignore_case=true&tail=2") == ["line 998", "line 999"]
    assert await told("grep=LINE%2099") == []
    assert await told("grep=%C3%A4RGER&ignore_case=true") == ["Ärger"]
    assert len(await told("since=1h")) == 1001
    assert await told("since=2100-01-01") == []
    assert len(await told(f"since={run['start_time']}&tail=7")) == 7


async def test_a_part_of_a_log_file_has_kudus_lines(client: Client, run: Any) -> None:
    url = run["output_url"]
    whole = (await client.get(url)).text.splitlines()
    assert (await client.get(f"{url}?tail=3")).text.splitlines() == whole[-3:]
    assert lines((await client.get(f"{url}?grep=line%20500")).text) == [("INFO", "line 500")]
    assert (await client.get(f"{url}?since=1d")).text.splitlines() == whole
    assert (await client.get(f"{url}?since=2100-01-01")).text == ""
    job = f"{VFS}/continuous/ticker/job_log.txt"
    assert lines((await client.get(f"{job}?grep=TICK%201&ignore_case=true")).text)
    scheduled = await client.get(f"{VFS}/triggered/report/job_scheduler.log?grep=Next")
    assert len(lines(scheduled.text)) == 1
    for bad in ("since=soon", "tail=-1", "tail=x", "grep=a%0Ab", "ignore_case=2"):
        assert (await client.get(f"{url}?{bad}")).status == 400, bad
        assert (await client.get(f"{run['url']}/log?{bad}")).status == 400, bad
    own = await client.get(f"{VFS}/triggered/report/sub/page.html?tail=1")
    assert own.status == 400


async def test_a_followed_log_shows_only_what_matches(client: Client, shop: Site) -> None:
    await shop.deploy(
        {
            "App_Data/jobs/continuous/ticker/run.py": "import time\nn = 0\n"
            "while True:\n    n += 1\n    print('tick', n, flush=True)\n    time.sleep(0.01)\n"
        }
    )
    path = f"{API}/continuouswebjobs/ticker/log?follow=true&since=10m&grep=0"
    numbers: list[int] = []
    async with client.stream(path, accept="text/plain") as response:
        async with asyncio.timeout(20):
            async for line in response.content:
                if line.startswith(b"tick"):
                    numbers.append(int(line.split()[1]))
                if len(numbers) == 12:
                    break
        response.close()
    assert all("0" in str(number) for number in numbers)
    later = numbers[numbers.index(10) :]
    assert later == [n for n in range(10, 1000) if "0" in str(n)][: len(later)]


async def test_the_app_s_log_has_runs_only_where_the_setting_says_so(
    client: Client, admin: Client
) -> None:
    async def kinds(path: str) -> set[str]:
        seen: set[str] = set()
        async with client.stream(f"{API}/logstream{path}", accept="application/x-ndjson") as got:
            for job in ("continuouswebjobs/ticker/stop", "continuouswebjobs/ticker/start"):
                await client.ask("POST", f"{API}/{job}")
            await client.ask("POST", f"{API}/triggeredwebjobs/report/run")
            try:
                async with asyncio.timeout(4):
                    async for line in got.content:
                        seen.add(json.loads(line)["kind"])
                        if len(seen) == 2:
                            break
            except TimeoutError:
                pass
            got.close()
        return seen

    assert await kinds("/application") == {"continuous"}
    assert await kinds("") == {"continuous", "triggered"}
    assert await kinds("/jobs/triggered") == {"triggered"}
    await admin.ask("POST", f"{API}/settings", {"WEBJOBS_LOG_TRIGGERED_JOBS_TO_APP_LOGS": "1"})
    assert await kinds("/Application") == {"continuous", "triggered"}
    assert (await client.get(f"{API}/logstream/jobs/else")).status == 404


async def test_a_silent_log_stream_says_that_it_lives(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitdeploy.web.kudu.merged._SILENCE", 0.1)
    async with client.stream(f"{API}/logstream/jobs/triggered/quiet", accept="text/plain") as got:
        said = [(await got.content.readline()).decode() for _ in range(3)]
        got.close()
    form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d  "
    assert re.fullmatch(
        form + "Welcome, you are now connected to log-streaming service.\n", said[0]
    )
    for number in (1, 2):
        silence = rf"No new trace in the past {number} min\(s\)\.\n"
        assert re.fullmatch(form + silence, said[number])
