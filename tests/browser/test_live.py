"""Pages stay true by themselves: nothing is missed, a lost connection is said, the focus stays."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import Developer, Server

QUICK = "print('done')\n"
WORKER = "import time\nprint('up', flush=True)\nwhile True:\n    time.sleep(0.1)\n"


def job(page: Page, name: str, kind: str = "triggered"):
    return page.locator(f"#job-{kind}-{name}")


async def finish(server: Server, name: str) -> None:
    """Run a job to its end."""
    await server.call("POST", f"/apps/demo/api/triggeredwebjobs/{name}/run?follow=true")


async def test_what_happens_before_the_page_has_connected_is_shown(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/report", "run.py", QUICK)
    await repo.push()

    async def late(route: Route) -> None:
        """The page was made; before its stream is asked for a run begins and ends."""
        await finish(server, "report")
        await route.continue_()

    await page.route(re.compile(r"/ui/demo/events"), late)
    await page.goto("/ui/demo/")
    # nothing else happens to the app, so only the stream can have told
    await expect(job(page, "report")).to_contain_text("Succeeded")


async def test_the_list_of_apps_follows_them_by_itself(
    page: Page, repo: Developer, server: Server
) -> None:
    await page.goto("/ui/")
    await expect(page.locator("#apps")).to_contain_text("There is no app yet.")
    await page.evaluate("window.same = true")
    await server.call("PUT", "/api/apps/demo")
    row = page.locator("#app-demo")
    await expect(row).to_contain_text("none")
    await page.get_by_label("Name of the new app").fill("half-typed")
    repo.job("triggered/report", "run.py", QUICK)
    repo.job("continuous/worker", "run.py", WORKER)
    await repo.push(message="Begin the shop")
    await expect(row).to_contain_text("Live")
    await expect(row).to_contain_text("Begin the shop")
    await expect(row).to_contain_text("2 jobs")
    await server.call("DELETE", "/api/apps/demo")
    await expect(row).to_have_count(0)
    await expect(page.get_by_label("Name of the new app")).to_have_value("half-typed")
    assert await page.evaluate("window.same")
    assert page.errors == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "Connection lost, trying again…"), ("ko", "연결이 끊어졌습니다. 다시 연결하는 중…")],
)
async def test_a_killed_server_is_told_and_its_return_shown_once(
    browser: Browser, repo: Developer, server: Server, language: str, text: str
) -> None:
    repo.job("triggered/report", "run.py", QUICK)
    await repo.push()
    context = await new_context(browser, server, language=language)
    page = await new_page(context)
    await page.goto("/ui/demo/")
    lost = page.locator("#connection")
    await expect(lost).to_be_hidden()
    await finish(server, "report")
    row = job(page, "report")
    await expect(row.locator(".c-history path.ok")).to_have_count(1)
    address = server.url.removeprefix("http://")
    await server.kill()
    await expect(lost).to_be_visible()
    await expect(lost).to_have_text(text)
    await expect(row).to_be_visible()
    await server.start(address)
    await expect(lost).to_be_hidden()
    await finish(server, "report")
    names = {"en": "Last runs: 2 succeeded", "ko": "성공 2회"}
    await expect(row.get_by_role("img", name=re.compile(names[language]))).to_be_visible()
    await expect(page.locator("#list tbody tr")).to_have_count(1)
    await expect(page.locator("#connection")).to_have_count(1)
    ids = await page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    await context.close()


async def test_an_ended_session_is_told_and_leads_back_to_the_page(
    page: Page, repo: Developer, server: Server
) -> None:
    await repo.push()
    await page.goto("/ui/demo/?show=triggered")
    other = await page.context.new_page()
    await other.goto("/ui/")
    await other.locator(".tools details.menu > summary").click()
    await other.get_by_role("button", name="Sign out").click()
    await other.wait_for_url("**/ui/sign-in")
    lost = page.locator("#connection")
    await expect(lost).to_contain_text("Your session has ended.")
    await lost.get_by_role("link", name="Sign in").click()
    await page.wait_for_url(
        re.compile(r"/ui/sign-in\?next=/ui/demo/(?:%3F|\?)show(?:%3D|=)triggered$")
    )


async def test_the_focus_and_what_is_open_stay_while_the_page_is_renewed(
    page: Page, repo: Developer, server: Server
) -> None:
    for name in ("alpha", "beta", "gamma"):
        repo.job(f"triggered/{name}", "run.py", QUICK)
    await repo.push()
    await page.goto("/ui/demo/?sort=last")
    names = page.locator("#list a.name")
    await expect(names).to_have_text(["alpha", "beta", "gamma"])
    button = job(page, "gamma").get_by_role("button", name="Run gamma")
    await button.focus()
    await finish(server, "beta")
    await expect(names).to_have_text(["beta", "alpha", "gamma"])
    await expect(button).to_be_focused()
    await finish(server, "gamma")  # the row itself moves
    await expect(names).to_have_text(["gamma", "beta", "alpha"])
    await expect(button).to_be_focused()
    menu = job(page, "alpha").locator("details.menu")
    await menu.locator("summary").click()
    await finish(server, "beta")
    await expect(names).to_have_text(["beta", "gamma", "alpha"])
    await finish(server, "alpha")
    await expect(names).to_have_text(["alpha", "beta", "gamma"])
    await expect(menu).to_have_attribute("open", "")
    await expect(menu.locator("summary")).to_be_focused()


async def test_where_the_focused_button_goes_the_focus_goes_to_its_row(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/alpha", "run.py", QUICK)
    repo.job("triggered/beta", "run.py", QUICK)
    await repo.push()
    await page.goto("/ui/demo/")
    await job(page, "beta").get_by_role("button", name="Run beta").focus()
    # its script is gone: there is nothing to run any more
    (repo.path / "App_Data/jobs/triggered/beta/run.py").unlink()
    repo.write("App_Data/jobs/triggered/beta/notes.txt", "no script")
    await repo.push()
    await expect(job(page, "beta").get_by_role("button", name="Run beta")).to_have_count(0)
    await expect(job(page, "beta").locator(":focus")).to_have_count(1)


async def test_a_burst_of_events_costs_few_requests(
    page: Page, repo: Developer, server: Server
) -> None:
    repo.job("triggered/report", "run.py", QUICK)
    await repo.push()
    await page.goto("/ui/demo/")
    await expect(page.locator("#connection")).to_be_hidden()
    asked: list[str] = []
    page.on(
        "request",
        lambda request: asked.append(request.url) if request.resource_type == "xhr" else None,
    )
    await asyncio.gather(
        *(server.call("POST", "/apps/demo/api/settings", {"KEY": str(n)}) for n in range(20))
    )
    await finish(server, "report")
    await expect(job(page, "report")).to_contain_text("Succeeded")
    assert 1 <= len(asked) <= 8
