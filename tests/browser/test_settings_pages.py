"""Settings, hooks, tokens, sessions, the audit log and the instance in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import SIZES, new_context, new_page
from tests.scenarios.actors import Server

TICKER = "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(1)\n"
LONG = "A_SETTING_WHOSE_NAME_IS_SO_LONG_THAT_IT_HAS_TO_WRAP_SOMEWHERE_ON_EVERY_PHONE"
SERVER_PAGES = ("tokens", "sessions", "sessions/?all", "audit", "instances")
LOOKS = [("en", "light"), ("en", "dark"), ("ko", "light"), ("ko", "dark")]


async def fill(server: Server) -> list[str]:
    """An app with settings, hooks and a key; the addresses of the pages."""
    await server.call("PUT", "/api/apps/demo")
    settings = {"QUEUE": "orders", LONG: "x" * 300, "CONNECTION": "Server=a;\nUser=b"}
    await server.call("POST", "/apps/demo/api/settings", settings)
    await server.call("GET", "/apps/demo/api/sshkey?ensurePublicKey=1")
    secrets = {"webhook_secret": "a-secret-of-a-sender", "status_token": "a-token-of-a-host"}
    await server.call("PATCH", "/api/apps/demo", secrets)
    where = "https://93.184.216.34/a/path/that/goes/on/and/on/until/it/ends?with=a&query=string"
    hook = {"url": where, "event": "Published", "format": "slack", "secret": "signs"}
    made = await server.call("POST", "/apps/demo/api/hooks", hook)
    await server.call("POST", "/apps/demo/api/hooks/publish/Published", {"n": 1})
    token = {"name": "a colleague on the night shift", "scopes": ["run"], "apps": ["demo"]}
    await server.call("POST", "/api/tokens", token)
    own = ("settings/", "settings/?show=CONNECTION", "hooks/", f"hooks/{made['id']}/")
    return [f"/ui/demo/{one}" for one in own] + [
        f"/ui/-/{one}" if "?" in one else f"/ui/-/{one}/" for one in SERVER_PAGES
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("language", "theme"), LOOKS)
async def test_everybody_can_use_these_pages_at_every_size(
    browser: Browser, server: Server, language: str, theme: str
) -> None:
    pages = await fill(server)
    look: dict[str, Any] = {"language": language, "theme": theme, "bypass_csp": True}
    context = await new_context(browser, server, **look)
    page = await new_page(context)
    wrong: list[str] = []
    for address in pages:
        await page.goto(address)
        await expect(page.locator("html")).to_have_attribute("lang", language)
        for size, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            wrong += await faults(page, f"{address} {size}")
    await page.goto("/ui/demo/settings/")
    await page.locator("#branch").fill("refs/heads/x")
    await page.locator("#idle_timeout").fill("soon")
    await page.locator("#idle_timeout").press("Enter")
    await expect(page.locator("#wrong-branch")).to_be_visible()
    await page.set_viewport_size({"width": 320, "height": 640})
    wrong += await faults(page, "settings refused")
    assert wrong == []
    await context.close()


async def faults(page: Page, where: str) -> list[str]:
    """What axe finds, and whether the page is wider than the window."""
    found = (await Axe().run(page)).response["violations"]
    wrong = [f"{where}: {one['id']} {one['nodes'][0]['html'][:200]}" for one in found]
    wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    return [*wrong, *([f"{where}: {wide} px too wide"] if wide > 0 else [])]


async def test_a_setting_is_added_shown_changed_and_deleted_after_asking(
    server: Server, page: Page
) -> None:
    await server.call("PUT", "/api/apps/demo")
    await page.goto("/ui/demo/settings/")
    await page.get_by_label("Name", exact=True).fill("API_KEY")
    await page.get_by_label("Value", exact=True).fill("first-part\nsecond")
    await page.get_by_role("button", name="Add a setting").click()
    await expect(page.get_by_role("status").first).to_contain_text("API_KEY is saved")
    assert "first-part" not in await page.locator("main").inner_text()
    await page.get_by_role("link", name="Show the value of API_KEY").click()
    field = page.get_by_label("Value of API_KEY")
    await expect(field).to_have_value("first-part\nsecond")
    await expect(field).to_be_focused()
    await field.fill("three")
    await page.locator(".pair-form").get_by_role("button", name="Save").click()
    await expect(page.locator("#value-shown")).to_have_count(0)
    assert await server.call("GET", "/apps/demo/api/settings") == {"API_KEY": "three"}
    await page.get_by_role("button", name="Delete API_KEY").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Delete the setting API_KEY?")
    await dialog.get_by_role("button", name="Cancel").click()
    assert await server.call("GET", "/apps/demo/api/settings") == {"API_KEY": "three"}
    await page.get_by_role("button", name="Delete API_KEY").click()
    await dialog.locator("button.primary").click()
    await expect(page.get_by_text("There are no app settings yet.")).to_be_visible()
    assert page.errors == []  # type: ignore[attr-defined]


async def test_the_jobs_that_a_change_restarts_are_named_while_they_come_and_go(
    server: Server, repo: Any, page: Page
) -> None:
    await server.call("PUT", "/api/apps/demo")
    await page.goto("/ui/demo/settings/")
    await expect(page.locator("#restarts")).to_contain_text("restarts none")
    repo.job("continuous/ticker", "run.py", TICKER)
    await repo.push()
    await expect(page.locator("#restarts")).to_contain_text("that run now: ticker.")


async def test_a_token_is_made_copied_once_and_deleted(browser: Browser, server: Server) -> None:
    await server.call("PUT", "/api/apps/demo")
    context = await new_context(browser, server)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await new_page(context)
    await page.goto("/ui/")
    await page.get_by_role("link", name="Tokens").first.click()
    await expect(page.locator("#until")).to_be_hidden()
    await page.get_by_label("Name").fill("ci")
    await page.get_by_label("Deploy").check()
    await page.get_by_label("Only these apps").check()
    await page.get_by_label("demo").check()
    await page.get_by_label("Expires").select_option("day")
    await page.get_by_label("The last day it counts").fill("2099-01-31")
    await page.get_by_role("button", name="Make a token").click()
    secret = await page.locator("#secret").inner_text()
    assert secret.startswith("gd_")
    await page.get_by_role("button", name="Copy").click()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    assert [app["name"] for app in await server.call("GET", "/api/apps", token=secret)] == ["demo"]
    await page.reload()
    await expect(page.locator("#secret")).to_have_count(0)
    await page.get_by_role("button", name="Delete the token ci").click()
    await page.get_by_role("dialog").locator("button.primary").click()
    await expect(page.get_by_role("status").first).to_contain_text("The token ci is deleted")
    await server.call("GET", "/api/apps", token=secret, status=401)
    assert page.errors == []  # type: ignore[attr-defined]
    await context.close()


async def test_ending_the_other_sessions_signs_those_browsers_out(
    browser: Browser, server: Server, page: Page
) -> None:
    other = await new_context(browser, server)
    theirs = await new_page(other)
    await theirs.goto("/ui/")
    await page.goto("/ui/-/sessions/")
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_role("button", name="End all others").click()
    await page.get_by_role("dialog").locator("button.primary").click()
    await expect(page.get_by_role("status").first).to_contain_text("1 session is ended.")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await theirs.reload()
    await expect(theirs.get_by_label("Token")).to_be_visible()
    await other.close()


async def test_everything_works_without_javascript(browser: Browser, server: Server) -> None:
    await server.call("PUT", "/api/apps/demo")
    context = await new_context(browser, server, javascript=False, size="phone", language="ko")
    page = await new_page(context)
    await page.goto("/ui/demo/")
    await page.locator(".bottom summary").click()
    await page.locator(".bottom").get_by_role("link", name="설정").click()
    await page.get_by_label("이름", exact=True).fill("A")
    await page.get_by_label("값", exact=True).fill("1")
    await page.get_by_role("button", name="설정 추가").click()
    await expect(page.get_by_text("A 설정을 저장했습니다.")).to_be_visible()
    await page.get_by_role("button", name="비밀 만들기").click()
    await expect(page.locator(".secret code")).to_be_visible()
    await page.get_by_label("잠금 사유").fill("휴일 동안 잠금")
    await page.get_by_role("button", name="저장").first.click()
    assert (await server.call("GET", "/api/apps/demo"))["locked"] == "휴일 동안 잠금"
    await page.get_by_role("link", name="후크").first.click()
    await page.get_by_label("이벤트").fill("PostDeployment")
    await page.get_by_label("주소").fill("http://127.0.0.1/")
    await page.get_by_role("button", name="후크 추가").click()
    await expect(page.get_by_role("alert")).to_contain_text("개인 네트워크")
    await page.get_by_label("주소").fill("https://93.184.216.34/")
    await page.get_by_role("button", name="후크 추가").click()
    await page.get_by_role("link", name="PostDeployment", exact=True).click()
    await expect(page.get_by_text("아직 이 후크로 전송한 내용이 없습니다.")).to_be_visible()
    await page.goto("/ui/-/tokens/")
    await page.get_by_label("이름").fill("봇")
    await page.get_by_label("읽기").check()
    await page.get_by_role("button", name="토큰 만들기").click()
    await expect(page.locator("#secret")).to_contain_text("gd_")
    await page.locator(".bottom summary").click()
    await page.locator(".bottom").get_by_role("link", name="감사 로그").click()
    await page.get_by_label("작업").select_option("token.create")
    await page.get_by_role("button", name="필터").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("봇")
    await page.goto("/ui/demo/settings/")
    await page.get_by_label("확인하려면 demo을(를) 입력하세요").fill("demo")
    await page.get_by_role("button", name="이 앱 삭제").click()
    await page.wait_for_url("**/ui/")
    await expect(page.get_by_text("demo 앱을 삭제했습니다.")).to_be_visible()
    await server.call("GET", "/api/apps/demo", status=404)
    await context.close()
