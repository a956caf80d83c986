"""The app's logs in a browser: what all jobs print, live, and its events."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import Developer, Server

COUNTER = """\
import os, pathlib, sys, time
gate = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"], "gate")
n = 0
while True:
    while not gate.exists() or n >= int(gate.read_text() or 0):
        time.sleep(0.02)
    n += 1
    print("\\x1b[32mcount\\x1b[0m", n, "<b>", flush=True)
    if n % 10 == 0 and n <= 50:
        print("trouble", n, file=sys.stderr, flush=True)
"""
COUNTS = """
() => [...document.querySelectorAll("#output .l")].map((one) => one.querySelector(".t").textContent)
  .map((text) => Number(/count (\\d+)/.exec(text)?.[1])).filter((n) => n)
"""
PLACE = "() => { const b = document.querySelector('.log-body'); return [b.scrollTop, b.scrollHeight - b.clientHeight]; }"


@pytest.fixture
async def demo(repo: Developer, server: Server) -> Developer:
    repo.job("continuous/counter", "run.py", COUNTER)
    repo.job("triggered/report", "run.py", "print('reported')\n")
    await repo.push()
    return repo


async def count_to(server: Server, number: int) -> None:
    gate = "/apps/demo/api/vfs/data/jobs/continuous/counter/gate"
    await server.call("PUT", gate, str(number), headers={"If-Match": "*"})
    await server.says("counter", f" {number} <b>")


async def test_lines_of_all_jobs_appear_as_they_come(
    page: Page, demo: Developer, server: Server
) -> None:
    await count_to(server, 3)
    await page.goto("/ui/demo/")
    await page.get_by_role("link", name="Logs", exact=True).first.click()
    await page.wait_for_url("**/ui/demo/logs/")
    log = page.get_by_role("log", name="Output")
    await expect(log).to_contain_text("count 3 <b>")
    await expect(page.locator("[data-part=state]")).to_have_text("Live")
    await page.evaluate("window.same = true")
    await count_to(server, 20)
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run?follow=true")
    await expect(log).to_contain_text("reported")
    await expect(log).to_contain_text("count 20 <b>")
    assert await page.evaluate(COUNTS) == list(range(1, 21))
    assert await page.evaluate("window.same")
    last = page.locator(".l").filter(has_text="count 20 ")
    await expect(last).to_have_class("l")
    await expect(last.locator(".c2")).to_have_text("count")
    await expect(page.locator(".l").filter(has_text="trouble 20")).to_have_class("l e")
    await expect(last.locator(".who")).to_have_attribute(
        "href", re.compile("/jobs/counter/output$")
    )
    top, most = await page.evaluate(PLACE)
    assert top >= most - 1
    await log.get_by_role("link", name="report").click()
    await page.wait_for_url(re.compile(r"/ui/demo/jobs/report/runs/\d+$"))
    assert page.errors == []  # type: ignore[attr-defined]


async def test_who_scrolls_up_stays_there_and_is_told_what_is_new(
    page: Page, demo: Developer, server: Server
) -> None:
    await count_to(server, 200)
    await page.goto("/ui/demo/logs/")
    await expect(page.locator("[data-part=state]")).to_have_text("Live")
    follow = page.get_by_role("button", name="Follow")
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await page.locator(".log-body").hover()
    await page.mouse.wheel(0, -1500)
    await expect(follow).to_have_attribute("aria-pressed", "false")
    await page.wait_for_function("() => document.querySelector('.log-body').scrollTop > 0")
    before, _ = await page.evaluate(PLACE)
    await count_to(server, 212)
    pill = page.locator(".log-pill")
    await expect(pill).to_have_text("12 new lines")
    await expect(page.locator(".l").filter(has_text="count 212 ")).to_have_count(1)
    assert (await page.evaluate(PLACE))[0] == before
    await page.set_viewport_size({"width": 1000, "height": 500})
    assert (await page.evaluate(PLACE))[0] == before
    await expect(follow).to_have_attribute("aria-pressed", "false")
    await pill.click()
    await expect(pill).to_be_hidden()
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await count_to(server, 215)
    await expect(page.locator(".l").filter(has_text="count 215 ")).to_be_in_viewport()
    await follow.click()
    await expect(follow).to_have_attribute("aria-pressed", "false")
    await count_to(server, 216)
    await expect(pill).to_have_text("1 new line")
    await page.locator(".log-body").press("End")  # at the bottom it follows again
    await expect(follow).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate(COUNTS) == list(range(1, 217))


async def test_after_a_crash_of_the_server_nothing_is_doubled_or_lost(
    page: Page, demo: Developer, server: Server
) -> None:
    await count_to(server, 50)
    await page.goto("/ui/demo/logs/")
    await expect(page.locator("[data-part=state]")).to_have_text("Live")
    await count_to(server, 60)
    await expect(page.get_by_role("log")).to_contain_text("count 60 ")
    port = server.port
    await server.kill()
    lost = page.locator("#connection")
    await expect(lost).to_be_visible()
    await expect(page.locator("[data-part=state]")).to_contain_text("Connection lost")
    (gate,) = server.home.glob("apps/demo/**/counter/gate")
    gate.write_text("90")  # the job goes on meanwhile
    await server.start(f"127.0.0.1:{port}")
    await expect(lost).to_be_hidden()
    await expect(page.get_by_role("log")).to_contain_text("count 90 ")
    await count_to(server, 100)
    await expect(page.get_by_role("log")).to_contain_text("count 100 ")
    assert await page.evaluate(COUNTS) == list(range(1, 101))


async def test_the_page_keeps_five_thousand_lines_and_says_what_it_left_out(
    page: Page, demo: Developer, server: Server
) -> None:
    await count_to(server, 100)
    await page.goto("/ui/demo/logs/")
    await expect(page.locator("[data-part=state]")).to_have_text("Live")
    await page.get_by_role("button", name="Follow").click()
    await count_to(server, 12_000)
    await expect(page.locator(".log-pill")).to_have_text("11,900 new lines")
    assert await page.evaluate(COUNTS) == list(range(1, 4996))  # and five of stderr
    await page.locator(".log-pill").click()
    await expect(page.locator(".l").filter(has_text="count 12000 ")).to_be_in_viewport()
    assert await page.evaluate(COUNTS) == list(range(7001, 12_001))
    await expect(page.locator(".gap")).to_have_count(1)


async def test_events_are_filtered_and_come_by_themselves(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto("/ui/demo/logs/")
    await page.get_by_role("link", name="Events").click()
    await page.wait_for_url("**/ui/demo/logs/events/")
    events = page.locator("#events")
    await expect(events).to_contain_text("deploy.succeeded")
    await page.get_by_label("Event begins with").fill("run.")
    await page.get_by_label("Level").select_option("Info and above")
    await page.get_by_role("button", name="Filter").click()
    await page.wait_for_url("**/logs/events/?level=info&event=run.")
    await expect(events).to_contain_text("No event in this part of the journal matches the filter.")
    await page.evaluate("window.same = true")
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run?follow=true")
    await expect(events).to_contain_text("run.ended")
    assert await page.evaluate("window.same")
    await events.get_by_role("link", name=re.compile(r"^\d{18}")).first.click()
    await page.wait_for_url(re.compile(r"/ui/demo/jobs/report/runs/\d+$"))


async def test_all_of_it_works_without_scripts(
    browser: Browser, demo: Developer, server: Server
) -> None:
    await count_to(server, 30)
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/report/run?follow=true")
    context = await new_context(browser, server, javascript=False)
    page = await new_page(context)
    await page.goto("/ui/demo/logs/")
    await expect(page.get_by_role("log")).to_contain_text("count 30 <b>")
    await expect(page.get_by_role("button", name="Follow")).to_be_hidden()
    await page.get_by_label("Job").select_option("triggered/report")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator(".l")).to_have_count(1)
    await page.get_by_role("link", name="Show all").click()
    await page.get_by_role("link", name="stderr").click()
    await expect(page.locator(".l")).to_have_count(3)
    await count_to(server, 40)
    await page.get_by_role("link", name="Refresh").click()
    await expect(page.locator(".l")).to_have_count(4)
    await page.get_by_role("link", name="Events").click()
    await expect(page.locator("#events")).to_contain_text("deploy.succeeded")
    await context.close()
