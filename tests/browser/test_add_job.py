"""The form of a job in a browser: each of the portal's schedules, dropping a file, sending it."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import zipfile
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.conftest import SIZES, new_context, new_page
from tests.scenarios.actors import Server

ADD = "/ui/demo/jobs/-/add"
SCRIPT = {"name": "run.sh", "mimeType": "text/plain", "buffer": b"#!/bin/sh\necho hello\n"}
MB = 1 << 20


@pytest.fixture(autouse=True)
async def app(server: Server) -> None:
    await server.call("PUT", "/api/apps/demo")


async def begin(page: Page, how: str = "", name: str = "report") -> None:
    await page.goto(ADD)
    await page.get_by_label("Name", exact=True).fill(name)
    if how:
        await choose(page, "how", how)


async def choose(page: Page, name: str, value: str) -> None:
    """Click what a reader sees of a radio button or chip."""
    await page.locator(f'label:has([name="{name}"][value="{value}"])').click()


async def create(page: Page, name: str = "report") -> None:
    await page.get_by_role("button", name="Create job").click()
    await page.wait_for_url(f"**/ui/demo/jobs/{name}/")


async def made(server: Server, name: str = "report", kind: str = "triggered") -> Any:
    return await server.call("GET", f"/apps/demo/api/{kind}webjobs/{name}/settings")


def dues(page: Page) -> Locator:
    return page.locator("#preview .dues time")


def zipped(size: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.py", "print('hello')\n")
        archive.writestr("lib.py", "x = 1\n")
        if size:
            archive.writestr("data.bin", bytes(size))
    return out.getvalue()


@pytest.mark.parametrize(("how", "kind"), [("demand", "triggered"), ("continuous", "continuous")])
async def test_name_how_to_run_and_a_file_make_a_job(
    page: Page, server: Server, how: str, kind: str
) -> None:
    await begin(page, how)
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    assert await made(server, kind=kind) == {}
    assert page.errors == []  # type: ignore[attr-defined]


async def test_the_names_rule_is_checked_while_typing(page: Page) -> None:
    await page.goto(ADD)
    name = page.get_by_label("Name", exact=True)
    await name.press_sequentially("good_Name-1")
    await expect(page.locator("#name-wrong")).to_have_count(0)
    await name.press_sequentially("!")
    await expect(page.locator("#name-wrong")).to_contain_text("letter or digit")
    await expect(name).to_have_attribute("aria-invalid", "true")
    await name.press("Backspace")
    await expect(page.locator("#name-wrong")).to_have_count(0)


async def test_schedule_1_a_job_that_runs_once(page: Page, server: Server) -> None:
    await begin(page, "schedule")
    await choose(page, "repeat", "once")
    await choose(page, "start", "at")
    await page.locator("#start_date").fill("2090-01-02")
    await page.locator("#start_time").fill("9:30")
    await page.locator("#timezone").fill("Asia/Seoul")
    await expect(dues(page)).to_have_count(1)
    await expect(dues(page)).to_have_text("2090-01-02 (Mon) 09:30")
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    assert (await made(server))["recurrence"] == {"startTime": "2090-01-02T09:30:00"}


async def test_schedule_2_starting_now_or_at_a_specific_time(page: Page) -> None:
    await begin(page, "schedule")
    await expect(page.locator("#start_date")).to_be_hidden()
    await expect(dues(page)).to_have_count(5)
    await choose(page, "start", "at")
    await page.locator("#start_date").fill("2090-01-02")
    await page.locator("#start_time").fill("07:00")
    await expect(dues(page).first).to_have_text("2090-01-02 (Mon) 07:00")


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "week", "month"])
async def test_schedule_3_every_n_units_with_an_end(page: Page, server: Server, unit: str) -> None:
    await begin(page, "schedule")
    await page.locator("#interval").fill("3")
    await page.locator("#unit").select_option(unit)
    await choose(page, "end", "after")
    await page.locator("#count").fill("4")
    await expect(dues(page)).to_have_count(4)
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    wanted = {"frequency": unit, "interval": 3, "count": 4}
    assert (await made(server))["recurrence"] == wanted


async def test_schedule_4_week_days(page: Page, server: Server) -> None:
    await begin(page, "schedule")
    await page.locator("#unit").select_option("week")
    await choose(page, "week_day", "monday")
    await choose(page, "week_day", "friday")
    await page.locator("#hours").fill("9")
    await page.locator("#minutes").fill("0")
    await expect(dues(page)).to_have_count(5)
    await expect(page.locator("#preview .sentence")).to_contain_text("Friday")
    for text in await dues(page).all_inner_texts():
        assert "(Mon) 09:00" in text or "(Fri) 09:00" in text
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    assert (await made(server))["recurrence"]["schedule"]["weekDays"] == ["monday", "friday"]


async def test_schedule_5_days_of_the_month_or_week_days_with_an_occurrence(
    page: Page, server: Server
) -> None:
    await begin(page, "schedule")
    await page.locator("#unit").select_option("month")
    await choose(page, "month_by", "days")
    await choose(page, "month_day", "-1")
    await page.locator("#hours").fill("9")
    await page.locator("#minutes").fill("0")
    await expect(page.locator("#preview .sentence")).to_contain_text("last day")
    await choose(page, "month_by", "weekdays")
    await choose(page, "occurrence", "-1")
    await choose(page, "month_week_day", "friday")
    await expect(page.locator("#preview .sentence")).to_contain_text("last Friday")
    await expect(dues(page)).to_have_count(5)
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    pattern = (await made(server))["recurrence"]["schedule"]
    assert pattern["monthlyOccurrences"] == [{"day": "friday", "occurrence": -1}]


async def test_the_job_action_page_makes_an_http_action(page: Page, server: Server) -> None:
    await begin(page, "http")
    await expect(page.locator("#file")).to_be_hidden()
    await page.locator("#a_url").fill("https://example.org/ping")
    await page.locator("#a_method").select_option("PUT")
    await page.locator("#a_headers").fill("X-Kind: ping")
    await page.locator("#a_body").fill("pong")
    await choose(page, "repeat", "cron")
    await page.get_by_label("cron expression").fill("0 0 9 * * *")
    await create(page)
    request = (await made(server))["action"]["request"]
    assert (request["method"], request["body"]) == ("PUT", "pong")
    assert request["headers"] == {"X-Kind": "ping"}


async def test_a_dropped_zip_is_looked_into_and_sent(page: Page, server: Server) -> None:
    await begin(page)
    body = base64.b64encode(zipped()).decode()
    dropped = await page.evaluate_handle(
        """(text) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const all = new DataTransfer();
            all.items.add(new File([bytes], "report.zip"));
            return all;
        }""",
        body,
    )
    await page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    await expect(page.locator("#chosen")).to_contain_text("2 files — will run run.py")
    await create(page)
    assert await made(server) == {}


async def test_what_the_server_refuses_leaves_the_file_and_what_was_typed(
    page: Page, server: Server
) -> None:
    await begin(page, "schedule")
    await choose(page, "repeat", "cron")
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await page.get_by_label("cron expression").fill("0 0 25 * * *")
    await page.get_by_role("button", name="Create job").click()
    await expect(page.locator("#cron-wrong")).to_contain_text("Hour, character 5: 25 is above 23")
    await expect(page.locator("#cron")).to_be_focused()
    await expect(page.locator("#cron")).to_have_value("0 0 25 * * *")
    await page.get_by_label("cron expression").fill("0 0 5 * * *")
    await create(page)
    assert await made(server) == {"schedule": "0 0 5 * * *"}


async def test_100_mb_are_sent_with_a_progress_bar_and_101_refused_before_it(
    page: Page, server: Server, tmp_path: Path
) -> None:
    await begin(page)
    big = tmp_path / "big.zip"
    big.write_bytes(await asyncio.to_thread(zipped, 101 * MB))
    posts: list[str] = []
    page.on("request", lambda sent: posts.append(sent.url) if sent.method == "POST" else None)
    await page.locator("#file").set_input_files(big)
    await expect(page.locator("#file-wrong")).to_contain_text("max_job_size")
    await page.get_by_role("button", name="Create job").click()
    await expect(page.locator("#file")).to_be_focused()
    assert posts == []
    big = tmp_path / "report.zip"
    around = len(zipped(1)) - 1
    big.write_bytes(await asyncio.to_thread(zipped, 100 * MB - around))
    assert big.stat().st_size == 100 * MB
    await page.locator("#file").set_input_files(big)
    await expect(page.locator("#file-wrong")).to_have_count(0)
    await page.get_by_role("button", name="Create job").click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await page.wait_for_url("**/ui/demo/jobs/report/", timeout=60_000)
    assert await made(server) == {}


async def test_the_preview_speaks_korean(browser: Browser, server: Server) -> None:
    context = await new_context(browser, server, language="ko")
    page = await new_page(context)
    await page.goto(ADD)
    await choose(page, "how", "schedule")
    await choose(page, "repeat", "cron")
    await page.locator("#cron").fill("0 30 9 * * MON")
    await page.locator("#timezone").fill("Asia/Seoul")
    await expect(page.locator("#preview .sentence")).to_contain_text("월요일")
    await expect(dues(page)).to_have_count(5)
    await page.locator("#cron").fill("0 30 9 * *")
    await expect(page.locator("#preview .wrong")).to_contain_text("앞에 0을 추가하세요")
    await context.close()


async def test_without_scripts_the_form_previews_and_makes_a_job(
    browser: Browser, server: Server
) -> None:
    context = await new_context(browser, server, javascript=False)
    page = await context.new_page()
    await begin(page, "schedule")
    await page.locator("#unit").select_option("week")
    await choose(page, "week_day", "tuesday")
    await expect(page.locator("#cron")).to_be_hidden()
    await page.get_by_role("button", name="Preview").click()
    await expect(dues(page)).to_have_count(5)
    await expect(page.get_by_label("Name", exact=True)).to_have_value("report")
    await page.locator("#file").set_input_files(files=[SCRIPT])
    await create(page)
    assert (await made(server))["recurrence"]["schedule"]["weekDays"] == ["tuesday"]
    await context.close()


@pytest.mark.parametrize("size", list(SIZES))
async def test_axe_finds_nothing_and_nothing_overflows(
    browser: Browser, server: Server, size: str
) -> None:
    for theme, language in itertools.product(("light", "dark"), ("en", "ko")):
        context = await new_context(
            browser, server, theme=theme, language=language, size=size, bypass_csp=True
        )
        page = await new_page(context)
        for how in ("demand", "schedule", "http"):
            await page.goto(ADD)
            await choose(page, "how", how)
            if how == "schedule":
                await page.locator("#unit").select_option("month")
                await choose(page, "month_by", "weekdays")
                await expect(page.locator("#preview > *").first).to_be_visible()
            found = await Axe().run(page)
            assert found.violations_count == 0, (theme, language, how, found.generate_report())
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) <= 0, (theme, language, how)
        await context.close()
