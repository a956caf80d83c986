"""What holds of every page, whatever it shows: found by its links, in each language, theme and size."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page

from tests.browser.conftest import SIZES, new_context, new_page
from tests.browser.populated import populate
from tests.browser.walk import PAGES, walk
from tests.scenarios.actors import Developer, Server

BY_THEMSELVES = {"page.sign_in_form"}
"""Pages that no link leads a signed-in reader to."""

DEEP = (
    "/ui/demo/files/site/wwwroot/README.md",
    "/ui/demo/files/data/notes/today.txt?delete",
    "/ui/demo/files/data/",
    "/ui/demo/files/data/table.bin",
    "/ui/demo/files/LogFiles/jobs/continuous/ticker/job_log.txt",
    "/ui/demo/files/data/?find=nothing-of-this-name",
    "/ui/demo/jobs/ticker/edit",
)
"""What lies too deep for a walk that sees two of each kind, or has only links with a query."""

WIDTHS = {**SIZES, "rail": (1024, 768)}
"""Between tablet and desktop the navigation is a rail of icons."""

AXE = """
async () => {
  const found = await axe.run(document, {
    resultTypes: ["violations"],
    rules: { "target-size": { enabled: true } },
  });
  return found.violations.flatMap((one) => one.nodes.map((node) =>
    `${one.id}: ${node.target.join(" ")}: ${node.failureSummary.split("\\n").slice(0, 2).join(" ")}`));
}
"""
TWICE = """
() => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((id, at) => ids.indexOf(id) !== at);
}
"""
TOO_WIDE = """
() => {
  const seen = document.scrollingElement;
  if (seen.scrollWidth <= innerWidth) return [];
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((one) => `${one.localName}.${one.className} ${seen.scrollWidth} px`);
}
"""


async def faults(page: Page) -> list[str]:
    """What is wrong with the open page at each size; it stays at the last one."""
    found: list[str] = []
    for name, (width, height) in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": height})
        found += [f"{each}  [{name}]" for each in await page.evaluate(AXE)]
        found += [f"too wide: {each}  [{name}]" for each in await page.evaluate(TOO_WIDE)]
    found += [f"the id {each} is there twice" for each in await page.evaluate(TWICE)]
    found += page.errors  # type: ignore[attr-defined]
    page.errors.clear()  # type: ignore[attr-defined]
    return found


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    ("language", "theme"), [("en", "light"), ("en", "dark"), ("ko", "light"), ("ko", "dark")]
)
async def test_every_page_can_be_used_by_everybody(
    browser: Browser, server: Server, repo: Developer, language: str, theme: str
) -> None:
    """axe finds nothing, nothing is cut off at 320 px, no id is there twice, no script fails."""
    await populate(server, repo)
    look: dict[str, Any] = {"language": language, "theme": theme, "bypass_csp": True}
    context = await new_context(browser, server, **look)
    await context.add_init_script(AXE_SCRIPT)
    page = await new_page(context)
    every = (language, theme) == ("en", "light")
    seen: set[str] = set()
    found: dict[str, list[str]] = {}

    async def look_at(where: str) -> None:
        for fault in await faults(page):
            found.setdefault(fault, []).append(where)

    async for operation, address in walk(
        page, of_each=2 if every else 1, with_query=every, also=DEEP
    ):
        seen.add(operation)
        await look_at(address.removeprefix(server.url))
    response = await page.goto("/ui/nowhere-at-all/")
    assert response is not None
    assert response.status == 404
    page.errors.clear()  # type: ignore[attr-defined]  Chromium tells the 404 itself
    await look_at("a problem")
    await context.close()

    stranger = await new_context(browser, server, signed_in=False, **look)
    await stranger.add_init_script(AXE_SCRIPT)
    page = await new_page(stranger)
    await page.goto("/ui/sign-in")
    await look_at("signing in")
    await stranger.close()

    told = [f"{fault}\n    {len(where)}: {', '.join(where[:4])}" for fault, where in found.items()]
    assert not told, "\n".join(told)
    assert {route.operation for route in PAGES} - BY_THEMSELVES == seen, (
        "each page has a link to it"
    )
