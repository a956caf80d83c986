"""Deployments in a browser: a push seen while it runs, a lost connection, going back."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from contextlib import suppress
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from gitdeploy.home import Home
from tests.browser.conftest import new_context, new_page
from tests.scenarios.actors import Developer, Server
from tests.support import eventually

GATED = """\
for gate in one two three; do
  echo "waiting for gate $gate"
  while ! [ -e $gate ]; do sleep 0.02; done
  echo "through gate $gate"
done
"""


def gated(repo: Developer) -> None:
    """A build that goes on gate by gate."""
    repo.write(".deployment", "[config]\ncommand = sh build.sh\n")
    repo.write("build.sh", GATED)


def through(server: Server, gate: str) -> None:
    for release in Home(server.home).app("demo").releases.iterdir():
        (release / gate).touch()


async def first_address(server: Server) -> str:
    """Where the newest deployment is shown, once it is under way."""

    async def found() -> str | None:
        rows = await server.call("GET", "/apps/demo/api/deployments", status=(200, 404))
        if isinstance(rows, list) and rows:
            return f"/ui/demo/deployments/{rows[0]['id']}/"
        return None

    return str(await eventually(found))


class Wire:
    """A connection to the server that can be cut and mended."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.listening: asyncio.Server | None = None

    async def mend(self) -> None:
        self.listening = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self.listening is not None
        self.listening.close()
        for writer in list(self.open):
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, near = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.open |= {writer, near}
        with suppress(OSError):
            await asyncio.gather(self._copy(reader, near), self._copy(far, writer))
        self.open -= {writer, near}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_a_push_is_seen_while_it_runs_and_ends_by_itself(
    page: Page, repo: Developer, server: Server
) -> None:
    gated(repo)
    streams: list[str] = []
    page.on(
        "request",
        lambda asked: streams.append(asked.url) if asked.resource_type == "eventsource" else None,
    )
    push = asyncio.create_task(repo.push(message="Open the gates"))
    await page.goto(await first_address(server))
    log = page.get_by_role("log")
    await expect(log).to_contain_text("waiting for gate one")
    await expect(page.locator("#state")).to_contain_text("Building")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await page.evaluate("window.same = true")
    through(server, "one")
    await expect(log).to_contain_text("through gate one")
    await expect(page.locator("#state .stages")).to_contain_text("Build")
    assert len(streams) == 1, "one connection"
    for gate in ("two", "three"):
        through(server, gate)
    await push
    await expect(log).to_contain_text("deployed")
    state = page.locator("#state")
    await expect(state).to_contain_text("Succeeded")
    await expect(state.locator(".pill", has_text="Live")).to_be_visible()
    await expect(page.get_by_text("The log is complete.")).to_be_visible()
    await expect(page.locator("#changes")).to_contain_text("build.sh")
    await expect(page.get_by_role("button", name="Cancel deployment")).to_have_count(0)
    lines = await log.locator("li").all_text_contents()
    assert len([line for line in lines if "gate" in line and "│" in line]) == 6
    assert await page.evaluate("window.same"), "no navigation"
    assert page.errors == []  # type: ignore[attr-defined]
    assert len(streams) == 2
    assert streams[1].partition("?")[0].endswith("/ui/demo/events")
    await page.reload()
    assert await log.locator("li").all_text_contents() == lines


async def test_a_lost_connection_is_shown_and_no_line_comes_twice_or_never(
    page: Page, repo: Developer, server: Server
) -> None:
    gated(repo)
    wire = Wire(server)
    await wire.mend()
    push = asyncio.create_task(repo.push())
    await page.goto(f"http://127.0.0.1:{wire.port}{await first_address(server)}")
    log = page.get_by_role("log")
    await expect(log).to_contain_text("waiting for gate one")
    await wire.cut()
    await expect(page.locator("#connection")).to_be_visible()
    through(server, "one")
    await wire.mend()
    await expect(log).to_contain_text("waiting for gate two")
    await expect(page.locator("#connection")).to_be_hidden()
    await wire.cut()
    through(server, "two")
    through(server, "three")
    await push
    await wire.mend()
    await expect(page.locator("#state")).to_contain_text("Succeeded")
    await expect(log).to_contain_text("deployed")
    lines = await log.locator("li").all_text_contents()
    told = [line.strip(" │") for line in lines if "gate" in line and "│" in line]
    assert told == [
        f"{word} gate {n}" for n in ("one", "two", "three") for word in ("waiting for", "through")
    ]
    await expect(page.locator("#connection")).to_be_hidden()
    await wire.cut()


async def test_without_javascript_one_goes_back_and_says_why(
    browser: Browser, repo: Developer, server: Server
) -> None:
    repo.write("index.txt", "good\n")
    await repo.push(message="Good")
    repo.write("index.txt", "bad\n")
    await repo.push(message="Bad")
    context = await new_context(browser, server, javascript=False, size="phone")
    page = await new_page(context)
    await page.goto("/ui/demo/deployments/")
    await page.get_by_role("link", name=re.compile("^Roll back to")).click()
    await expect(page.get_by_role("heading", name="What this will change")).to_be_visible()
    await page.get_by_role("link", name="index.txt").click()
    await expect(page.get_by_text("-bad")).to_be_visible()
    await expect(page.get_by_text("+good")).to_be_visible()
    await page.go_back()
    await page.get_by_label("Reason").fill("The till is broken")
    await page.get_by_role("button", name="Roll back").click()
    await expect(page.get_by_role("status").first).to_contain_text("again.")

    async def back() -> bool:
        await page.reload()
        return "The log is complete." in await page.inner_text("main")

    await eventually(back)
    await expect(page.locator("main")).to_contain_text("The till is broken")
    current = Home(server.home).app("demo").current
    assert (current / "index.txt").read_text() == "good\n"
    await page.goto("/ui/demo/deployments/")
    live = page.get_by_role("row").filter(has_text="Live")
    await expect(live).to_contain_text("Good")
    await context.close()


async def test_one_under_way_is_cancelled_after_a_question(
    page: Page, repo: Developer, server: Server
) -> None:
    gated(repo)
    push = asyncio.create_task(repo.push(check=False))
    await page.goto(await first_address(server))
    await page.get_by_role("button", name="Cancel deployment").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("What is live stays as it is.")
    await dialog.get_by_role("button", name="Cancel deployment").click()
    await expect(page.get_by_text("Cancelled by administrator.").first).to_be_visible()
    await push


async def test_a_zip_is_sent_from_the_list(page: Page, server: Server, tmp_path: Path) -> None:
    await server.call("PUT", "/api/apps/demo")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.txt", "zipped\n")
    file = tmp_path / "shop.zip"
    file.write_bytes(b"no zip")
    await page.goto("/ui/demo/deployments/")
    await page.get_by_label("Zip file").set_input_files(file)
    await page.get_by_role("button", name="Deploy", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("isn't a zip")
    file.write_bytes(made.getvalue())
    await page.get_by_label("Zip file").set_input_files(file)
    await page.get_by_role("button", name="Deploy", exact=True).click()
    await page.wait_for_url(re.compile(r"/ui/demo/deployments/[0-9a-f]{40}/"))
    await expect(page.locator("#state")).to_contain_text("Succeeded")
    await expect(page.locator("h1")).to_have_text("shop.zip")
