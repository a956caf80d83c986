"""The scheduler's page in a browser: by keyboard, on a phone, by itself up to date."""

from __future__ import annotations

import re

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.browser.test_every_page import AXE, TOO_WIDE
from tests.scenarios.actors import Developer, Server

QUICK = "print('done')\n"
LONG = "a-job-with-a-very-long-name-that-has-to-wrap-somewhere-on-a-phone"


async def test_schedules_are_paused_by_keyboard_and_the_page_follows_by_itself(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/nightly", "run.py", QUICK, {"schedule": "0 0 3 * * *"})
    repo.job("triggered/often", "run.py", QUICK, {"schedule": "0 */15 * * * *"})
    await repo.push()
    await page.goto("/ui/demo/")
    await page.get_by_role("link", name="Runs at 03:00 every day").click()
    await page.wait_for_url("**/ui/demo/scheduler/#schedule-nightly")
    row = page.locator("#schedule-nightly")
    await expect(row).to_contain_text("Followed")
    pause = row.get_by_role("button", name="Pause the schedule of nightly")
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await pause.evaluate("one => one === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(row).to_contain_text("Paused")
    await expect(page.locator("#due li.off")).to_contain_text("nightly")
    await expect(row.get_by_role("button", name="Resume the schedule of nightly")).to_be_visible()

    await page.get_by_role("button", name="Pause all").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#paused")).to_contain_text("All schedules of this app are paused.")
    await expect(page.locator("#due li:not(.off)")).to_have_count(0)
    # somebody else resumes them meanwhile
    await server.call("DELETE", "/apps/demo/api/settings/WEBJOBS_DISABLE_SCHEDULE")
    await expect(page.locator("#paused")).to_have_count(0)
    await expect(page.locator("#schedule-often")).to_contain_text("Followed")
    assert page.errors == []  # type: ignore[attr-defined]


async def test_it_works_without_javascript(
    browser: Browser, repo: Developer, server: Server
) -> None:
    repo.job("triggered/nightly", "run.py", QUICK, {"schedule": "0 0 3 * * *"})
    await repo.push()
    context = await new_context(browser, server, javascript=False)
    page = await new_page(context)
    await page.goto("/ui/demo/scheduler/")
    await page.get_by_role("link", name="7 days").click()
    await expect(page.locator("#due li")).to_have_count(7)
    await page.get_by_role("button", name="Pause all").click()
    await expect(page).to_have_url(re.compile(r"/ui/demo/scheduler/\?range=7d$"))
    await expect(page.locator("#due li.off")).to_have_count(7)
    await page.get_by_role("button", name="Resume all").click()
    await expect(page.locator("#due li.off")).to_have_count(0)
    await context.close()


async def test_what_is_paused_fits_a_phone_in_korean_and_axe_finds_nothing(
    browser: Browser, repo: Developer, server: Server
) -> None:
    zone = {"timezone": "America/Argentina/ComodRivadavia"}
    repo.job(f"triggered/{LONG}", "run.py", QUICK, {"schedule": "0 30 8 1,15 1-6 *", **zone})
    repo.job("triggered/often", "run.py", QUICK, {"schedule": "0/20 */5 * * * *", **zone})
    repo.job("triggered/nightly", "run.py", QUICK, {"schedule": "0 0 3 * * *", **zone})
    await repo.push()
    await server.call(
        "POST", "/apps/demo/api/settings", {"WEBJOBS_DISABLE_SCHEDULE": "1"}, status=204
    )
    context = await new_context(browser, server, language="ko", size="phone", bypass_csp=True)
    await context.add_init_script(AXE_SCRIPT)
    page = await new_page(context)
    for query in ("", "?range=30d"):
        await page.goto(f"/ui/demo/scheduler/{query}")
        await expect(page.locator("h1")).to_have_text("스케줄러")
        await expect(page.locator("#due li").first).to_contain_text("모두 일시 중지됨")
        assert await page.evaluate(TOO_WIDE) == []
        assert await page.evaluate(AXE) == []
    await context.close()
