"""A run's page and its log as HTML, windows, matches and streams."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.integration.web.ui.running import past, ran, under_way
from tests.integration.web.ui.test_job_page import JOB, facts
from tests.support import eventually

HOSTILE = """\
import sys
print("<script>alert(1)</script> & <b>bold</b>")
print("\\x1b[31mred\\x1b[0m plain \\x1b]8;;http://evil.example/\\x07link\\x1b]8;;\\x07 \\x1b[2Jgone")
print("old\\rnew \\x00\\x07 end")
sys.stdout.buffer.write(b"bytes \\xff\\xfe\\n")
"""
MANY = "for n in range(1, 1201): print('Line' if n % 2 else 'line', n)\n"
STEPS = """\
import os, pathlib, time
place = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"])
for n in range(1, 7):
    print("step", n, flush=True)
    while n % 3 == 0 and not (place / f"gate{n}").exists():
        time.sleep(0.02)
"""
LINE = re.compile(r'<div class="l( e)?" id="L(\d+)" data-n="\2">(.*?)\n?</div>', re.DOTALL)


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    await shop.deploy(
        {
            **SITE,
            "App_Data/jobs/triggered/hostile/run.py": HOSTILE,
            "App_Data/jobs/triggered/many/run.py": MANY,
            "App_Data/jobs/triggered/steps/run.py": STEPS,
        }
    )
    return await Browsing.begin(admin)


def lines(text: str) -> list[tuple[int, bool, str]]:
    """Number, whether it is stderr's, and what a reader sees."""
    return [
        (int(number), bool(stderr), html.unescape(re.sub(r"<[^>]+>", "", shown)))
        for stderr, number, shown in LINE.findall(text)
    ]


async def lines_of(reader: Browsing, address: str, query: str = "") -> Any:
    return (await reader.get(f"{address}/lines{query}", Accept="application/json")).json


def numbered(window: Any) -> list[tuple[int, str]]:
    """The lines of a window with their numbers."""
    return [
        (block["n"] + place, text)
        for block in window["blocks"]
        for place, text in enumerate(block["x"])
    ]


async def test_a_run_says_what_it_was_and_brings_its_log(
    reader: Browsing, admin: Client, server: Server
) -> None:
    run = await ran(admin, "report", "4")
    text = (await reader.get(f"{JOB}runs/{run}")).text
    told = facts(text)
    assert told["Exit code"] == "4"
    assert told["Arguments"] == "4"
    assert told["Command"] == "run.py"
    assert told["Started by"] == "administrator"
    assert "Ended" in told
    assert "Failed" in text
    assert [(stderr, shown) for _, stderr, shown in sorted(lines(text), key=lambda x: x[1])] == [
        (False, "reporting 4"),
        (True, "trouble"),
    ]
    for crumb in ("/ui/shop/", "/ui/shop/jobs/report/?kind=triggered"):
        assert f'<a href="{server.url}{crumb}">' in text
    assert "data-begun" not in text
    assert "Stop run" not in text


async def test_what_a_job_writes_is_text_whatever_it_is(reader: Browsing, admin: Client) -> None:
    run = await ran(admin, "hostile")
    answer = await reader.get(f"/ui/shop/jobs/hostile/runs/{run}")
    shown = [text for _, _, text in lines(answer.text)]
    assert shown == [
        "<script>alert(1)</script> & <b>bold</b>",
        "red plain link gone",
        "new \u2400\u2407 end",
        "bytes \\xff\\xfe",
    ]
    assert "<script>alert" not in answer.text
    assert "evil.example" not in answer.text
    assert '<span class="c1">red</span>' in answer.text
    assert "\x1b" not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_a_run_under_way_moves_and_is_stopped(
    reader: Browsing, admin: Client, server: Server
) -> None:
    await past(server, "slow", 6)
    run = await under_way(admin, "slow")
    here = f"/ui/shop/jobs/slow/runs/{run}"
    page = await reader.get(here)
    assert '<progress max="100" value=' in page.text
    assert 'data-usual="3.0"' in page.text
    assert "usually 3.0 s" in page.text
    assert "data-took" in page.text
    token, fields = field(page, "form_token"), {"kind": "triggered", "run": run}
    done = await reader.post("/ui/shop/jobs/slow/stop", token, **fields, next=server.url + here)
    assert (done.status, done.headers["Location"]) == (303, server.url + here)
    text = (await reader.get(here)).text
    assert "Stopped" in text
    assert "data-took" not in text
    assert "Run again" in text


