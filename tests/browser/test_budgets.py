"""What a page may cost, and what the browser may be asked to do: counted, not timed."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Request

from tests.browser.conftest import SIZES, new_context, new_page
from tests.browser.populated import populate
from tests.browser.walk import walk
from tests.scenarios.actors import Developer, Server

FIRST_LOAD, SCRIPTS, SHIFT = 70_000, 15_000, 0.02
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
WATCH = """
window.shift = 0;
window.violations = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))"


class Load(NamedTuple):
    """What opening a page took: bytes of all bodies as they were sent, and of the scripts alone;
    hosts that were asked; how far the page shifted; what the browser refused; the page's policy."""

    every: int
    scripts: int
    hosts: set[str]
    shift: float
    refused: list[str]
    policy: str


async def cold(context: BrowserContext, address: str) -> Load:
    """Open a page with nothing kept."""
    done: list[Request] = []
    asked: list[str] = []
    page = await new_page(context)
    # the stream of events never ends, and isn't a part of the load
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfinished", lambda request: done.append(request))
    response = await page.goto(address)
    assert response is not None
    await page.evaluate(SETTLED)
    control = await response.header_value("cache-control") or ""
    assert {"no-store", "private"} <= {each.strip() for each in control.split(",")}, address
    for each in done:
        answer = await each.response()
        if "/-/static/" in each.url and answer is not None:
            assert "immutable" in (await answer.header_value("cache-control") or ""), each.url
    sizes = {request: (await request.sizes())["responseBodySize"] for request in done}
    load = Load(
        every=sum(sizes.values()),
        scripts=sum(size for each, size in sizes.items() if each.resource_type == "script"),
        hosts={urlsplit(each).netloc for each in asked} - {""},
        shift=await page.evaluate("window.shift"),
        refused=[*await page.evaluate("window.violations"), *page.errors],  # type: ignore[attr-defined]
        policy=await response.header_value("content-security-policy") or "",
    )
    await page.close()
    return load


def directives(policy: str) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in policy.split(";") if part.strip())
    return {name: value for name, _, value in pairs}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_every_page_keeps_to_its_budget(
    browser: Browser, server: Server, repo: Developer, size: str
) -> None:
    await populate(server, repo)
    width, height = SIZES[size]
    context = await new_context(browser, server)
    state = await context.storage_state()
    page = await new_page(context)
    addresses = [address async for _, address in walk(page, of_each=1, with_query=False)]
    await context.close()
    found: list[str] = []
    for address in addresses:
        where = urlsplit(address).path
        fresh = await browser.new_context(
            storage_state=state, base_url=server.url, viewport={"width": width, "height": height}
        )
        await fresh.add_init_script(WATCH)
        load = await cold(fresh, address)
        print(f"{where}: {load.every} bytes, {load.scripts} of scripts, shifts {load.shift:.4f}")
        if load.every > FIRST_LOAD:
            found.append(f"{where} loads {load.every} bytes")
        if load.scripts > SCRIPTS:
            found.append(f"{where} loads {load.scripts} bytes of scripts")
        if load.shift > SHIFT:
            found.append(f"{where} shifts by {load.shift:.4f}")
        if load.hosts != {urlsplit(server.url).netloc}:
            found.append(f"{where} asks {load.hosts}")
        if directives(load.policy) != POLICY:
            found.append(f"{where} has the policy {load.policy}")
        found += [f"{where}: {each}" for each in load.refused]
        await fresh.close()
    assert not found, "\n".join(found)
    assert len(addresses) >= 8
