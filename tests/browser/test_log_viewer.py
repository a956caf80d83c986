"""The log viewer in a browser: follows, finds, leads to lines, and stays light with long logs."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page, expect

from gitdeploy.web.ui.ansi import spans
from gitdeploy.web.ui.assets import assets
from tests.browser.conftest import new_context, new_page
from tests.browser.populated import finished
from tests.scenarios.actors import Developer, Server
from tests.support import eventually

MANY = 200_000
LOUD = f"""\
import sys
for n in range(1, {MANY} + 1):
    sys.stdout.write(f"line {{n}} of many{{' needle' if n % 1000 == 7 else ''}}\\n")
    if n in (50_000, 150_000):
        sys.stdout.flush()
        print("on stderr", n, file=sys.stderr, flush=True)
"""
STEADY = """\
import itertools, os, pathlib, time
gate = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"], "gate")
begun = time.monotonic()
for n in itertools.count(1):
    print("count", n, flush=n % 20 == 0)
    time.sleep(max(0, begun + n / 2000 - time.monotonic()))
    if n % 100 == 0 and gate.exists():
        break
print("count over", flush=True)
"""
ASKED = """\
import os, pathlib, sys, time
place = pathlib.Path(os.environ["WEBJOBS_DATA_PATH"])
for n in range(1, 101):
    print("first", n)
sys.stdout.flush()
more = 0
while True:
    over = (place / "gate").exists()
    if (place / f"more{more}").exists():
        for n in range(12):
            print("more", more, n)
        sys.stdout.flush()
        more += 1
    elif over:
        break
    time.sleep(0.02)
