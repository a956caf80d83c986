"""The app's logs: what all jobs print, and its events."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from urllib.parse import quote

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing
from tests.support import eventually

HERE = "/ui/shop/logs"
HOSTILE = """\
import sys
print("<script>alert(1)</script> & \\x1b[1;31mred\\x1b[0m \\x1b]0;title\\x07\\x1b[2J")
print("\\x1b]8;;javascript:alert(1)\\x1b\\\\link\\x1b]8;;\\x1b\\\\")
print("50 %\\r100 %")
print("x" * 20_000)
print("trouble <b>", file=sys.stderr)
print("bytes \\udcff", file=open(1, "w", errors="surrogateescape", closefd=False))
"""
COUNTER = """\
import os, pathlib, time
gate = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"], "gate")
n = 0
while True:
    while not gate.exists() or n >= int(gate.read_text() or 0):
        time.sleep(0.02)
    n += 1
    print("count", n, flush=True)
"""
LINE = re.compile(
    r'<div class="l( e)?"><time[^>]*>([^<]*)</time><a class="who" href="([^"]*)"[^>]*>([^<]*)</a>'
    r'<span class="t">(.*?)</span></div>'
)


def lines(page: str) -> list[tuple[str, bool, str]]:
    """Job, whether it is stderr, and text of each line."""
    return [
        (job, bool(err), html.unescape(re.sub("<[^>]*>", "", text)).removeprefix("stderr "))
        for err, _, _, job, text in LINE.findall(page)
    ]


async def ran(admin: Client, job: str, app: str = "shop", arguments: str = "") -> str:
    """Run a job to its end; the run's id."""
    address = f"/apps/{app}/api/triggeredwebjobs/{job}/run?arguments={arguments}"
    started = await admin.ask("POST", address)
    assert started.status == 202, started.text

    async def ended() -> bool:
        return bool((await admin.get(started.headers["Location"])).json["end_time"])

    await eventually(ended)
    return started.headers["Location"].rpartition("/")[2]


async def count_to(admin: Client, number: int) -> None:
    """Have the job `counter` count on, and wait until it has."""
    gate = "/apps/shop/api/vfs/data/jobs/continuous/counter/gate"
    wrote = await admin.ask("PUT", gate, str(number).encode(), headers={"If-Match": "*"})
    assert wrote.status in (200, 201, 204), wrote.text

    async def counted() -> bool:
        log = await admin.get("/apps/shop/api/continuouswebjobs/counter/log")
        return f"count {number}\n" in log.text

    await eventually(counted)


async def test_the_output_of_all_jobs_is_one_list_with_links_to_each_log(
    admin: Client, shop: Site, server: Server
) -> None:
    await shop.deploy({**SITE, "App_Data/jobs/continuous/counter/run.py": COUNTER})
    await count_to(admin, 2)
    run = await ran(admin, "report", arguments="today")
    page = (await (await Browsing.begin(admin)).get(f"{HERE}/")).text
    found = lines(page)
    assert ("counter", False, "count 2") in found
    assert ("report", False, "reporting today") in found
    assert ("report", True, "trouble") in found
    assert f"{server.url}/ui/shop/jobs/report/runs/{run}" in page
    assert f"{server.url}/ui/shop/jobs/counter/output" in page
    assert f'href="{server.url}/ui/shop/logs/" aria-current="page"' in page