async def test_a_run_again_has_the_arguments_of_the_first(reader: Browsing, admin: Client) -> None:
    run = await ran(admin, "report", "0%20%22two%20words%22")
    page = await reader.get(f"{JOB}runs/{run}")
    assert field(page, "arguments") == '0 "two words"'
    done = await reader.post(
        f"{JOB}runs", field(page, "form_token"), arguments=field(page, "arguments")
    )
    again = done.headers["Location"].rpartition("/")[2]
    assert again != run
    assert facts((await reader.get(f"{JOB}runs/{again}")).text)["Arguments"] == '0 "two words"'


async def test_a_long_log_is_read_by_parts_without_a_script(
    reader: Browsing, admin: Client
) -> None:
    here = f"/ui/shop/jobs/many/runs/{await ran(admin, 'many')}"
    text = (await reader.get(here)).text
    seen = [number for number, _, _ in lines(text)]
    assert seen == list(range(701, 1201))
    address = re.search(r'rel="prev" href="([^"]+)"', text)
    assert address
    older = (await reader.get(html.unescape(address[1]))).text
    assert [number for number, _, _ in lines(older)] == list(range(201, 701))
    assert 'rel="next"' in older
    first = (await reader.get(f"{here}?line=1")).text
    assert lines(first)[0] == (1, False, "Line 1")
    assert 'rel="prev"' not in first
    for odd in ("0", "99999999", "-1", "x", "9" * 40):
        await reader.get(f"{here}?line={odd}")


async def test_lines_are_given_by_windows(reader: Browsing, admin: Client) -> None:
    here = f"/ui/shop/jobs/many/runs/{await ran(admin, 'many')}"
    window = await lines_of(reader, here, "?from=10&limit=3")
    assert (window["begin"], window["end"]) == (0, 1200)
    assert numbered(window) == [(10, "Line 11"), (11, "line 12"), (12, "Line 13")]
    last = await lines_of(reader, here, "?limit=2")
    assert numbered(last) == [(1198, "Line 1199"), (1199, "line 1200")]
    assert numbered(await lines_of(reader, here, "?from=5000")) == []
    for wrong in ("from=-1", "from=x", "limit=999999", "stream=both&find=x"):
        await reader.get(f"{here}/lines?{wrong}", status=400)


async def test_matches_are_counted_with_and_without_case(reader: Browsing, admin: Client) -> None:
    here = f"/ui/shop/jobs/many/runs/{await ran(admin, 'many')}"
    exact = await lines_of(reader, here, "?find=Line")
    assert (exact["count"], exact["lines"][:2]) == (600, [0, 2])
    assert (await lines_of(reader, here, "?find=line&ignore_case=true"))["count"] == 1200
    part = await lines_of(reader, here, "?find=Line&from=10&to=20")
    assert part["lines"] == [10, 12, 14, 16, 18]
    assert (await lines_of(reader, here, "?find=nothing"))["count"] == 0
    report = f"{JOB}runs/{await ran(admin, 'report')}"
    assert (await lines_of(reader, report, "?stream=stderr"))["count"] == 1


