"""The command palette and the keys, by keyboard alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import Developer, Server

QUICK = "print('done')\n"
WORKER = "import time\nprint('up', flush=True)\nwhile True:\n    time.sleep(0.1)\n"


@pytest.fixture
async def demo(repo: Developer, server: Server) -> Developer:
    """An app with a job of each kind."""
    repo.job("continuous/mail-queue", "run.py", WORKER)
    repo.job("triggered/image-resize", "run.py", QUICK)
    repo.job("triggered/invoice-report", "run.py", QUICK, {"schedule": "0 0 3 * * *"})
    await repo.push(message="Begin")
    await server.says("mail-queue", "up")
    return repo


def field_of(page: Page):
    return page.locator("#palette [role=combobox]")


def options(page: Page):
    return page.locator("#palette [role=option]")


async def opened(page: Page) -> Any:
    """The palette's field, with the commands there."""
    await expect(page.locator("html.js")).to_have_count(1)  # the page that was led to listens
    await page.keyboard.press("Control+k")
    field = field_of(page)
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-expanded", "true")
    return field


async def choose(page: Page, letters: str, text: str) -> None:
    """Find a command by a few letters and take it, by keys alone."""
    await opened(page)
    await page.keyboard.type(letters)
    await expect(options(page).first.locator("span")).to_have_text(text)
    await page.keyboard.press("Enter")


async def test_a_few_letters_find_a_command_and_the_hits_are_bold(
    page: Page, demo: Developer
) -> None:
    await page.goto("/ui/demo/")
    await opened(page)
    await page.keyboard.type("runi")
    first = options(page).first
    await expect(first.locator("span")).to_have_text("Run once: image-resize")
    await expect(first.locator("b")).to_have_text(["Run", "i"])
    await expect(first.locator("small")).to_have_text("Run")
    await expect(options(page).nth(1).locator("span")).to_have_text("Run once: invoice-report")
    await field_of(page).fill("<b>zzz")
    await expect(options(page)).to_have_count(0)
    await expect(page.locator("#palette")).to_contain_text("Nothing fits.")
    await expect(field_of(page)).to_have_attribute("aria-expanded", "false")
    assert page.errors == []  # type: ignore[attr-defined]


async def test_it_is_a_combobox_whose_current_entry_the_arrows_move(
    page: Page, demo: Developer
) -> None:
    await page.goto("/ui/demo/")
    field = await opened(page)
    count = await options(page).count()
    assert count > 8
    chosen = page.locator("#palette [role=option][aria-selected=true]")
    for key, place in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        await page.keyboard.press(key)
        await expect(chosen).to_have_count(1)
        await expect(chosen).to_have_id(f"palette-{place}")
        await expect(field).to_have_attribute("aria-activedescendant", f"palette-{place}")
        await expect(field).to_be_focused()
    for _ in range(2):
        await page.keyboard.press("ArrowUp")
    await expect(chosen).to_have_id(f"palette-{count - 1}")
    await expect(chosen).to_be_in_viewport()
    for name, value in (("aria-controls", "palette-list"), ("aria-autocomplete", "list")):
        await expect(field).to_have_attribute(name, value)