async def test_what_jobs_print_is_text_and_never_markup(admin: Client, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/triggered/hostile/run.py": HOSTILE})
    await ran(admin, "hostile")
    reader = await Browsing.begin(admin)
    page = (await reader.get(f"{HERE}/")).text
    assert "<script>alert" not in page
    assert "javascript:" not in page
    assert "\x1b" not in page
    assert '<span class="bold c1">red</span>' in page
    texts = [text for _, _, text in lines(page)]
    assert "<script>alert(1)</script> & red " in texts
    assert "link" in texts
    assert "100 %" in texts
    assert "trouble <b>" in texts
    assert "bytes \\xff" in texts
    assert [len(text) for text in texts if text.startswith("xxx")] == [4001]


async def test_a_filter_shows_one_job_or_one_stream_and_stays_in_the_links(
    admin: Client, shop: Site
) -> None:
    await shop.deploy(SITE)
    await ran(admin, "report")
    reader = await Browsing.begin(admin)
    one = (await reader.get(f"{HERE}/?job=triggered/report")).text
    assert {job for job, _, _ in lines(one)} == {"report"}
    assert '<option value="triggered/report" selected>' in one
    assert "logs/?job=triggered/report&amp;stream=stderr" in one
    assert "logs/log?job=triggered/report" in one
    both = (await reader.get(f"{HERE}/?job=triggered/report&stream=stderr")).text
    assert lines(both) == [("report", True, "trouble")]
    kind = (await reader.get(f"{HERE}/?job=continuous/")).text
    assert {job for job, _, _ in lines(kind)} <= {"ticker"}
    nothing = (await reader.get(f"{HERE}/?job=%22%3E%3Cscript%3E&stream=nonsense")).text
    assert lines(nothing) == []
    assert "No output matches this filter." in nothing
    assert "<script>" not in nothing.replace('<script type="module"', "")


async def test_an_app_without_jobs_has_an_empty_page(admin: Client, shop: Site) -> None:
    reader = await Browsing.begin(admin)
    page = (await reader.get(f"{HERE}/")).text
    assert "This app has no jobs yet." in page
    assert (await reader.get(f"{HERE}/log")).text == ""
    events = (await reader.get(f"{HERE}/events/?event=nothing.like.it")).text
    assert "No event in this part of the journal matches the filter." in events
    korean = (await reader.get(f"{HERE}/", **{"Accept-Language": "ko"})).text
    assert "이 앱에는 아직 작업이 없습니다." in korean


async def test_no_more_lines_than_a_page_has_are_shown_however_many_there_are(
    admin: Client, shop: Site
) -> None:
    many = "print(*(f'line {n}' for n in range(20_000)), sep='\\n')\n"
    await shop.deploy({"App_Data/jobs/triggered/many/run.py": many})
    await ran(admin, "many")
    reader = await Browsing.begin(admin)
    found = lines((await reader.get(f"{HERE}/")).text)
    assert [text for _, _, text in found] == [f"line {n}" for n in range(19_500, 20_000)]
    text = (await reader.get(f"{HERE}/log")).text
    assert len(text.splitlines()) == 10_000
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d triggered/many stdout line 19999",
        text.splitlines()[-1],
    )
    assert len((await reader.get(f"{HERE}/log?tail=3")).text.splitlines()) == 3


async def follow(
    reader: Browsing, after: str, until: str, *, query: str = "", last: str = ""
) -> tuple[list[str], str]:
    """What the page's stream brings behind a place until a line; the lines and the new place."""
    found: list[str] = []
    place = last or after
    headers = {"Cookie": reader.cookie, **({"Last-Event-ID": last} if last else {})}
    stream = reader.client.stream(
        f"{HERE}/log?{query}after={quote(after)}", accept="text/event-stream", headers=headers
    )
    async with stream as response:
        assert response.status == 200
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                place = line[4:]
            elif line.startswith("data: "):
                blocks: list[dict[str, Any]] = json.loads(line[6:])
                for text in (text for block in blocks for text in block["x"]):
                    found.append(text if isinstance(text, str) else "".join(t for t, _ in text))
                if until in found:
                    return found, place
    raise AssertionError(f"the stream ended at {found}")