async def test_a_stream_goes_on_behind_its_last_event(
    reader: Browsing, admin: Client, server: Server
) -> None:
    run = await under_way(admin, "steps")
    place = server.home.app("shop").job_data("triggered", "steps")
    address = f"/ui/shop/jobs/steps/runs/{run}/lines"
    async with stream(reader, address) as first:
        cursor, seen = await until(first, "step 3")
    assert seen == [(0, "step 1"), (1, "step 2"), (2, "step 3")]
    (place / "gate3").touch()
    async with stream(reader, address, cursor) as second:
        again, seen = await until(second, "step 6")
        assert seen == [(3, "step 4"), (4, "step 5"), (5, "step 6")]
        (place / "gate6").touch()
        assert [kind async for kind, _, _ in second] == ["end"]
    async with stream(reader, address, again) as third:
        assert [kind async for kind, _, _ in third] == ["end"]


async def test_a_run_outlives_its_job_on_its_page(
    reader: Browsing, admin: Client, shop: Site, server: Server
) -> None:
    run = await ran(admin, "report", "4")
    (shop.path / "App_Data/jobs/triggered/report/run.py").unlink()
    await shop.deploy()

    def gone() -> bool:
        return all(view.job.name != "report" for view in server.supervisor.jobs("shop"))

    await eventually(gone, what="the job is gone")
    await reader.get(JOB, status=404)
    text = (await reader.get(f"{JOB}runs/{run}")).text
    assert facts(text)["Exit code"] == "4"
    assert "reporting 4" in text
    assert "Run again" not in text


async def test_a_run_that_is_not_known_is_not_found(reader: Browsing, admin: Client) -> None:
    run = await ran(admin, "report")
    for address in (f"{JOB}runs/2026", f"/ui/shop/jobs/slow/runs/{run}"):
        for part in ("", "/lines", "/log"):
            answer = await reader.client.ask(
                "GET", address + part, headers={"Cookie": reader.cookie}
            )
            assert answer.status in (400, 404), address + part
    other = await Browsing.begin(await admin.token_for("read", apps=["other"]))
    for part in ("", "/lines", "/log"):
        await other.get(f"{JOB}runs/{run}{part}", status=404)
        stranger = await reader.client.ask("GET", f"{JOB}runs/{run}{part}")
        assert stranger.status == 303, part


async def test_the_download_is_text(reader: Browsing, admin: Client) -> None:
    run = await ran(admin, "hostile")
    answer = await reader.get(f"/ui/shop/jobs/hostile/runs/{run}/log", Accept="*/*")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script>alert(1)</script>" in answer.body


async def test_a_continuous_jobs_log_is_a_page(reader: Browsing, server: Server) -> None:
    async def said() -> bool:
        return "tick 3" in (await reader.get("/ui/shop/jobs/ticker/output")).text

    await eventually(said, what="the ticker has written")
    text = (await reader.get("/ui/shop/jobs/ticker/output")).text
    assert lines(text)[0] == (1, False, "tick 1")
    await reader.get(f"{JOB}output", status=404)


@asynccontextmanager
async def stream(
    reader: Browsing, address: str, after: str = ""
) -> AsyncIterator[AsyncIterator[tuple[str, str, Any]]]:
    """Events of an event stream: kind, id, data."""
    headers = {"Cookie": reader.cookie} | ({"Last-Event-ID": after} if after else {})
    async with reader.client.stream(
        address, accept="text/event-stream", headers=headers
    ) as response:
        assert response.status == 200

        async def events() -> AsyncIterator[tuple[str, str, Any]]:
            kind, known, data = "message", "", ""
            async for raw in response.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "id":
                    known = value
                elif name == "data":
                    data = value
                elif not raw.strip() and data:
                    yield kind, known, json.loads(data)
                    kind, data = "message", ""

        yield events()


async def until(
    events: AsyncIterator[tuple[str, str, Any]], text: str
) -> tuple[str, list[tuple[int, str]]]:
    """All that came up to a line: the last event's id, and the lines with their numbers."""
    found: list[tuple[int, str]] = []
    async for kind, known, data in events:
        assert kind == "message"
        found += numbered(data)
        if found[-1][1] == text:
            return known, found
    raise AssertionError(f"the stream ended before {text!r}: {found}")
