"""A job and a run in a browser: ui.md's rows of the details page and of a run's details."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import new_context, new_page
from tests.browser.populated import finished
from tests.scenarios.actors import Developer, Server

WORKER = "import time\nprint('up', flush=True)\nwhile True:\n    time.sleep(0.1)\n"
REPORT = """\
import sys
print("\\x1b[32mreporting\\x1b[0m", *sys.argv[1:])
print("one line is longer than a page is wide:", "word " * 60)
print("trouble on stderr", file=sys.stderr)
"""
UNTIL = """\
import os, pathlib, time
gate = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"], "gate")
print("waiting", flush=True)
while not gate.exists():
    time.sleep(0.02)
print("open", flush=True)
"""
GATE = "/apps/demo/api/vfs/data/jobs/triggered/import/gate"
LONG = "a-job-with-a-very-long-name-that-has-to-wrap-somewhere-on-a-phone"
JOB, IMPORT = "/ui/demo/jobs/report/", "/ui/demo/jobs/import/"


@pytest.fixture
async def demo(repo: Developer, server: Server) -> Developer:
    """An app with a job that ends, one that waits, one that stays up."""
    repo.job("continuous/mail-queue", "run.py", WORKER)
    repo.job("triggered/report", "run.py", REPORT)
    repo.job("triggered/import", "run.py", UNTIL)
    repo.job(f"triggered/{LONG}", "run.py", REPORT, {"schedule": "0 30 8 1,15 1-6 *"})
    await repo.push()
    await server.says("mail-queue", "up")
    return repo


def fact(page: Page, name: str):
    return page.locator(".facts > div", has=page.get_by_text(name, exact=True)).locator("dd")


async def test_the_details_page_has_command_last_run_counts_and_recent_runs(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "report", "today")
    await page.goto("/ui/demo/")
    await page.locator("#job-triggered-report a.name").click()
    await expect(page).to_have_url(f"{server.url}{JOB}")
    await expect(fact(page, "Command")).to_contain_text("run.py")
    await expect(fact(page, "Last run").locator("time")).to_be_visible()
    await expect(fact(page, "Succeeded")).to_have_text("1")
    await expect(fact(page, "Failed")).to_have_text("0")
    await expect(page.get_by_role("heading", name="Recent job runs")).to_be_visible()
    row = page.locator(f"#run-{run}")
    await expect(row).to_contain_text("Succeeded")
    await row.locator("a.name").click()
    await expect(page).to_have_url(f"{server.url}{JOB}runs/{run}")
    assert page.errors == []  # type: ignore[attr-defined]


async def test_the_output_is_toggled_and_its_download_opens_as_text(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "report", "today")
    await page.goto(f"{JOB}runs/{run}")
    line = page.locator(".l", has_text="reporting today")
    await expect(line).to_be_visible()
    toggle = page.get_by_text("Toggle output")
    await toggle.click()
    await expect(line).to_be_hidden()
    await toggle.press("Enter")
    await expect(line).to_be_visible()
    await page.get_by_role("link", name="Download").click()
    await page.wait_for_url(f"**/runs/{run}/log")
    await expect(page.locator("body")).to_contain_text("trouble on stderr")
    assert await page.evaluate("document.contentType") == "text/plain"


async def test_the_breadcrumb_leads_back_to_the_webjobs(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "report", "")
    await page.goto(f"{JOB}runs/{run}")
    crumbs = page.get_by_role("navigation", name="You are here").or_(page.locator("nav.crumbs"))
    await crumbs.first.get_by_role("link", name="report", exact=True).click()
    await expect(page.get_by_role("heading", name="report", level=1)).to_be_visible()
    await page.locator("nav.crumbs").get_by_role("link", name="WebJobs").click()
    await expect(page).to_have_url(f"{server.url}/ui/demo/")


async def test_a_continuous_job_is_stopped_and_started_from_its_page(
    page: Page, demo: Developer
) -> None:
    await page.goto("/ui/demo/jobs/mail-queue/")
    head = page.locator("#job-head")
    await head.get_by_role("button", name="Stop").click()
    await expect(head.locator(".pill")).to_have_text("Stopped")
    await head.get_by_role("button", name="Start").click()
    await expect(head.locator(".pill")).to_have_text("Up")
    await expect(fact(page, "Process")).to_have_text(re.compile(r"\d+"))
    await head.get_by_role("link", name="Log").click()
    await expect(page.locator(".l", has_text="up").first).to_be_visible()


async def test_a_run_moves_by_itself_until_it_ends(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto(IMPORT)
    await page.get_by_label("Run once with arguments").fill("now")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/jobs/import/runs/\d+$"))
    await expect(page.get_by_text("import was started.")).to_be_visible()
    took = page.locator("[data-took]")
    first = await took.inner_text()
    await expect(took).not_to_have_text(first)
    await expect(page.locator(".l", has_text="waiting")).to_be_visible()
    await page.evaluate("window.same = true")
    await server.call("PUT", GATE, "open")
    await expect(page.locator("#run-head .pill")).to_have_text("Succeeded")
    await expect(took).to_have_count(0)
    await expect(page.get_by_role("button", name="Stop run")).to_have_count(0)
    await expect(fact(page, "Exit code")).to_have_text("0")
    assert await page.evaluate("window.same")  # no navigation
    assert page.errors == []  # type: ignore[attr-defined]


async def test_a_job_shows_by_itself_that_a_run_began_and_ended(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto(IMPORT)
    field = page.get_by_label("Run once with arguments")
    await field.fill("typed meanwhile")
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/import/run")
    await expect(page.locator("#job-head .pill")).to_have_text("Running")
    await expect(page.locator("#job-runs tbody tr")).to_have_count(1)
    await expect(page.locator(".durations rect")).to_have_count(1)
    await server.call("PUT", GATE, "open")
    await expect(page.locator("#job-head .pill")).to_have_text("Succeeded")
    await expect(fact(page, "Succeeded")).to_have_text("1")
    await expect(field).to_have_value("typed meanwhile")
    await expect(field).to_be_focused()


async def test_a_run_is_aborted_after_a_question_and_run_again(
    page: Page, demo: Developer, server: Server
) -> None:
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/import/run?arguments=first")
    await page.goto(IMPORT)
    await page.locator("#job-runs a.name").click()
    await page.get_by_role("button", name="Stop run").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Stop this run?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#run-head .pill")).to_have_text("Running")
    await page.get_by_role("button", name="Stop run").click()
    await dialog.get_by_role("button", name="Stop run").click()
    await expect(page.locator("#run-head .pill")).to_have_text("Stopped")
    stopped = page.url
    await page.get_by_role("button", name="Run again").click()
    await expect(page.get_by_text("import was started.")).to_be_visible()
    assert page.url != stopped
    await expect(fact(page, "Arguments")).to_have_text("first")


async def test_settings_upload_copy_and_deletion_are_one_step_away(
    page: Page, demo: Developer, server: Server
) -> None:
    for name, target in (
        ("Upload a new version", "edit?kind=triggered#drop"),
        ("Duplicate", "add/?from=report"),
        ("Delete…", "delete?kind=triggered"),
    ):
        await page.goto(JOB)
        await page.get_by_label("More about report").press("Enter")
        await page.get_by_role("link", name=name).click()
        await expect(page).to_have_url(re.compile(re.escape(target)))
    await page.get_by_role("link", name="Cancel").click()
    await page.get_by_role("link", name="Settings").last.click()
    await expect(page).to_have_url(re.compile(r"edit\?kind=triggered#how"))
    await expect(page.locator("#how")).to_be_in_viewport()


async def test_a_job_is_run_watched_aborted_without_a_script(
    browser: Browser, demo: Developer, server: Server
) -> None:
    context = await new_context(browser, server, javascript=False)
    page = await context.new_page()
    await page.goto("/ui/demo/")
    await page.locator("#job-triggered-import a.name").click()
    await page.get_by_label("Run once with arguments").fill("a 'b")
    await page.get_by_role("button", name="Run once").click()
    await expect(page.get_by_role("alert")).to_contain_text("A quote isn't closed.")
    field = page.get_by_label("Run once with arguments")
    await expect(field).to_have_value("a 'b")
    await field.fill("a 'b c'")
    await page.get_by_role("button", name="Run once").click()
    await page.wait_for_url(re.compile(r"/runs/\d+$"))
    await expect(fact(page, "Arguments")).to_have_text("a 'b c'")
    await expect(page.get_by_role("link", name="Download")).to_be_visible()
    await page.get_by_role("button", name="Stop run").click()
    await expect(page.locator("#run-head .pill")).to_have_text("Stopped")
    await page.locator("nav.crumbs").get_by_role("link", name="import", exact=True).click()
    await expect(page.locator("#job-runs tbody tr")).to_contain_text(["Stopped"])
    await context.close()


async def test_a_printed_run_is_its_log_and_nothing_to_press(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "report", "today")
    await page.goto(f"{JOB}runs/{run}")
    await expect(page.locator(".l", has_text="trouble on stderr")).to_be_visible()
    await page.emulate_media(media="print", color_scheme="dark")
    for shown in ("h1", ".facts", ".l.e"):
        await expect(page.locator(shown).first).to_be_visible()
    for hidden in (".side", ".top", ".actions", ".log-tools", ".log-foot", ".log-toggle > summary"):
        await expect(page.locator(hidden).first).to_be_hidden()
    looks = await page.evaluate(
        """() => {
          const body = document.querySelector(".log-body"), line = document.querySelector(".l.e");
          const long = [...document.querySelectorAll(".l")].find((one) => one.textContent.includes("word word"));
          const style = getComputedStyle(line), box = long.getBoundingClientRect();
          return {
            color: style.color, bar: style.borderLeftColor, mark: getComputedStyle(line, "::after").content,
            wrapped: long.clientHeight > 1.5 * parseFloat(getComputedStyle(long).lineHeight),
            right: box.right <= document.documentElement.clientWidth + 1, whole: body.scrollHeight <= body.clientHeight + 1,
          };
        }"""
    )
    assert looks["color"] == "rgb(0, 0, 0)"
    assert looks["bar"] == "rgb(0, 0, 0)"
    assert "stderr" in looks["mark"]
    assert looks["wrapped"] and looks["right"] and looks["whole"], looks
    assert (await page.pdf()).startswith(b"%PDF")


@pytest.mark.parametrize(("theme", "language"), [("light", "ko"), ("dark", "en")])
async def test_nothing_is_amiss_or_too_wide(
    browser: Browser, demo: Developer, server: Server, theme: str, language: str
) -> None:
    run = await finished(server, "demo", LONG, "'an argument that is long' and-one-more")
    await finished(server, "demo", LONG, "")
    long = f"/ui/demo/jobs/{LONG}/"
    await server.call("POST", "/apps/demo/api/triggeredwebjobs/import/run")
    for size in ("phone", "tablet", "desktop"):
        context = await new_context(
            browser, server, theme=theme, language=language, size=size, bypass_csp=True
        )
        page = await new_page(context)
        for address in (
            long,
            IMPORT,
            "/ui/demo/jobs/mail-queue/",
            f"{long}runs/{run}",
            f"{long}delete?kind=triggered",
        ):
            await page.goto(address)
            for summary in await page.locator(".environment > summary").all():
                await summary.click()
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, (size, address, wide)
            found = await Axe().run(page)
            assert found.violations_count == 0, (size, address, found.generate_report())
        await context.close()
