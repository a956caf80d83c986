"""`make screenshots`: a picture of each page in docs/screenshots, from a real server with sample jobs.

Each page is found by its links and taken on a desktop, light and dark, and on a phone in Korean.
"""

from __future__ import annotations

import asyncio
import io
import random
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Error, Page, async_playwright

from tests.browser.conftest import SIZES, new_context, start_chromium
from tests.browser.populated import populate
from tests.browser.walk import walk
from tests.scenarios.actors import Developer, Server

TARGET = Path(__file__).parents[2] / "docs" / "screenshots"
COLORS = 128
MOST = 2_000_000
"""Bytes of all pictures together."""
LOOKS: dict[str, dict[str, str]] = {
    "light": {"theme": "light", "size": "desktop"},
    "dark": {"theme": "dark", "size": "desktop"},
    "ko": {"theme": "light", "size": "phone", "language": "ko"},
}
ALSO = {
    "file": "/ui/shop/files/site/wwwroot/App_Data/jobs/triggered/report/run.py",
    "first-deploy": "/ui/fresh/",
}
LEFT_OUT = {"zones"}
"""Nothing but a list of names."""
LIKED = ("/shop/", "/report", "/ticker", "/site/wwwroot/")
"""Of several pages of a kind, that with most of these in its address."""
MINUTE = 60_000_000


async def main() -> None:
    """Take them all, over what was there."""
    TARGET.mkdir(parents=True, exist_ok=True)
    SIZES["phone"] = (360, 740)
    with tempfile.TemporaryDirectory(prefix="gitdeploy-pictures-") as directory:
        server = Server(Path(directory) / "home", "--swap-grace", "0.3", "--grace", "5")
        await server.start()
        try:
            await populate(server, Developer(Path(directory) / "work", server, app="shop"))
            await server.kill()  # jobs go on
            a_day_before(server.home / "gitdeploy.db")
            await server.start()
            async with async_playwright() as playwright:
                browser = await start_chromium(playwright)
                await take(browser, server)
                await browser.close()
        finally:
            await server.end()
    total = sum(file.stat().st_size for file in TARGET.glob("*.png"))
    print(f"{len(list(TARGET.glob('*.png')))} pictures, {total / 1e6:.2f} MB, in {TARGET}")
    if total > MOST:
        sys.exit(f"That is more than {MOST / 1e6:.0f} MB: take fewer colours.")


async def take(browser: Browser, server: Server) -> None:
    """A picture of each page in each look; what no page is any more goes."""
    context = await new_context(browser, server)
    page = await context.new_page()
    known: dict[str, list[str]] = {}
    async for operation, address in walk(page, of_each=8, with_query=False):
        name = operation.removeprefix("page.").replace("_", "-")
        if name not in LEFT_OUT:
            known.setdefault(name, []).append(address.removeprefix(server.url))
    await context.close()
    pages = {name: liked(addresses) for name, addresses in known.items()} | ALSO
    made: set[Path] = set()
    for look, given in LOOKS.items():
        context = await new_context(browser, server, **given)
        page = await context.new_page()
        await page.goto(ALSO["file"])  # both fonts are there from now on
        for name, address in sorted(pages.items()):
            made.add(await picture(page, address, TARGET / f"{name}-{look}.png"))
        await context.close()
        context = await new_context(browser, server, signed_in=False, **given)
        page = await context.new_page()
        made.add(await picture(page, "/ui/sign-in", TARGET / f"sign-in-{look}.png"))
        await context.close()
    for file in set(TARGET.glob("*.png")) - made:
        file.unlink()


def liked(addresses: list[str]) -> str:
    """The address that shows most."""
    return max(addresses, key=lambda address: sum(part in address for part in LIKED))


async def picture(page: Page, address: str, file: Path) -> Path:
    """What the reader sees first, in few colours."""
    await page.goto(address)
    await page.evaluate("document.fonts.ready.then(() => true)")
    try:
        data = await page.screenshot(animations="disabled")
    except Error:  # Chromium can't, now and then, on a busy machine
        data = await page.screenshot(animations="disabled")
    few = in_few_colors(Image.open(io.BytesIO(data)).convert("RGB"))
    few.save(file, optimize=True)
    print(f"{file.name}: {address}")
    return file


def in_few_colors(taken: Image.Image) -> Image.Image:
    """The picture with the colours that most of it has as they are, and rare ones near enough."""
    rare = taken.quantize(COLORS // 2, method=Image.Quantize.MAXCOVERAGE).convert("RGB")
    known: list[tuple[int, int, int]] = []
    for image in (taken, rare):
        counted = image.getcolors(taken.width * taken.height) or []
        known += [color for _, color in sorted(counted, reverse=True)[: COLORS // 2]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for color in dict.fromkeys(known) for part in color])
    return taken.quantize(palette=palette, dither=Image.Dither.NONE)


def a_day_before(database: Path) -> None:
    """Runs of the day before for the pictures, made of a real one; the continuous job is older."""
    chance = random.Random(7)
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    with connection:
        row = dict(
            connection.execute(
                "SELECT * FROM executions WHERE job = 'report' AND status = 'success'"
                " ORDER BY id DESC LIMIT 1"
            ).fetchone()
        )
        for job, every, count in (("report", 30, 40), ("nightly", 24 * 60, 2)):
            for number in range(1, count + 1):
                begun = row["created_at"] - number * every * MINUTE
                _insert(connection, _earlier(row, job, begun, chance))
        for column in ("created_at", "started_at"):
            connection.execute(
                f"UPDATE executions SET {column} = {column} - ? WHERE job = 'ticker'",
                (19 * 60 * MINUTE,),
            )
    connection.close()


def _earlier(row: dict[str, Any], job: str, begun: int, chance: random.Random) -> dict[str, Any]:
    at = datetime.fromtimestamp(begun / 1e6, UTC)
    failed = chance.random() < 0.07
    return row | {
        "job": job,
        "id": f"{at:%Y%m%d%H%M%S%f}"[:18],
        "status": "failed" if failed else "success",
        "exit_code": 3 if failed else 0,
        "trigger": "Schedule - 0 */15 * * * *",
        "created_at": begun,
        "started_at": begun + 30_000,
        "ended_at": begun + round(chance.uniform(20e6, 64e6)),
        "scheduled_for": begun,
    }


def _insert(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO executions ({names}) VALUES ({marks})", row)


if __name__ == "__main__":
    asyncio.run(main())
