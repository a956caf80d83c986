"""The apps and the list of jobs in a browser: ui.md's rows of the WebJobs list."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import Developer, Server

WORKER = "import time\nprint('up', flush=True)\nwhile True:\n    time.sleep(0.1)\n"
QUICK = "print('done')\n"
UNTIL = """\
import os, pathlib, time
gate = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"], "gate")
while not gate.exists():
    print("waiting", flush=True)
    time.sleep(0.02)
"""
LONG = "a-job-with-a-very-long-name-that-has-to-wrap-somewhere-on-a-phone"


@pytest.fixture
async def demo(repo: Developer, server: Server) -> Developer:
    """An app with a job of each kind."""
    repo.job("continuous/mail-queue", "run.py", WORKER)
    repo.job("triggered/report", "run.py", QUICK)
    repo.job("triggered/nightly", "run.py", QUICK, {"schedule": "0 0 3 * * *"})
    repo.job("triggered/link-checker", "run.sh", "exit 3\n")
    repo.job(f"triggered/{LONG}", "run.py", QUICK, {"schedule": "0 30 8 1,15 1-6 *"})
    await repo.push(message="Resize PNGs without a white fringe")
    await server.says("mail-queue", "up")
    return repo


def job(page: Page, name: str, kind: str = "triggered"):
    return page.locator(f"#job-{kind}-{name}")


async def test_the_list_names_each_job_with_status_schedule_and_log(
    page: Page, demo: Developer, server: Server
) -> None:
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run?follow=true")
    await page.goto("/ui/demo/")
    table = page.get_by_role("table", name="Jobs")
    for column in ("Name", "Status", "Schedule", "Last run", "History", "Next run"):
        await expect(table.get_by_role("columnheader", name=column)).to_be_visible()
    await expect(
        job(page, "mail-queue", "continuous").get_by_text("Up", exact=True)
    ).to_be_visible()
    await expect(job(page, "mail-queue", "continuous")).to_contain_text("Always on")
    nightly = job(page, "nightly")
    await expect(nightly).to_contain_text("Runs at 03:00 every day")
    await expect(nightly).to_contain_text("0 0 3 * * *")
    await expect(nightly).to_contain_text("Never ran")
    await expect(job(page, "report")).to_contain_text("On demand")
    await expect(job(page, "report")).to_contain_text("Succeeded")
    log = job(page, "report").get_by_role("link", name="Log of report")
    await log.click()
    await page.wait_for_url(re.compile(r"/ui/demo/jobs/report/runs/\d+$"))
    await expect(page.locator("h1")).to_be_visible()
    assert page.errors == []  # type: ignore[attr-defined]


async def test_filter_and_search_narrow_the_list_and_are_in_the_address(
    page: Page, demo: Developer, server: Server
) -> None:
    await server.call(
        "POST", "/apps/demo/api/triggeredwebjobs/link-checker/run?follow=true", status=(200, 202)
    )
    await page.goto("/ui/demo/")
    names = page.locator("#list a.name")
    await expect(names).to_have_count(5)
    await page.get_by_role("link", name="Needs attention 1").click()
    await expect(names).to_have_text(["link-checker"])
    await page.get_by_role("link", name="Triggered 4").click()
    await expect(names).to_have_count(4)
    await page.keyboard.press("/")
    await page.keyboard.type("night")
    await expect(names).to_have_text(["nightly"])
    await page.wait_for_url("**/ui/demo/?show=triggered&q=night")
    await page.reload()
    await expect(names).to_have_text(["nightly"])
    await expect(page.get_by_role("searchbox")).to_have_value("night")
    await page.get_by_role("searchbox").fill("nothing like it")
    await expect(page.locator("#list")).to_contain_text("No job matches this filter.")
    await page.get_by_role("link", name="Show all jobs").click()
    await expect(names).to_have_count(5)


async def test_a_job_is_run_from_the_list_and_its_end_shows_by_itself(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/report", "run.py", UNTIL)
    await repo.push()
    await page.goto("/ui/demo/")
    await job(page, "report").get_by_role("button", name="Run report").click()
    await expect(page.get_by_text("report was started.")).to_be_visible()
    await expect(job(page, "report")).to_contain_text("Running")
    await expect(page.locator("#tally")).to_contain_text("1 running")
    await page.evaluate("window.same = true")
    await server.call("PUT", "/apps/demo/api/vfs/data/jobs/triggered/report/gate", "open")
    await expect(job(page, "report")).to_contain_text("Succeeded")
    await expect(job(page, "report").get_by_role("button", name="Run report")).to_be_visible()
    await expect(page.locator("#tally")).to_contain_text("0 running")
    assert await page.evaluate("window.same")  # no navigation
    bars = job(page, "report").get_by_role("img", name="Last runs: 1 succeeded, 0 failed")
    await expect(bars).to_be_visible()


async def test_a_run_is_stopped_from_the_list(page: Page, repo: Developer, server: Server) -> None:
    repo.job("triggered/report", "run.py", UNTIL)
    await repo.push()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run")
    await page.goto("/ui/demo/")
    await job(page, "report").get_by_role("button", name="Stop report").click()
    await expect(page.get_by_text("The run of report was stopped.")).to_be_visible()
    await expect(job(page, "report")).to_contain_text("Stopped")


async def test_a_continuous_job_is_stopped_and_started(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/?show=continuous")
    row = job(page, "mail-queue", "continuous")
    await row.get_by_role("button", name="Stop mail-queue").click()
    await expect(row.get_by_text("Stopped", exact=True)).to_be_visible()
    await expect(page.get_by_text("mail-queue was stopped.")).to_be_visible()
    assert page.url.endswith("/ui/demo/?show=continuous")
    await row.get_by_role("button", name="Start mail-queue").click()
    await expect(row.get_by_text("Up", exact=True)).to_be_visible()


async def test_a_schedule_is_stopped_and_started_from_the_menu(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/?q=nightly")
    row = job(page, "nightly")
    await row.get_by_label("More about nightly").click()
    await row.get_by_role("button", name="Stop schedule").click()
    await expect(row).to_contain_text("Schedule stopped")
    await row.get_by_label("More about nightly").click()
    await row.get_by_role("button", name="Start schedule").click()
    await expect(row).not_to_contain_text("Schedule stopped")
    await expect(row.locator(".c-next time")).to_be_visible()


async def test_the_clipboard_icon_copies_the_logs_address(
    context: BrowserContext, page: Page, demo: Developer, server: Server
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/ui/demo/")
    row = job(page, "mail-queue", "continuous")
    await row.get_by_role("button", name="Copy the log URL of mail-queue").click()
    await expect(page.locator("#toasts")).to_contain_text("Copy the log URL of mail-queue")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(
        re.escape(f"{server.url}/ui/demo/jobs/mail-queue/") + "(log|output)", copied
    )
    answer = await page.goto(copied)
    assert answer is not None
    assert answer.status == 200


async def test_an_open_menu_and_the_focus_survive_what_happens_meanwhile(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto("/ui/demo/")
    menu = job(page, "nightly").get_by_label("More about nightly")
    await menu.click()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run?follow=true")
    await expect(job(page, "report")).to_contain_text("Succeeded")
    await expect(job(page, "nightly").get_by_role("link", name="Details")).to_be_visible()
    await expect(menu).to_be_focused()


async def test_the_list_is_gone_through_and_run_by_keys(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/?show=triggered")
    names = page.locator("#list a.name")
    await page.keyboard.press("j")  # nothing has the focus, so it is no command
    await expect(page.locator("body")).to_be_focused()
    await page.keyboard.press("/")
    await page.keyboard.press("ArrowDown")
    await expect(names.nth(0)).to_be_focused()
    for key, place in (("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)):
        await page.keyboard.press(key)
        await expect(names.nth(place)).to_be_focused()
    for _ in range(3):
        await page.keyboard.press("j")
    await expect(names.nth(3)).to_have_text("report")
    await page.keyboard.press("r")
    await expect(page.get_by_text("report was started.")).to_be_visible()


async def test_the_strip_tells_what_is_live(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/")
    strip = page.get_by_role("region", name="Live deployment")
    await expect(strip).to_contain_text("Live")
    await expect(strip.locator("code")).to_have_text(re.compile(r"^main@[0-9a-f]{7}$"))
    await expect(strip).to_contain_text("Resize PNGs without a white fringe")
    await expect(strip).to_contain_text("git push by administrator")
    await strip.get_by_role("link", name="View diff").click()
    await page.wait_for_url(re.compile(r"/ui/demo/deployments/[0-9a-f]{40}/"))


async def test_the_timeline_says_in_words_what_it_draws(
    page: Page, demo: Developer, server: Server
) -> None:
    for name in ("report", "link-checker"):
        await server.call(
            "POST", f"/apps/demo/api/triggeredwebjobs/{name}/run?follow=true", status=(200, 202)
        )
    await page.goto("/ui/demo/")
    chart = page.get_by_role("img", name=re.compile("Timeline of 5 jobs"))
    await expect(chart).to_have_attribute(
        "aria-label",
        "Timeline of 5 jobs. Runs in the last 24 hours: 2, failures: 1."
        " Jobs due in the next 24 hours: 1.",
    )
    await expect(chart.locator("rect.ok")).to_have_count(1)
    await expect(chart.locator("use.bad")).to_have_count(1)
    await expect(chart.locator("rect.up")).to_have_count(1)
    box, now = await chart.bounding_box(), await chart.locator("line.now").bounding_box()
    assert box is not None
    assert now is not None
    assert abs((now["x"] - box["x"]) / box["width"] - 0.5) < 0.02


async def test_an_empty_app_waits_and_turns_into_the_log_of_its_first_push(
    context: BrowserContext, page: Page, repo: Developer, server: Server
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/ui/")
    await page.get_by_label("Name of the new app").fill("demo")
    await page.get_by_role("button", name="Create an app").click()
    await page.wait_for_url("**/ui/demo/")
    await expect(page.get_by_text("The app demo was created.")).to_be_visible()
    for label, text in (
        ("Copy the git commands", f"git remote add gitdeploy {server.url}/demo.git"),
        ("Copy the zip command", f"{server.url}/apps/demo/api/zipdeploy"),
        ("Copy the webhook's address", f"{server.url}/apps/demo/deploy"),
    ):
        await page.get_by_role("button", name=label).click()
        assert text in await page.evaluate("navigator.clipboard.readText()")
    await expect(page.locator("#first .needs-js")).to_contain_text("Waiting for the first push.")
    repo.job("triggered/report", "run.py", QUICK)
    await repo.push()
    commit = (await server.call("GET", "/apps/demo/api/deployments"))[0]["id"]
    await page.wait_for_url(f"**/ui/demo/deployments/{commit}/**")
    await page.goto("/ui/demo/")
    await expect(job(page, "report")).to_be_visible()


async def test_without_javascript_everything_works_by_links_and_forms(
    browser: Browser, server: Server, demo: Developer
) -> None:
    context = await new_context(browser, server, javascript=False)
    page = await new_page(context)
    await page.goto("/ui/")
    await page.get_by_role("link", name="demo", exact=True).click()
    await page.get_by_role("link", name="Continuous 1").click()
    row = job(page, "mail-queue", "continuous")
    await row.get_by_role("button", name="Stop mail-queue").click()
    await expect(row).to_contain_text("Stopped")
    await expect(row.get_by_role("button", name="Copy the log URL of mail-queue")).to_be_hidden()
    await page.get_by_role("link", name=re.compile("^All")).click()
    await page.get_by_role("searchbox").fill("report")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("#list a.name")).to_have_text(["report"])
    await job(page, "report").get_by_role("button", name="Run report").click()
    await expect(page.locator("main")).to_contain_text("report was started.")
    await job(page, "report").get_by_label("More about report").click()
    await job(page, "report").get_by_role("link", name="Details").click()
    await page.wait_for_url("**/ui/demo/jobs/report/")
    await page.goto("/ui/")
    await page.get_by_label("Name of the new app").fill("second")
    await page.get_by_role("button", name="Create an app").click()
    await expect(page.get_by_text("Load this page again when it was sent.")).to_be_visible()
    await expect(page.get_by_role("button", name="Copy the git commands")).to_be_hidden()
    await context.close()


async def test_no_job_and_200_jobs_are_shown_as_well(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.write("README.md", "nothing to run")
    await repo.push()
    await page.goto("/ui/demo/")
    await expect(page.get_by_text("This app has no jobs yet.")).to_be_visible()
    for number in range(201):
        repo.job(f"triggered/job-{number:03}", "run.sh", "exit 0\n")
    await repo.push()
    await page.goto("/ui/demo/")
    await expect(page.locator("#list tbody tr")).to_have_count(200)
    await expect(page.locator(".lane-names li")).to_have_count(12)
    await page.get_by_role("link", name="Draw 188 more").click()
    await expect(page.locator(".lane-names li")).to_have_count(200)
    await page.get_by_role("link", name="Next", exact=True).click()
    await expect(page.locator("#list tbody tr")).to_have_count(1)
    await page.keyboard.press("/")
    await page.keyboard.type("job-123")
    await expect(page.locator("#list a.name")).to_have_text(["job-123"])


async def test_phones_have_cards_that_fit_and_targets_that_thumbs_hit(
    browser: Browser, server: Server, demo: Developer
) -> None:
    context = await new_context(browser, server, language="ko", size="phone")
    page = await new_page(context)
    for address in ("/ui/", "/ui/demo/"):
        await page.goto(address)
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, address
    button = job(page, "report").get_by_role("button", name="report 실행")
    box = await button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    await button.click()
    await expect(page.get_by_text("report 작업을 시작했습니다.")).to_be_visible()
    await job(page, "nightly").get_by_label("nightly 더 보기").click()
    await expect(job(page, "nightly").get_by_role("button", name="일정 중지")).to_be_in_viewport()
    await context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ko"])
async def test_axe_finds_nothing(
    browser: Browser, server: Server, demo: Developer, theme: str, language: str
) -> None:
    await server.call("PUT", "/api/apps/empty")
    await server.call(
        "POST", "/apps/demo/api/triggeredwebjobs/link-checker/run?follow=true", status=(200, 202)
    )
    for size in ("phone", "tablet", "desktop"):
        context = await new_context(
            browser, server, language=language, theme=theme, size=size, bypass_csp=True
        )
        page = await new_page(context)
        for address in ("/ui/", "/ui/demo/", "/ui/empty/"):
            await page.goto(address)
            if address == "/ui/demo/":
                await page.locator("#list details.menu > summary").first.click()
            found = await Axe().run(page)
            assert found.violations_count == 0, (address, size, found.generate_report())
        await context.close()
