"""Signing in and out, and what a reader prefers, in a browser."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import ADMIN, Server


async def test_a_page_asks_to_sign_in_and_goes_on_where_it_was(
    browser: Browser, server: Server
) -> None:
    await server.call("PUT", "/api/apps/demo")
    context = await new_context(browser, server, signed_in=False)
    page = await new_page(context)
    await page.goto("/ui/demo/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("Token").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("isn't valid")
    await page.get_by_label("Token").fill(ADMIN)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/ui/demo/")
    await context.close()


async def test_theme_and_language_are_chosen_in_the_header_and_stay(page: Page) -> None:
    await page.goto("/ui/")
    await page.locator("details.menu > summary").first.click()
    await page.get_by_label("Dark").check()
    await page.get_by_label("한국어").check()
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("html")).to_have_attribute("lang", "ko")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.goto("/ui/")
    await expect(page.locator("html")).to_have_attribute("lang", "ko")
    assert page.errors == []  # type: ignore[attr-defined]


async def test_signing_out_ends_the_session(page: Page) -> None:
    await page.goto("/ui/")
    await page.locator("details.menu > summary").first.click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/ui/sign-in")
    await page.goto("/ui/")
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_without_scripts_nothing_is_shown_that_needs_them(
    browser: Browser, server: Server
) -> None:
    for javascript in (True, False):
        context = await new_context(browser, server, javascript=javascript)
        page = await new_page(context)
        await page.goto("/ui/")
        assert await page.locator("[data-palette]").is_visible() == javascript
        await context.close()


async def test_a_link_signs_in_at_once_and_from_another_site_after_a_question(
    browser: Browser, server: Server
) -> None:
    await server.call("PUT", "/api/apps/demo")
    made = await server.call("POST", "/api/sign-in-links")
    context = await new_context(browser, server, signed_in=False)
    page = await new_page(context)
    await page.goto(f"{made['url']}&next=/ui/demo/")
    await page.wait_for_url("**/ui/demo/")
    await context.close()

    made = await server.call("POST", "/api/sign-in-links")
    context = await new_context(browser, server, signed_in=False)
    page = await new_page(context)
    await page.set_content(f'<a href="{made["url"]}">in</a>')  # a page of nobody's
    await page.get_by_role("link").click()
    await expect(page.get_by_text("This link signs you in")).to_be_visible()
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/ui/")
    await expect(page.get_by_role("heading", name="Apps")).to_be_visible()
    await context.close()
