"""A real Chromium against a real server: `page` is signed in, `server` and `repo` as in scenarios."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    async_playwright,
    expect,
)

from tests.scenarios.actors import ADMIN, Developer, Server

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None
)
LIMIT = 20_000  # ms that a condition is waited for: two cores may be shared with much else
expect.set_options(timeout=LIMIT)
SIZES = {"phone": (320, 640), "tablet": (768, 1024), "desktop": (1280, 900)}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    started = Server(tmp_path / "home", "--swap-grace", "0.3", "--grace", "5")
    await started.start()
    yield started
    await started.end()


@pytest.fixture
def repo(tmp_path: Path, server: Server) -> Developer:
    return Developer(tmp_path / "work", server, app="demo")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await start_chromium(playwright)
        yield started
        await started.close()


async def start_chromium(playwright: Playwright) -> Browser:
    """The machine's Chromium."""
    assert CHROMIUM, "chromium isn't installed: .ci/packages does it"
    # its own sandbox doesn't start as root; the pages are our own
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)


@pytest.fixture
async def context(browser: Browser, server: Server) -> AsyncIterator[BrowserContext]:
    """Signed in as the administrator, in English, 1280 px wide."""
    made = await new_context(browser, server)
    yield made
    await made.close()


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """A page whose errors fail the test (`errors` collects them)."""
    return await new_page(context)


async def new_context(
    browser: Browser,
    server: Server,
    *,
    language: str = "en",
    theme: str = "light",
    size: str = "desktop",
    javascript: bool = True,
    signed_in: bool = True,
    bypass_csp: bool = False,
) -> BrowserContext:
    """A browser profile of its own."""
    width, height = SIZES[size]
    context = await browser.new_context(
        base_url=server.url,
        viewport={"width": width, "height": height},
        locale={"en": "en-GB", "ko": "ko-KR"}[language],
        timezone_id="Asia/Seoul",
        java_script_enabled=javascript,
        bypass_csp=bypass_csp,
        reduced_motion="reduce",
    )
    context.set_default_timeout(LIMIT)
    await context.add_cookies(
        [
            {"name": name, "value": value, "domain": "127.0.0.1", "path": "/ui"}
            for name, value in (("gitdeploy_lang", language), ("gitdeploy_theme", theme))
        ]
    )
    if signed_in:
        page = await context.new_page()
        await page.goto("/ui/sign-in")
        await page.locator("#token").fill(ADMIN)
        await page.locator("main form button").click()
        await page.wait_for_url("**/ui/")
        await page.close()
    return context


async def new_page(context: BrowserContext) -> Page:
    """A page that keeps what went wrong in it as `page.errors` (list of texts)."""
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.errors = errors  # type: ignore[attr-defined]
    return page
