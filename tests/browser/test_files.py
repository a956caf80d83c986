"""An app's files and processes in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.populated import TICKER
from tests.scenarios.actors import Developer, Server
from tests.support import eventually

DATA = "/ui/demo/files/data/"


async def test_a_text_is_edited_and_a_conflict_keeps_both_sides(page: Page, server: Server) -> None:
    await server.call("PUT", "/api/apps/demo")
    address = "/apps/demo/api/vfs/data/note.txt"
    await server.call("PUT", address, "one\n")
    await page.goto(DATA)
    await page.get_by_role("link", name="note.txt", exact=True).click()
    await page.get_by_label("Text").fill("two\n")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").first).to_contain_text("note.txt was saved")
    assert await server.call("GET", address) == "two\n"

    await page.get_by_label("Text").fill("mine\n")
    await server.call("PUT", address, "theirs\n", headers={"If-Match": "*"})
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("changed while you were editing")
    await expect(page.get_by_label("Your text")).to_have_value("mine\n")
    await expect(page.locator("#theirs")).to_have_text("theirs\n")
    assert await server.call("GET", address) == "theirs\n"
    await page.get_by_role("button", name="Replace it with mine").click()
    await expect(page.get_by_role("status").first).to_contain_text("was saved")
    assert await server.call("GET", address) == "mine\n"


async def test_a_file_is_uploaded_downloaded_and_deleted_after_a_question(
    page: Page, server: Server, tmp_path: Path
) -> None:
    await server.call("PUT", "/api/apps/demo")
    await page.goto(DATA)
    await page.get_by_text("Upload or create").click()
    file = tmp_path / "보고서 1.csv"
    file.write_bytes(b"a;b\n\0" * 1000)
    await page.get_by_label("File to upload").set_input_files(file)
    await page.get_by_role("button", name="Upload", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("was uploaded")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="Download 보고서 1.csv").click()
    download = await waiting.value
    assert download.suggested_filename == "보고서 1.csv"
    assert Path(await download.path()).read_bytes() == file.read_bytes()

    await page.get_by_role("link", name="보고서 1.csv", exact=True).click()
    await page.get_by_role("link", name="Delete").click()
    await expect(page.get_by_role("heading", name="Delete 보고서 1.csv?")).to_be_visible()
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There is nothing here yet.")).to_have_count(0)
    await expect(page.get_by_role("link", name="보고서 1.csv", exact=True)).to_have_count(0)


async def test_what_makes_a_release_says_so(page: Page, server: Server, repo: Developer) -> None:
    repo.write("web/index.html", "old\n")
    await repo.push()
    await page.goto("/ui/demo/files/site/wwwroot/web/index.html")
    await expect(page.get_by_text("makes a new release")).to_be_visible()
    await page.get_by_label("Text").fill("new\n")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").first).to_contain_text("the new release is live")
    assert await server.call("GET", "/apps/demo/api/vfs/site/wwwroot/web/index.html") == "new\n"


async def test_a_process_is_ended_only_after_a_question(
    page: Page, server: Server, repo: Developer
) -> None:
    repo.job("continuous/ticker", "run.py", TICKER)
    await repo.push()
    await server.call("POST", "/apps/demo/api/settings", {"WEBJOBS_RESTART_TIME": "1"})
    pid = await server.pid("ticker")
    await page.goto("/ui/demo/processes/")
    await page.get_by_role("button", name="End process").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("takes that as a crash")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    assert await server.pid("ticker") == pid
    await page.get_by_role("button", name="End process").click()
    await dialog.get_by_role("button").last.click()
    await expect(page.get_by_role("status").first).to_contain_text("was ended")

    async def other() -> bool:
        return await server.pid("ticker") not in (pid, None)

    await eventually(other)
