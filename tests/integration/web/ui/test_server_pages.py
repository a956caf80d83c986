"""Tokens, sessions, the audit log and the instance, as pages."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from gitdeploy.app import Server
from gitdeploy.store import AuditEntry
from gitdeploy.web.ui.views.sessions import browser_of
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.integration.web.ui.test_settings_pages import invalid, said, send, words
from tests.support import eventually

TOKENS = "/ui/-/tokens"
SESSIONS = "/ui/-/sessions"
AUDIT = "/ui/-/audit"
INSTANCES = "/ui/-/instances"


@pytest.fixture
async def reader(admin: Client, shop: Site) -> Browsing:
    return await Browsing.begin(admin)


async def test_a_tokens_secret_is_shown_once_and_lets_in(reader: Browsing, admin: Client) -> None:
    made = await send(
        reader, TOKENS, do="make", name="ci <bot>", scope="deploy", which="all", expiry="30"
    )
    assert made.status == 303, words(made)
    assert "gd_" not in made.headers["Location"] + made.headers.get("Set-Cookie", "")
    page = await reader.get(f"{TOKENS}/")
    found = re.search(r'<code id="secret">(gd_[\w-]{43})</code>', page.text)
    assert found
    assert "ci &lt;bot&gt;" in page.text
    assert found[1] not in (await reader.get(f"{TOKENS}/")).text
    assert (await admin.with_token(found[1]).get("/api/apps")).status == 200
    [token] = (await admin.get("/api/tokens")).json
    assert (token["name"], token["scopes"], token["apps"]) == ("ci <bot>", ["deploy"], None)
    expires = datetime.fromisoformat(token["expires"])
    assert timedelta(days=29) < expires - datetime.now(UTC) < timedelta(days=31)
    gone = await send(reader, TOKENS, do="delete", id=token["id"])
    assert "The token ci <bot> is deleted." in await said(reader, gone)
    assert (await admin.with_token(found[1]).get("/api/apps")).status == 401
    log = (await admin.get("/api/audit")).json
    assert [entry["what"] for entry in log[:2]] == ["token.delete", "token.create"]


async def test_a_token_may_be_for_some_apps_and_end_with_a_day(
    reader: Browsing, admin: Client
) -> None:
    await admin.ask("PUT", "/api/apps/garden")
    token = await reader.token(f"{TOKENS}/")
    body = {"form_token": token, "do": "make", "name": "x", "scope": "read", "which": "some"}
    fields = [*body.items(), ("app", "shop"), ("app", "garden"), ("apps", "Later, shop")]
    fields += [("expiry", "day"), ("until", "2099-12-31")]
    answer = await reader._send(
        TOKENS, urlencode(fields).encode(), "application/x-www-form-urlencoded"
    )
    assert answer.status == 303
    [made] = (await admin.get("/api/tokens")).json
    assert made["apps"] == ["garden", "later", "shop"]
    assert made["expires"].startswith(("2099-12-31", "2100-01-01"))


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": "administrator", "scope": "read"}, {"name"}),
        ({"name": "", "scope": ""}, {"name", "scopes"}),
        ({"name": "x", "scope": "root"}, {"scopes"}),
        ({"name": "x", "scope": "read", "which": "some"}, {"apps"}),
        ({"name": "x", "scope": "read", "which": "some", "apps": "a/b"}, {"apps"}),
        ({"name": "x", "scope": "read", "expiry": "day", "until": "2001-01-01"}, {"until"}),
        ({"name": "x", "scope": "read", "expiry": "day", "until": "9999-12-31"}, {"until"}),
        ({"name": "x", "scope": "read", "expiry": "day", "until": "soon"}, {"until"}),
    ],
)
async def test_a_bad_token_is_told_at_its_fields(
    reader: Browsing, admin: Client, fields: dict[str, str], wrong: set[str]
) -> None:
    answer = await send(reader, TOKENS, do="make", **fields)
    assert answer.status == 400
    assert invalid(answer) == wrong
    assert f'value="{fields["name"]}"' in answer.text
    assert (await admin.get("/api/tokens")).json == []


async def test_only_a_token_for_the_whole_server_sees_tokens_and_the_audit_log(
    admin: Client, shop: Site
) -> None:
    lesser = [
        await Browsing.begin(await admin.token_for("admin", apps=["shop"])),
        await Browsing.begin(await admin.token_for("deploy")),
    ]
    for reader in lesser:
        start = await reader.get("/ui/")
        assert "/ui/-/sessions/" in start.text
        assert "/ui/-/tokens/" not in start.text
        assert "/ui/-/audit/" not in start.text
        token = field(start, "form_token")
        for path in (TOKENS, AUDIT):
            assert (await reader.get(f"{path}/", status=403)).status == 403
        for do in ("make", "delete"):
            answer = await reader.post(TOKENS, token, do=do, name="x", scope="admin", id="x")
            assert answer.status == 403
    assert len((await admin.get("/api/tokens")).json) == 2


def rows(text: str) -> list[str]:
    return re.findall(r'<tr id="session-([0-9a-f]{16})">', text)


def own(text: str) -> str:
    """The session of the browser that asked."""
    found = re.search(r'<tr id="session-([0-9a-f]{16})"><td><b>[^<]*</b> <span class="tag">', text)
    assert found
    return found[1]


async def test_sessions_are_listed_and_one_is_ended(admin: Client, shop: Site) -> None:
    token = await admin.token_for("read")
    first, second = await Browsing.begin(token), await Browsing.begin(token)
    boss = await Browsing.begin(admin)
    page = await first.get(f"{SESSIONS}/")
    assert len(rows(page.text)) == 2
    assert "administrator" not in page.text
    assert "127.0.0.1" in page.text
    assert page.text.count("this browser") == 1
    cookie = second.cookie.partition("=")[2]
    assert cookie not in page.text
    form = field(page, "form_token")
    other = next(one for one in rows(page.text) if one != own(page.text))
    assert own((await second.get(f"{SESSIONS}/")).text) == other
    ended = await first.post(SESSIONS, form, id=other)
    assert "The session is ended." in await said(first, ended)
    assert (await second.get(f"{SESSIONS}/", status=303)).status == 303
    again = await first.post(SESSIONS, form, id=other)
    assert "ended already" in await said(first, again)
    theirs = rows((await boss.get(f"{SESSIONS}/")).text)
    await first.post(SESSIONS, form, id=theirs[0])
    assert (await boss.get(f"{SESSIONS}/")).status == 200, "another token's isn't theirs to end"
    everything = await boss.get(f"{SESSIONS}/?all")
    assert len(rows(everything.text)) == 2
    assert (await admin.get("/api/audit")).json[0]["what"] == "session.delete"


async def test_all_others_are_ended_at_once_and_streams_with_them(
    admin: Client, shop: Site
) -> None:
    token = await admin.token_for("read")
    mine = [await Browsing.begin(token) for _ in range(3)]
    boss = await Browsing.begin(admin)
    async with admin.session.get(
        f"{admin.url}/ui/shop/events",
        headers={"Cookie": mine[1].cookie, "Accept": "text/event-stream"},
    ) as stream:
        assert stream.status == 200
        form = await mine[0].token(f"{SESSIONS}/")
        refused = await mine[0].post(SESSIONS, form, do="all", all="yes")
        assert refused.status == 403
        ended = await mine[0].post(SESSIONS, form, do="all")
        assert ended.headers["Location"].endswith("?ended=2")
        await stream.read()
    assert "2 sessions are ended." in words(await mine[0].get(f"{SESSIONS}/?ended=2"))
    for one in mine[1:]:
        await one.get("/ui/", status=303)
    await boss.get("/ui/")
    form = await boss.token(f"{SESSIONS}/?all")
    assert (await boss.post(SESSIONS, form, do="all", all="yes")).status == 303
    await mine[0].get("/ui/", status=303)
    await boss.get("/ui/")


async def test_the_audit_log_is_paged_through_and_filtered(
    reader: Browsing, server: Server
) -> None:
    for number in range(250):
        await server.store.audit.add(
            AuditEntry(
                at=number,
                who="ann" if number % 2 else "bob",
                what="app.create" if number % 5 else "git.push",
                target=f"<target {number}>",
                address="192.0.2.1",
                result="201 Created" if number else "403 Forbidden",
            )
        )
    seen: list[int] = []
    path = f"{AUDIT}/?who=ann&what=app.create"
    while path:
        page = await reader.get(path)
        seen += [int(n) for n in re.findall(r"&lt;target (\d+)&gt;", page.text)]
        older = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = html.unescape(older[1]).removeprefix(reader.client.url) if older else ""
    assert seen == [n for n in range(249, -1, -1) if n % 2 and n % 5]
    everything = await reader.get(f"{AUDIT}/")
    assert 'rel="next"' in everything.text
    assert '<option value="git.push">' in everything.text
    assert "Nothing fits" in words(await reader.get(f"{AUDIT}/?who=%3Cnobody%3E"))
    assert (await reader.get(f"{AUDIT}/?before=x")).status == 200


async def test_the_instance_says_how_it_is(reader: Browsing, shop: Site) -> None:
    page = words(await reader.get(f"{INSTANCES}/"))
    for text in ("Version", "Up for", "Load (1, 5, 15 min)", "Disk of the home", "process"):
        assert text in page, text
    assert "0 continuous jobs" in page
    await shop.deploy(SITE)

    async def counted() -> bool:
        return "1 continuous jobs" in words(await reader.get(f"{INSTANCES}/"))

    await eventually(counted)


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            "Firefox · Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0",
            "Edge · Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/129.0.0.0 Mobile Safari/537.36",
            "Chrome · Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari · iOS",
        ),
        ("curl/8.5.0", "curl"),
        ("", ""),
        ("something else", ""),
    ],
)
def test_a_browser_is_named_as_people_know_it(agent: str, shown: str) -> None:
    assert browser_of(agent) == shown