"""
HOSTILE = """\
import sys
print("<img src=x onerror=alert(1)> & <b>bold</b>")
print("\\x1b[31mred\\x1b[0m \\x1b[1;38;5;196mtrue red\\x1b[0m \\x1b[38;2;255;255;255mwhite\\x1b[0m \\x1b[2Jgone")
print("half\\rwhole")
print("Traceback of something", file=sys.stderr)
print("x" * 20_000)
"""


@pytest.fixture
async def demo(repo: Developer, server: Server) -> Developer:
    for name, script in (
        ("loud", LOUD),
        ("steady", STEADY),
        ("asked", ASKED),
        ("hostile", HOSTILE),
    ):
        repo.job(f"triggered/{name}", "run.py", script)
    await repo.push()
    return repo


async def begun(server: Server, job: str) -> str:
    """Start a run; the address of its page."""
    await server.call("POST", f"/apps/demo/api/triggeredwebjobs/{job}/run")
    run = server.headers["Location"].rpartition("/")[2]
    return f"/ui/demo/jobs/{job}/runs/{run}"


async def gate(server: Server, job: str, name: str = "gate") -> None:
    await server.call("PUT", f"/apps/demo/api/vfs/data/jobs/triggered/{job}/{name}", "")


def row(page: Page, number: int):
    return page.locator(f"#L{number}")


def button(page: Page, name: str):
    return page.locator("log-view").get_by_role("button", name=name, exact=True)


async def at_end(page: Page) -> bool:
    return bool(
        await page.locator(".log-body").evaluate(
            "body => body.scrollHeight - body.scrollTop - body.clientHeight < 24"
        )
    )


def settles(page: Page, script: str) -> Callable[[], Awaitable[bool]]:
    async def condition() -> bool:
        return bool(await page.evaluate(script))

    return condition


async def test_a_log_of_200000_lines_is_whole_and_few_of_its_lines_are_elements(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "loud", "")
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}")
    await expect(page.locator(".log-foot")).to_contain_text(f"{MANY + 2:,} lines")
    await expect(page.get_by_text(f"line {MANY} of many", exact=True)).to_be_visible()
    body = page.locator(".log-body")
    for part in (0.5, 0.1, 0.93, 0):
        await body.evaluate("(body, part) => { body.scrollTop = body.scrollHeight * part }", part)
        seen = """() => {
            const box = document.querySelector('.log-body').getBoundingClientRect();
            const rows = [...document.querySelectorAll('.log-lines .l')].filter(row => {
                const at = row.getBoundingClientRect();
                return at.bottom > box.top && at.top < box.bottom;
            });
            return rows.length > 10 && rows.every(row => /^(line|on)/.test(row.textContent))
                && rows.map(row => Number(row.dataset.n));
        }"""
        await eventually(settles(page, seen), limit=20, what=f"lines at {part} of the log")
        numbers = await page.evaluate(seen)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert abs(numbers[0] - MANY * part) < MANY / 100
    assert await page.locator(".log-lines *").count() < 2000
    await expect(row(page, 1)).to_have_text("line 1 of many")
    assert page.errors == []  # type: ignore[attr-defined]


async def test_search_counts_every_match_and_leads_from_one_to_the_next(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "loud", "")
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}")
    await expect(page.get_by_text(f"line {MANY} of many", exact=True)).to_be_visible()
    await page.keyboard.press("/")
    find, count = page.get_by_role("searchbox", name="Search log"), page.locator(".log-find output")
    await expect(find).to_be_focused()
    await find.fill("NEEDLE")
    await expect(count).to_have_text("No match")  # capitals are meant
    await find.fill("needle")
    await expect(count).to_have_text("1 of 200")
    await expect(page.locator(".l.hit mark")).to_have_text("needle")
    await expect(row(page, 7)).to_be_in_viewport()
    await find.press("Enter")
    await expect(count).to_have_text("2 of 200")
    await expect(row(page, 1007)).to_be_in_viewport()
    await find.press("Shift+Enter")
    await find.press("Shift+Enter")
    await expect(count).to_have_text("200 of 200")
    # in front of it is one more line, on stderr twice
    await expect(page.locator(".l.hit")).to_have_text(f"line {MANY - 993} of many needle")

    await button(page, "Only matches").click()
    await expect(page.locator(".log-foot")).to_contain_text("200 shown")
    await page.locator(".log-body").evaluate("body => { body.scrollTop = 0 }")
    await expect(page.locator(".log-lines .l").nth(1)).to_have_text("line 1007 of many needle")
    await page.locator("#L2007").click(position={"x": 12, "y": 8})  # its number
    await expect(row(page, 2006)).to_be_in_viewport()
    await expect(row(page, 2007)).to_have_class(re.compile(r"\bat\b"))
    assert page.url.endswith("?find=needle&line=2007#L2007")

    await button(page, "stderr").click()
    await expect(page.locator(".log-foot")).to_contain_text("2 shown")
    await expect(page.locator(".log-lines .l")).to_have_text(
        ["on stderr 50000", "on stderr 150000"]
    )
    await expect(page.locator(".log-lines .l").first).to_have_class(re.compile(r"\be\b"))
    assert page.errors == []  # type: ignore[attr-defined]


async def test_a_line_has_an_address(page: Page, demo: Developer, server: Server) -> None:
    run = await finished(server, "demo", "loud", "")
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}#L120000")
    await expect(row(page, 120_000)).to_be_in_viewport()
    await expect(row(page, 120_000)).to_have_class(re.compile(r"\bat\b"))
    await page.reload()
    await expect(row(page, 120_000)).to_be_in_viewport()
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}?line=77&find=needle")
    await expect(page.locator(".log-find output")).to_have_text(re.compile(r"of 200"))
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}?find=stderr&only=1&stream=stderr")
    await expect(page.locator(".log-lines .l")).to_have_text(
        ["on stderr 50000", "on stderr 150000"]
    )


async def test_following_doesnt_fight_the_reader(
    page: Page, demo: Developer, server: Server
) -> None:
    await page.goto(await begun(server, "asked"))
    follow, pill = button(page, "Follow"), page.locator(".log-pill")
    await expect(page.get_by_text("first 100", exact=True)).to_be_in_viewport()
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await page.locator(".log-body").hover()
    await page.mouse.wheel(0, -300)
    await expect(follow).to_have_attribute("aria-pressed", "false")
    before = await page.locator(".log-body").evaluate("body => body.scrollTop")
    await gate(server, "asked", "more0")
    await expect(pill).to_have_text("12 new lines")
    assert await page.locator(".log-body").evaluate("body => body.scrollTop") == before
    await pill.click()
    await expect(page.get_by_text("more 0 11", exact=True)).to_be_in_viewport()
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await expect(pill).to_be_hidden()

    # the keyboard pauses too, and the end of the log goes on
    await page.locator(".log-body").focus()
    await page.keyboard.press("PageUp")
    await expect(follow).to_have_attribute("aria-pressed", "false")
    await page.keyboard.press("End")
    await expect(follow).to_have_attribute("aria-pressed", "true")

    # a selection isn't torn away
    await page.get_by_text("more 0 11", exact=True).dblclick(position={"x": 80, "y": 10})
    chosen = await page.evaluate("String(getSelection())")
    await gate(server, "asked", "more1")
    await expect(pill).to_have_text("12 new lines")
    assert await page.evaluate("String(getSelection())") == chosen
    assert chosen.strip() == "more"
    await pill.click()

    await gate(server, "asked")
    await expect(page.locator(".log-foot")).to_contain_text("Ended")
    await expect(page.locator("#run-head")).to_contain_text("Succeeded")  # without a reload
    await expect(page.locator(".log-lines .l")).to_have_count(124)
    assert page.errors == []  # type: ignore[attr-defined]


async def test_2000_lines_a_second_are_followed_through_a_kill_of_the_server(
    page: Page, demo: Developer, server: Server
) -> None:
    address = await begun(server, "steady")
    await page.goto(address)
    await eventually(
        settles(page, "document.querySelectorAll('.log-lines .l').length > 100"), limit=20
    )
    assert await at_end(page)
    listen = server.url.removeprefix("http://")
    await server.kill()
    await expect(page.locator(".log-foot")).to_contain_text("Connection lost")
    await server.start(listen)
    await expect(page.locator(".log-foot")).to_contain_text("Live", timeout=30_000)
    last = "Number([...document.querySelectorAll('.log-lines .l')].at(-1).dataset.n)"
    reached = await page.evaluate(last)
    await eventually(settles(page, f"{last} > {reached} + 4000"), limit=30, what="it goes on")

    find = page.get_by_role("searchbox", name="Search log")
    await find.fill("count 1000")
    await expect(page.locator(".log-find output")).to_have_text(re.compile(r"\d+ of \d+"))
    await expect(page.locator(".l.hit")).to_have_text(re.compile(r"^count 1000"))
    await find.fill("")
    await button(page, "Follow").click()
    await gate(server, "steady")
    await expect(page.locator(".log-foot")).to_contain_text("Ended", timeout=30_000)
    await expect(page.get_by_text("count over", exact=True)).to_be_visible()
    # every line once, in its place: the number of each is what it says
    wrong = """[...document.querySelectorAll('.log-lines .l')].slice(0, -1)
        .filter(row => row.textContent.trim() !== `count ${row.dataset.n}`).length"""
    assert await page.evaluate(wrong) == 0
    await page.locator(".log-body").evaluate("body => { body.scrollTop = 0 }")
    await expect(row(page, 1)).to_have_text("count 1")
    assert await page.evaluate(wrong) == 0


async def test_output_is_text_with_colours_whatever_is_in_it(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "hostile", "")
    await page.goto(f"/ui/demo/jobs/hostile/runs/{run}")
    await expect(page.locator(".log-foot")).to_contain_text("5 lines")
    lines = page.locator(".log-lines .l")
    await expect(page.get_by_text("<img src=x onerror=alert(1)> & <b>bold</b>")).to_be_visible()
    assert await page.locator(".log-lines img, .log-lines b").count() == 0
    await expect(page.locator(".l .c1")).to_have_text("red")
    coloured = page.get_by_text("white", exact=True)
    dark = await coloured.evaluate("span => getComputedStyle(span).color")
    assert max(map(int, re.findall(r"\d+", dark)[:3])) < 140  # white on white was asked for
    await expect(page.get_by_text("whole", exact=True)).to_be_visible()
    await expect(page.locator(".l.e.x")).to_have_text("Traceback of something")
    long = await lines.filter(has_text="xxxx").inner_text()
    assert 10_000 <= len(long) < 10_010
    assert page.errors == []  # type: ignore[attr-defined]


async def test_wrap_and_times_are_remembered_and_times_are_not_copied(
    page: Page, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "hostile", "")
    address = f"/ui/demo/jobs/hostile/runs/{run}"
    await page.goto(address)
    await expect(button(page, "Wrap")).to_have_attribute("aria-pressed", "false")
    await button(page, "Wrap").click()
    await button(page, "Times").click()
    await page.reload()
    await expect(button(page, "Wrap")).to_have_attribute("aria-pressed", "true")
    await expect(button(page, "Times")).to_have_attribute("aria-pressed", "true")
    body = page.locator(".log-body")
    assert await body.evaluate("body => body.scrollWidth <= body.clientWidth")
    time = page.locator(".l i").first
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", await time.get_attribute("data-t") or "")
    await page.evaluate("getSelection().selectAllChildren(document.querySelector('.log-lines'))")
    copied = await page.evaluate("String(getSelection())")
    assert copied.startswith("<img src=x")
    assert not re.search(r"\d\d:\d\d:\d\d", copied)


async def test_without_javascript_the_log_is_read_by_pages(
    browser: Browser, demo: Developer, server: Server
) -> None:
    run = await finished(server, "demo", "loud", "")
    context = await new_context(browser, server, javascript=False, size="phone")
    page = await new_page(context)
    await page.goto(f"/ui/demo/jobs/loud/runs/{run}")
    await expect(page.get_by_text(f"line {MANY} of many", exact=True)).to_have_count(1)
    await page.get_by_role("link", name="Older lines").click()
    await expect(page.get_by_text(f"line {MANY} of many", exact=True)).to_have_count(0)
    await expect(page.get_by_role("link", name="Newer lines")).to_be_visible()
    await expect(page.get_by_role("searchbox", name="Search log")).to_be_hidden()
    await context.close()


async def test_printing_has_the_whole_log(page: Page, demo: Developer, server: Server) -> None:
    await page.goto(await begun(server, "asked"))
    await gate(server, "asked", "more0")
    await gate(server, "asked")
    await expect(page.locator(".log-foot")).to_contain_text("Ended")
    await page.evaluate("dispatchEvent(new Event('beforeprint'))")
    await page.emulate_media(media="print")
    await expect(page.locator(".log-lines .l")).to_have_count(112)
    await expect(row(page, 1)).to_be_visible()


async def test_the_script_and_the_page_colour_a_line_alike(
    page: Page, demo: Developer, server: Server
) -> None:
    chosen = random.Random(7)
    parts = [
        "plain", "한글 🙂", "\x1b[31m", "\x1b[0m", "\x1b[1;32m", "\x1b[97;41m", "\x1b[38;5;9m", "\x1b[38;5m",
        "\x1b[48;5;3m", "\x1b[39;49m", "\x1b[22m", "\x1b[7;9m", "\x1b[K", "\x1b]0;title\x07", "\r", "\t", "\x07",
        "\x1b", "\x1b[", "\x7f", "\x1b[4:3m", "\x1b[;m",
    ]  # fmt: skip
    texts = ["".join(chosen.choices(parts, k=chosen.randint(0, 9))) for _ in range(400)]
    await page.goto("/ui/demo/")
    module = f"/ui/-/static/{assets().build}/js/log/spans.js"
    found = await page.evaluate(
        """async ([module, texts]) => {
            const { spans } = await import(module);
            return JSON.stringify(texts.map(text => spans(text).filter(span => span.text)
                .map(({ text, classes }) => [text, classes])));
        }""",
        [module, texts],
    )
    expected = [[[span.text, span.classes] for span in spans(text)] for text in texts]
    assert json.loads(found) == expected
