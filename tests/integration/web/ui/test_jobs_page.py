"""The apps and an app's jobs, as HTML: what is shown, what its forms do, what it costs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from gitdeploy.app import Server
from gitdeploy.jobs.ids import execution_id
from gitdeploy.store import Execution
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.support import eventually

ROW = re.compile(r'<tr id="job-([^"]+)"')


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


@contextmanager
def counted(server: Server) -> Iterator[list[str]]:
    """Every statement that the store's reader is given meanwhile, but for those of the outbox,
    which looks by itself for what is to be sent."""
    said: list[str] = []
    reader = server.store.database._reader
    assert reader is not None
    reader.set_trace_callback(lambda sql: None if " outbox " in sql else said.append(sql))
    try:
        yield said
    finally:
        reader.set_trace_callback(None)


def rows(text: str) -> list[str]:
    return ROW.findall(text)


async def test_each_job_has_a_row_with_kind_state_schedule_and_last_run(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    commit = await shop.deploy(SITE, "Bring <b>jobs</b>\n\nand more")
    await finished(admin, "report", "4")
    text = (await reader.get("/ui/shop/")).text
    assert rows(text) == [
        "triggered-nightly",
        "triggered-report",
        "triggered-slow",
        "continuous-ticker",
    ]
    assert "Runs at 03:00 every day" in text
    assert "0 0 3 * * *" in text
    assert f"main@</code>{commit[:7]}" in text or f"main@{commit[:7]}" in text
    assert "Bring &lt;b&gt;jobs&lt;/b&gt;" in text
    assert "and more" not in text
    assert "3 ok · 1 running · 1 need attention" in text
    assert "exit 4" in text
    assert 'aria-label="Last runs: 0 succeeded, 1 failed"' in text
    assert "Runs in the last 24 hours: 1, failures: 1. Jobs due in the next 24 hours: 1." in text


async def test_filters_search_and_order_are_in_the_address(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(SITE)
    await finished(admin, "report", "4")
    for query, found in (
        ("show=continuous", ["continuous-ticker"]),
        ("show=attention", ["triggered-report"]),
        ("show=triggered&q=NIGHT", ["triggered-nightly"]),
        ("q=run.py+tick", ["continuous-ticker"]),
        ("show=nonsense&sort=nonsense&page=99&q=slow", ["triggered-slow"]),
    ):
        assert rows((await reader.get(f"/ui/shop/?{query}")).text) == found, query
    for sort, first in (
        ("next", "triggered-nightly"),
        ("last", "triggered-report"),
        ("status", "triggered-report"),
    ):
        assert rows((await reader.get(f"/ui/shop/?sort={sort}")).text)[0] == first
    none = (await reader.get("/ui/shop/?q=%22%3E%3Cb%3E")).text
    assert "No job matches this filter." in none
    assert 'value="&#34;&gt;&lt;b&gt;"' in none
    kept = (await reader.get("/ui/shop/?q=t&show=triggered")).text
    assert "/ui/shop/?show=continuous&amp;q=t" in kept


async def test_run_start_and_stop_are_forms_that_go_on_where_they_were(
    reader: Browsing, server: Server, admin: Client, shop: Site
) -> None:
    await shop.deploy(SITE)
    page = await reader.get("/ui/shop/?show=triggered")
    token, here = field(page, "form_token"), f"{server.url}/ui/shop/?show=triggered"
    done = await reader.post("/ui/shop/jobs/slow/run", token, next=here)
    assert (done.status, done.headers["Location"]) == (303, here)
    assert "gitdeploy_said" in done.headers["Set-Cookie"]
    latest = (await admin.get("/apps/shop/api/triggeredwebjobs/slow")).json["latest_run"]
    assert latest["status"] == "Running"
    assert latest["who"] == "administrator"
    assert "Stop slow" in (await reader.get("/ui/shop/")).text
    again = await reader.post("/ui/shop/jobs/slow/run", token, next=here)
    assert (again.status, again.headers["Location"]) == (303, here)  # the list says why
    said = again.headers["Set-Cookie"].partition(";")[0]
    told = (await reader.get("/ui/shop/?show=triggered", Cookie=f"{reader.cookie}; {said}")).text
    assert "Not started. A run of slow is under way." in told
    assert 'class="note warn" role="status"' in told
    stop: dict[str, str] = {"kind": "triggered", "run": latest["id"]}
    assert (await reader.post("/ui/shop/jobs/slow/stop", token, **stop)).status == 303
    latest = (await admin.get("/apps/shop/api/triggeredwebjobs/slow")).json["latest_run"]
    assert latest["status"] == "Stopped"

    for verb, status, offered in (("stop", "Stopped", "Start"), ("start", "Running", "Stop")):
        done = await reader.post(f"/ui/shop/jobs/ticker/{verb}", token, kind="continuous")
        assert done.headers["Location"] == f"{server.url}/ui/shop/jobs/ticker/"
        job = (await admin.get("/apps/shop/api/continuouswebjobs/ticker")).json
        assert job["status"] == status
        assert f"{offered} ticker" in (await reader.get("/ui/shop/")).text

    await reader.post("/ui/shop/jobs/nightly/stop", token, kind="triggered")
    text = (await reader.get("/ui/shop/?q=nightly")).text
    assert "Schedule stopped" in text
    assert "Start schedule" in text
    job = (await admin.get("/apps/shop/api/triggeredwebjobs/nightly")).json
    assert job["next_run"] is None
    audit = (await admin.get("/api/audit")).json
    assert {entry["what"] for entry in audit} >= {"page.run_job", "page.stop_job"}


async def test_a_form_goes_on_to_pages_of_its_app_alone(
    reader: Browsing, server: Server, shop: Site
) -> None:
    await shop.deploy(SITE)
    token = await reader.token("/ui/shop/")
    for evil in (
        "https://evil.example/",
        f"{server.url}/ui/shop/../../api/",
        f"{server.url}/ui/shop/\r\nX: y",
        "//evil.example/ui/shop/",
        f"{server.url}/ui/other/",
    ):
        done = await reader.post("/ui/shop/jobs/report/run", token, next=evil)
        await eventually(lambda: not any(v.pid for v in triggered(server)), what="the run ended")
        assert done.headers["Location"] == f"{server.url}/ui/shop/jobs/report/", evil


async def test_who_may_only_read_has_no_buttons_and_is_refused(
    reader: Browsing, admin: Client, shop: Site
) -> None:
    await shop.deploy(SITE)
    only = await Browsing.begin(await admin.token_for("read"))
    page = await only.get("/ui/shop/")
    assert "Run report" not in page.text
    assert "Stop ticker" not in page.text
    token = field(page, "form_token")
    for path, fields in (
        ("/ui/shop/jobs/report/run", {}),
        ("/ui/shop/jobs/ticker/stop", {"kind": "continuous"}),
        ("/ui/", {"name": "other"}),
    ):
        assert (await only.post(path, token, **fields)).status == 403, path
    assert "Create an app" not in (await only.get("/ui/")).text
    assert (await reader.post("/ui/shop/jobs/report/run", "guess")).status == 403
    unknown = await reader.post("/ui/shop/jobs/ticker/stop", await reader.token("/ui/"))
    assert unknown.status == 400


async def test_a_page_of_200_jobs_asks_the_database_three_times(
    reader: Browsing, server: Server, shop: Site
) -> None:
    names = [f"job-{number:03}" for number in range(200)]
    await shop.deploy({f"App_Data/jobs/triggered/{name}/run.sh": "exit 0\n" for name in names})
    now = time.time_ns() // 1000
    for name in names:
        await _past(server, name, now, count=25)
    with counted(server) as said:
        text = (await reader.get("/ui/shop/")).text
    assert len(said) <= 3, said
    assert rows(text) == [f"triggered-{name}" for name in names]
    assert "20 succeeded" not in text  # every fifth has failed
    assert text.count('aria-label="Last runs: 16 succeeded, 4 failed"') == 200
    assert "Draw 188 more" in text
    assert len(text) < 1_200_000
    assert text.count("<tr id=") == 200


async def test_what_is_shown_does_not_grow_with_the_history(
    reader: Browsing, server: Server, shop: Site
) -> None:
    await shop.deploy({"App_Data/jobs/triggered/often/run.sh": "exit 0\n"})
    now = time.time_ns() // 1000
    await _past(server, "often", now, count=100)
    few = len((await reader.get("/ui/shop/")).text)
    await _past(server, "often", now - 100 * 60_000_000, count=2000)
    many = (await reader.get("/ui/shop/")).text
    assert len(many) < few + 100_000
    assert many.count("<rect") < 420


async def test_the_pages_speak_korean(reader: Browsing, admin: Client, shop: Site) -> None:
    await shop.deploy(SITE)
    reader.cookie += "; gitdeploy_lang=ko"
    text = (await reader.get("/ui/shop/")).text
    for word in (
        "매일 3시",
        "계속 실행",
        "요청 시",
        "확인 필요",
        "다음 실행",
        "로그 URL 복사",
    ):
        assert word in text, word
    assert '<html lang="ko"' in text


async def test_an_empty_app_says_how_to_deploy(
    reader: Browsing, server: Server, shop: Site
) -> None:
    text = (await reader.get("/ui/shop/")).text
    assert f"git remote add gitdeploy {server.url}/shop.git" in text
    assert f"{server.url}/apps/shop/api/zipdeploy" in text
    assert f"{server.url}/apps/shop/deploy" in text
    assert text.count("data-copy=") == 5
    assert "Waiting for the first push" in text
    assert 'data-goes=""' in text
    broken = {".deployment": "[config]\ncommand = exit 3\n"}
    shop.write(broken)
    commit = shop.commit()
    row = await server.deployer.deploy(
        "shop", commit, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
    )
    await server.deployer.wait("shop", row.id, row.attempt)
    text = (await reader.get("/ui/shop/")).text
    assert f'data-goes="{server.url}/ui/shop/deployments/{commit}/"' in text
    assert "The deployment failed." in text


async def test_a_failed_deployment_is_shown_beside_the_live_one(
    reader: Browsing, server: Server, shop: Site
) -> None:
    good = await shop.deploy(SITE)
    assert "Newest deployment" not in (await reader.get("/ui/shop/")).text
    shop.write({".deployment": "[config]\ncommand = exit 3\n"})
    bad = shop.commit()
    row = await server.deployer.deploy(
        "shop", bad, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
    )
    await server.deployer.wait("shop", row.id, row.attempt)
    text = (await reader.get("/ui/shop/")).text
    assert "Newest deployment" in text
    assert f"main@{good[:7]}" in text
    assert f"/ui/shop/deployments/{bad}/" in text


async def test_an_admin_creates_an_app(reader: Browsing, server: Server, admin: Client) -> None:
    page = await reader.get("/ui/")
    assert "Nothing deployed" in page.text
    token = field(page, "form_token")
    made = await reader.post("/ui/", token, name="garden")
    assert made.headers["Location"] == f"{server.url}/ui/garden/"
    assert (await admin.get("/api/apps/garden")).status == 200
    taken = await reader.post("/ui/", token, name="garden")
    assert taken.status == 409
    assert "There is an app of this name" in taken.text
    for bad in ("no way", "-x", "sign-in", ""):
        answer = await reader.post("/ui/", token, name=bad)
        assert answer.status == 400, bad
        assert 'aria-invalid="true"' in answer.text
        assert f'name="name" value="{bad}"' in answer.text
    entry = next(e for e in (await admin.get("/api/audit")).json if e["what"] == "page.create_app")
    assert entry["result"].startswith(("303", "400"))


async def test_apps_tell_what_is_live_and_what_needs_somebody(
    reader: Browsing, server: Server, admin: Client, shop: Site
) -> None:
    commit = await shop.deploy(SITE, "Open the shop")
    await finished(admin, "report", "4")
    with counted(server) as said:
        text = (await reader.get("/ui/")).text
    assert len(said) <= 4
    for word in (commit[:7], "Open the shop", "4 jobs", "1 of 1 up", "1 need attention", "Live"):
        assert word in text, word
    assert "No app has this in its name." in (await reader.get("/ui/?q=zzz")).text
    assert "/ui/shop/" in (await reader.get("/ui/?q=SHO")).text


async def finished(admin: Client, job: str, arguments: str) -> None:
    """Run a job to its end."""
    started = await admin.ask(
        "POST", f"/apps/shop/api/triggeredwebjobs/{job}/run?arguments={arguments}"
    )

    async def ended() -> Any:
        return (await admin.get(started.headers["Location"])).json["end_time"]

    await eventually(ended, what=f"{job} has ended")


def triggered(server: Server) -> list[Any]:
    return [view for view in server.supervisor.jobs("shop") if view.job.kind == "triggered"]


async def _past(server: Server, job: str, until: int, *, count: int) -> None:
    """Runs of a job, one a minute up to then; every fifth has failed."""

    def work(c: Any) -> None:
        for number in range(count):
            at = until - number * 60_000_000
            run = Execution(
                app="shop",
                kind="triggered",
                job=job,
                id=execution_id(at),
                status="failed" if number % 5 == 0 else "success",
                instance="i",
                created_at=at,
                started_at=at,
                ended_at=at + 1_000_000,
                exit_code=0,
            )
            values = msgspec.structs.asdict(run)
            c.execute(
                f"INSERT INTO executions ({', '.join(values)})"
                f" VALUES ({', '.join(f':{k}' for k in values)})",
                values,
            )

    await server.store.database.write(work)
