"""The newest lines of an app's jobs as Kudu's application log entries."""

from __future__ import annotations

import asyncio

from tests.integration.web.conftest import Client, Site
from tests.support import eventually

APP = "/apps/shop"
FIRST = "import sys\nfor n in range(300): print('line', n)\nprint('bad', file=sys.stderr)\n"
SECOND = "print('second \\x1b[31mred')\n"


async def test_recent_logs_are_the_newest_lines_of_all_jobs_newest_first(
    admin: Client, shop: Site
) -> None:
    assert (await admin.get(f"{APP}/api/logs/recent")).json == []
    await shop.deploy(
        {
            "App_Data/jobs/triggered/first/run.py": FIRST,
            "App_Data/jobs/triggered/second/run.py": SECOND,
        }
    )
    for job in ("first", "second"):
        started = await admin.ask("POST", f"{APP}/api/triggeredwebjobs/{job}/run")
        run = started.headers["Location"]

        async def ended(run: str = run) -> bool:
            return bool((await admin.get(run)).json["end_time"])

        await eventually(ended)
    answers = await asyncio.gather(
        *(
            admin.get(f"{APP}{api}/logs/recent{end}")
            for api in ("/api", "")
            for end in ("", "/", "?top=100")
        )
    )
    for answer in answers:
        lines = answer.json
        assert len(lines) == 100
        assert lines[0]["message"] == "second \x1b[31mred"
        assert lines[0]["job"] == "triggered/second" and lines[0]["pid"] > 1
        assert lines[0]["level"] == "Information"
        assert [line["timestamp"] for line in lines] == sorted(
            (line["timestamp"] for line in lines), reverse=True
        )
        errors = [line for line in lines if line["level"] == "Error"]
        assert [line["message"] for line in errors] == ["bad"]
    assert len((await admin.get(f"{APP}/api/logs/recent?top=1000")).json) == 302
    assert len((await admin.get(f"{APP}/api/logs/recent?top=1")).json) == 1


async def test_a_top_that_cant_be_meant_is_refused(admin: Client, shop: Site) -> None:
    for top in ("0", "1001", "-1", "many"):
        assert (await admin.get(f"{APP}/api/logs/recent?top={top}")).status == 400


async def test_a_long_line_is_cut(admin: Client, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/triggered/long/run.py": "print('x' * 3_000_000)\n"})
    started = await admin.ask("POST", f"{APP}/api/triggeredwebjobs/long/run")

    async def ended() -> bool:
        return bool((await admin.get(started.headers["Location"])).json["end_time"])

    await eventually(ended)
    messages = [line["message"] for line in (await admin.get(f"{APP}/api/logs/recent")).json]
    assert messages == ["x" * (16 << 10) + "…"] * 3
