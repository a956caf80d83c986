"""The plain pages: signing in and out, what is shown, what a foreign page can't do."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from urllib.parse import quote, urlsplit

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import ADMIN, SITE, Answer, Client, Site
from tests.support import eventually

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        if tag == "a":
            self.found.append(values["href"] or "")
        if tag == "input":
            self.fields[values["name"] or ""] = values.get("value") or ""
        assert not any(name.startswith("on") for name in values)


class Browser:
    """Keeps a cookie as a browser does: sent below its path only."""

    def __init__(self, client: Client) -> None:
        self.client = client.with_token(None)
        self.cookie = ""
        self.attributes: set[str] = set()

    async def get(self, path: str) -> Answer:
        where = urlsplit(path).path
        headers = {"Accept": HTML}
        if self.cookie and (where == "/ui" or where.startswith("/ui/")):
            headers["Cookie"] = self.cookie
        return await self.client.ask("GET", path, headers=headers)

    async def post(self, path: str, body: str, site: str = "same-origin") -> Answer:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Site": site,
            "Accept": HTML,
        }
        if self.cookie:
            headers["Cookie"] = self.cookie
        answer = await self.client.ask("POST", path, body.encode(), headers=headers)
        if "Set-Cookie" in answer.headers:
            pair, *attributes = answer.headers["Set-Cookie"].split("; ")
            self.cookie = pair
            self.attributes = {attribute.lower() for attribute in attributes}
        return answer

    async def sign_in(self, token: str = ADMIN, then: str = "/ui/") -> Answer:
        return await self.post("/ui/sign-in", f"token={quote(token)}&next={quote(then)}")


@pytest.fixture
def browser(admin: Client) -> Browser:
    return Browser(admin)


async def test_a_browser_is_led_to_sign_in_and_back_to_where_it_was(
    browser: Browser, server: Server, shop: Site
) -> None:
    assert (await browser.get("/")).headers["Location"] == f"{server.url}/ui/"
    assert (await browser.get("/apps/shop/")).headers["Location"] == f"{server.url}/ui/shop/"
    asked = await browser.get("/ui/shop/jobs/x/?a=b&c=d")
    assert asked.status == 303
    location = asked.headers["Location"]
    assert location.startswith(f"{server.url}/ui/sign-in?")
    form = await browser.get(location)
    assert form.status == 200
    assert Links(form.text).fields["next"] == "/ui/shop/jobs/x/?a=b&c=d"
    done = await browser.sign_in(then="/ui/shop/")
    assert done.status == 303
    assert done.headers["Location"] == f"{server.url}/ui/shop/"
    assert {"httponly", "path=/ui", "samesite=lax"} <= browser.attributes
    assert (await browser.get("/ui/shop/")).status == 200
    again = await browser.get("/ui/sign-in?next=/ui/shop/")
    assert again.headers["Location"] == f"{server.url}/ui/shop/"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/ui/",
        "/\\evil",
        "javascript:alert(1)",
        "/api/apps",
        "/ui//evil.example",
        "/ui/../api",
        "/ui/\r\nSet-Cookie: x=y",
        "",
    ],
)
async def test_signing_in_leads_to_our_pages_only(
    browser: Browser, server: Server, target: str
) -> None:
    done = await browser.sign_in(then=target)
    assert done.status == 303
    assert done.headers["Location"] == f"{server.url}/ui/"


async def test_a_wrong_token_opens_nothing_and_tries_are_counted(browser: Browser) -> None:
    refused = await browser.sign_in("wrong")
    assert refused.status == 401
    assert "isn't valid" in html.unescape(refused.text)
    assert "Set-Cookie" not in refused.headers
    for _ in range(10):
        last = await browser.sign_in("wrong")
    assert last.status == 429
    assert (await browser.sign_in("gd_" + "y" * 43)).status == 429


async def test_the_pages_show_jobs_deployments_and_logs(
    browser: Browser, admin: Client, shop: Site, server: Server
) -> None:
    commit = await shop.deploy(SITE, "<script>alert('x')</script> & more")
    started = await admin.ask("POST", "/apps/shop/api/triggeredwebjobs/report/run?arguments=4")
    run_id = started.headers["Location"].rpartition("/")[2]

    async def ended() -> bool:
        return bool((await admin.get(started.headers["Location"])).json["end_time"])

    await eventually(ended)
    await browser.sign_in()
    overview = await browser.get("/ui/")
    assert f"{server.url}/ui/shop/" in Links(overview.text).found
    page = await browser.get("/ui/shop/")
    for word in ("ticker", "Up", "report", "Failed", "0 0 3 * * *", commit[:7], "Live"):
        assert word in page.text, word
    seen: set[str] = set()
    waiting = [page]
    while waiting:
        current = waiting.pop()
        assert current.status == 200
        if not current.headers["Content-Type"].startswith("text/html"):
            continue
        assert "<script>" not in current.text
        links = Links(current.text)
        assert "style" not in links.tags
        for link in set(links.found) - seen:
            seen.add(link)
            if link.startswith("#"):
                continue
            assert link.startswith(f"{server.url}/ui/")
            waiting.append(await browser.get(link))
    wanted = ("jobs/ticker/log", f"runs/{run_id}/log", f"deployments/{commit}/log")
    for path in wanted:
        assert any(link.endswith(path) for link in seen), path
    log = await browser.get(f"/ui/shop/jobs/report/runs/{run_id}/log")
    assert log.headers["Content-Type"].startswith("text/plain")
    assert "reporting 4" in log.text
    assert "deployed" in (await browser.get(f"/ui/shop/deployments/{commit}/log")).text


async def test_a_session_sees_the_apps_of_its_token(
    browser: Browser, admin: Client, shop: Site
) -> None:
    await admin.ask("PUT", "/api/apps/garden")
    client = await admin.token_for("read", apps=["garden"])
    await browser.sign_in(client.token or "")
    overview = await browser.get("/ui/")
    assert "garden" in overview.text
    assert "shop" not in overview.text
    hidden, unknown = await browser.get("/ui/shop/"), await browser.get("/ui/nope/")
    assert hidden.status == unknown.status == 404
    plain = re.compile(r'data-now="\d+"')
    assert plain.sub("", hidden.text.replace("shop", "nope")) == plain.sub("", unknown.text)
    assert hidden.headers["Content-Type"].startswith("text/html")


async def test_a_revoked_token_ends_its_sessions(browser: Browser, admin: Client) -> None:
    made = (await admin.ask("POST", "/api/tokens", {"name": "x", "scopes": ["read"]})).json
    await browser.sign_in(made["token"])
    assert (await browser.get("/ui/")).status == 200
    await admin.ask("DELETE", f"/api/tokens/{made['id']}")
    assert (await browser.get("/ui/")).status == 303


async def test_signing_out_needs_the_pages_own_form(browser: Browser, admin: Client) -> None:
    await browser.sign_in()
    token = Links((await browser.get("/ui/")).text).fields["form_token"]
    assert (await browser.post("/ui/sign-out", f"form_token={token}", "cross-site")).status == 403
    assert (await browser.post("/ui/sign-out", f"form_token={token}", "same-site")).status == 403
    assert (await browser.post("/ui/sign-out", "form_token=guess")).status == 403
    old = browser.cookie
    assert (await browser.get("/ui/")).status == 200
    assert (await browser.post("/ui/sign-out", f"form_token={token}")).status == 303
    browser.cookie = old
    assert (await browser.get("/ui/")).status == 303


async def test_another_site_cannot_sign_a_browser_in(browser: Browser) -> None:
    answer = await browser.post("/ui/sign-in", f"token={ADMIN}", "cross-site")
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    origin = await browser.client.ask(
        "POST",
        "/ui/sign-in",
        f"token={ADMIN}".encode(),
        headers={"Origin": "https://evil.example"},
    )
    assert origin.status == 403


async def test_a_cookie_is_kept_as_a_hash(browser: Browser, server: Server) -> None:
    await browser.sign_in()
    secret = browser.cookie.partition("=")[2]
    files = list(server.home.root.glob("gitdeploy.db*"))
    assert files
    assert not any(secret.encode() in file.read_bytes() for file in files)


async def test_pages_answer_under_names_that_are_ours(browser: Browser, admin: Client) -> None:
    stranger = admin.with_token(None)
    for good in ("127.0.0.1:1", "[::1]:1", "localhost:1", "x.localhost", "10.1.2.3"):
        assert (await stranger.get("/ui/sign-in", Host=good)).status == 200, good
    bad = await stranger.get("/ui/sign-in", Host="rebound.example:1")
    assert bad.status == 421
    assert "scm_domain" in bad.json["fix"]
    assert (await admin.get("/api/apps", Host="rebound.example:1")).status == 200


async def test_behind_a_proxy_with_tls_and_prefix_everything_stays_there(
    browser: Browser, admin: Client
) -> None:
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "paas.example.org",
        "X-Forwarded-Prefix": "/deploy",
    }
    done = await admin.with_token(None).ask(
        "POST", "/ui/sign-in", f"token={ADMIN}".encode(), headers=headers
    )
    assert done.headers["Location"] == "https://paas.example.org/deploy/ui/"
    cookie = done.headers["Set-Cookie"].lower()
    assert "path=/deploy/ui" in cookie
    assert "secure" in cookie


async def test_the_style_sheet_is_served(browser: Browser) -> None:
    answer = await browser.get("/ui/sign-in")
    sheet = re.search(r'href="([^"]+app\.css)"', answer.text)
    assert sheet is not None
    found = await browser.get(sheet[1])
    assert found.headers["Content-Type"].startswith("text/css")
    assert "immutable" in found.headers["Cache-Control"]