async def test_the_stream_goes_on_where_the_page_ended_and_again_where_it_broke_off(
    admin: Client, shop: Site
) -> None:
    report = {
        "App_Data/jobs/triggered/report/run.py": SITE["App_Data/jobs/triggered/report/run.py"]
    }
    await shop.deploy({**report, "App_Data/jobs/continuous/counter/run.py": COUNTER})
    await count_to(admin, 3)
    reader = await Browsing.begin(admin)
    page = (await reader.get(f"{HERE}/")).text
    assert [text for _, _, text in lines(page)] == ["count 1", "count 2", "count 3"]
    found_after = re.search(r'data-place="([^"]*)"', page)
    assert found_after
    after = html.unescape(found_after[1])
    await count_to(admin, 6)
    await ran(admin, "report", arguments="first-run-ever")  # of a job that had no log at all
    found, place = await follow(reader, after, "reporting first-run-ever")
    assert sorted(text for text in found if text.startswith("count")) == [
        "count 4",
        "count 5",
        "count 6",
    ]
    await count_to(admin, 8)
    found, _ = await follow(reader, after, "count 8", last=place)
    assert [text for text in found if text.startswith("count")] == ["count 7", "count 8"]
    assert "reporting first-run-ever" not in found
    errors, _ = await follow(reader, after, "trouble", query="job=triggered/report&stream=stderr&")
    assert errors == ["trouble"]


async def test_the_events_are_shown_newest_first_filtered_and_paged_through_all(
    admin: Client, shop: Site, server: Server
) -> None:
    await shop.deploy(SITE)
    run = await ran(admin, "report")
    log = server.events.app_log("shop")
    for n in range(250):
        log.info("thing.happened", n=n, what=f"<b>thing</b> {n}\x1b[31m")
    log.debug("thing.thought")
    log.error("thing.broke", fix="Mend it.", tail=["one", "two"])
    reader = await Browsing.begin(admin)
    page = (await reader.get(f"{HERE}/events/")).text
    assert page.index("thing.broke") < page.index("thing.happened")
    assert "thing.thought" not in page
    assert "<b>thing</b>" not in page
    assert "&lt;b&gt;thing&lt;/b&gt; 249\\x1b[31m" in page
    assert "Mend it." in page
    assert "one, two" in page
    assert "data-live" in page
    seen: list[int] = []
    address: str | None = f"{HERE}/events/?event=thing.h"
    while address:
        page = (await reader.get(address)).text
        assert "thing.broke" not in page
        seen += [int(n) for n in re.findall(r"<dt>n</dt><dd>(\d+)</dd>", page)]
        older = re.search(r'rel="next" href="[^"]*(/ui/[^"]*)"', page)
        address = html.unescape(older[1]) if older else None
    assert seen == list(range(249, -1, -1))
    assert "data-live" not in page
    everything = (await reader.get(f"{HERE}/events/?level=debug&event=thing.t")).text
    assert "thing.thought" in everything
    errors = (await reader.get(f"{HERE}/events/?level=error&event=thing")).text
    assert errors.count('class="event"') == 1
    runs = (await reader.get(f"{HERE}/events/?event=run.")).text
    assert f'href="{server.url}/ui/shop/jobs/report/runs/{run}"' in runs
    deployed = (await reader.get(f"{HERE}/events/?event=deploy.")).text
    assert f'href="{server.url}/ui/shop/deployments/' in deployed
    strange = await reader.get(f"{HERE}/events/?before=99999999999999999999&level=x&event=%22%3E")
    assert "<script>" not in strange.text.replace('<script type="module"', "")


async def test_a_token_of_another_app_sees_nothing_of_it(admin: Client, shop: Site) -> None:
    await shop.deploy(SITE)
    assert (await admin.ask("PUT", "/api/apps/garden")).status == 201
    reader = await Browsing.begin(await admin.token_for("read", apps=["garden"]))
    await reader.get("/ui/garden/logs/")
    for path in ("/", "/log", "/events/"):
        refused = await reader.get(f"{HERE}{path}", status=404)
        assert "ticker" not in refused.text
    stream = reader.client.stream(
        f"{HERE}/log", accept="text/event-stream", headers={"Cookie": reader.cookie}
    )
    async with stream as response:
        assert response.status == 404
    stranger = await admin.with_token(None).get(f"{HERE}/")
    assert stranger.status == 303


async def test_a_place_that_was_never_given_is_refused(admin: Client, shop: Site) -> None:
    reader = await Browsing.begin(admin)
    stream = reader.client.stream(
        f"{HERE}/log?after=~nonsense", accept="text/event-stream", headers={"Cookie": reader.cookie}
    )
    async with stream as response:
        assert response.status == 400