async def test_escape_closes_it_and_the_focus_returns(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/")
    link = page.locator("#list a.name").nth(1)
    await link.focus()
    await opened(page)
    await page.keyboard.press("Escape")
    await expect(page.locator("#palette")).to_have_count(0)
    await expect(link).to_be_focused()
    await opened(page)
    await page.keyboard.press("Control+k")
    await expect(page.locator("#palette")).to_have_count(0)
    await expect(link).to_be_focused()
    button = page.locator("[data-palette]")
    await button.click()
    await expect(field_of(page)).to_be_focused()
    await page.mouse.click(5, 5)
    await expect(page.locator("#palette")).to_have_count(0)
    await expect(button).to_be_focused()


async def test_jobs_are_run_stopped_started_and_tailed(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto("/ui/demo/?show=triggered")
    await choose(page, "run image", "Run once: image-resize")
    await expect(page.get_by_text("image-resize was started.")).to_be_visible()
    assert page.url.endswith("/ui/demo/?show=triggered")
    await choose(page, "stopmail", "Stop: mail-queue")
    await expect(page.get_by_text("mail-queue was stopped.")).to_be_visible()
    await choose(page, "startmail", "Start: mail-queue")
    await expect(page.get_by_text("mail-queue runs again.")).to_be_visible()
    await choose(page, "stop sched", "Stop the schedule of invoice-report")
    await expect(page.locator("#job-triggered-invoice-report")).to_contain_text("Schedule stopped")
    await choose(page, "logmail", "Tail the log of mail-queue")
    await page.wait_for_url(re.compile(r"/ui/demo/jobs/mail-queue/(output|log)"))
    await page.goto("/ui/demo/")
    await choose(page, "logimage", "Tail the log of image-resize")
    await page.wait_for_url(re.compile(r"/ui/demo/jobs/image-resize/runs/\d+"))


async def test_what_cant_be_undone_is_asked_about(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/slow", "run.py", "import time\ntime.sleep(1000)\n")
    await repo.push()
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/slow/run")
    await page.goto("/ui/demo/")
    row = page.locator("#job-triggered-slow")
    await expect(row).to_contain_text("Running")
    await choose(page, "stopslow", "Stop the run of slow")
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text("Stop the run of slow?")
    await page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(row).to_contain_text("Running")
    await choose(page, "stopslow", "Stop the run of slow")
    await question.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("The run of slow was stopped.")).to_be_visible()
    await expect(row).to_contain_text("Stopped")


async def test_the_remote_is_copied(
    context: BrowserContext, page: Page, demo: Developer, server: Server
) -> None:
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/ui/demo/")
    await choose(page, "remote", "Copy the git remote")
    await expect(page.locator("#toasts")).to_contain_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == f"{server.url}/demo.git"


async def test_theme_clock_and_language_are_chosen_and_the_page_stays(
    page: Page, demo: Developer
) -> None:
    await page.goto("/ui/demo/?show=continuous")
    await choose(page, "dark", "Theme: Dark")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await choose(page, "utc", "Times: UTC")
    await expect(page.locator(".tools summary")).to_contain_text("UTC")
    await choose(page, "language", "Language: 한국어")
    await expect(page.locator("html")).to_have_attribute("lang", "ko")
    assert page.url.endswith("/ui/demo/?show=continuous")


async def test_pages_apps_and_deployments_are_gone_to_and_one_signs_out(
    page: Page, demo: Developer, server: Server
) -> None:
    await server.call("PUT", "/api/apps/other")
    await page.goto("/ui/demo/")
    await choose(page, "files", "Files")
    await page.wait_for_url("**/ui/demo/files/**")
    await choose(page, "app other", "App other")
    await page.wait_for_url("**/ui/other/")
    await choose(page, "all apps", "All apps")
    await page.wait_for_url("**/ui/")
    await choose(page, "audit", "Audit log")
    await page.wait_for_url("**/ui/-/audit/")
    await choose(page, "app demo", "App demo")
    await page.wait_for_url("**/ui/demo/")
    await choose(page, "newest", "Log of the newest deployment")
    await page.wait_for_url(re.compile(r"/ui/demo/deployments/[0-9a-f]{40}/"))
    await choose(page, "sign out", "Sign out")
    await page.wait_for_url("**/ui/sign-in")
    await page.keyboard.press("Control+k")
    await expect(page.locator("#palette")).to_have_count(0)


async def test_korean_is_found_while_its_syllables_are_typed_and_english_finds_it_too(
    browser: Browser, server: Server, demo: Developer
) -> None:
    context = await new_context(browser, server, language="ko")
    page = await new_page(context)
    await page.goto("/ui/demo/")
    await opened(page)
    field = field_of(page)
    for typed, text in (
        ("실행: im", "한 번 실행: image-resize"),
        ("ㅎㅂㅅㅎinv", "한 번 실행: invoice-report"),
        ("한 버", "한 번 실행: image-resize"),
        ("run once image", "한 번 실행: image-resize"),
        ("stop mail", "중지: mail-queue"),
    ):
        await field.fill(typed)
        await expect(options(page).first.locator("span")).to_have_text(text)
    await context.close()


async def test_letters_lead_to_sections_and_can_be_turned_off(page: Page, demo: Developer) -> None:
    await page.goto("/ui/demo/files/")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    for text in ("Go to Jobs", "Search on the page", "Run, start or stop that job"):
        await expect(dialog).to_contain_text(text)
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await page.keyboard.press("g")
    await page.keyboard.press("j")
    await page.wait_for_url("**/ui/demo/")
    await page.keyboard.press("g")
    await page.keyboard.press("x")
    await page.keyboard.press("f")  # too late: another key was between
    await page.keyboard.press("?")
    await dialog.get_by_label("Shortcuts of single letters").uncheck()
    await dialog.get_by_role("button", name="Close").click()
    await page.reload()
    for key in ("?", "g", "f", "/"):
        await page.keyboard.press(key)
    await expect(page.locator("body")).to_be_focused()
    await expect(dialog).to_have_count(0)
    assert page.url.endswith("/ui/demo/")
    await page.locator("#list a.name").first.focus()
    await page.keyboard.press("j")
    await expect(page.locator("#list a.name").first).to_be_focused()
    await choose(page, "turn letters", "Turn shortcuts of single letters on or off")
    await expect(page.locator("#toasts")).to_contain_text("are on")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("?gj")
    await expect(page.get_by_role("searchbox")).to_have_value("?gj")
    await expect(dialog).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_palette_and_the_help(
    browser: Browser, server: Server, demo: Developer, theme: str
) -> None:
    for size in ("phone", "desktop"):
        context = await new_context(
            browser, server, theme=theme, size=size, language="ko", bypass_csp=True
        )
        page = await new_page(context)
        await page.goto("/ui/demo/")
        await opened(page)
        await page.keyboard.type("ㅅㅎ")
        await expect(options(page).first).to_be_visible()
        for _ in range(2):
            found = await Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("dialog")).to_have_count(0)
            await page.keyboard.press("?")
            await expect(page.get_by_role("dialog")).to_be_visible()
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        await context.close()


async def test_a_reader_is_offered_only_what_its_token_may_do(
    browser: Browser, server: Server, demo: Developer
) -> None:
    made = await server.call(
        "POST", "/api/tokens", {"name": "reader", "scopes": ["read"], "apps": ["demo"]}
    )
    await server.call("PUT", "/api/apps/other")
    context = await new_context(browser, server, signed_in=False)
    page = await new_page(context)
    await page.goto("/ui/sign-in")
    await page.locator("#token").fill(made["token"])
    await page.locator("main form button").click()
    await page.wait_for_url("**/ui/")
    await page.goto("/ui/demo/")
    await opened(page)
    texts = await options(page).locator("span").all_inner_texts()
    assert "Job image-resize" in texts
    assert not [text for text in texts if text.startswith(("Run", "Stop", "Start", "Redeploy"))]
    assert "App other" not in texts
    await context.close()
