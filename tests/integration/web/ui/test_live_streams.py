"""The streams that pages follow: from where the page was made, and of the apps one may know of."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing

LIMIT = 10


class Events:
    """Server-sent events as they come: (id, record)."""

    def __init__(self, response: Any) -> None:
        self.response = response

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next one. Raises EOFError where the stream has ended."""
        name = ""
        while True:
            line = await asyncio.wait_for(self.response.content.readline(), LIMIT)
            if not line:
                raise EOFError
            text = line.decode().rstrip("\n")
            if text.startswith("id: "):
                name = text[4:]
            if text.startswith("data: "):
                return name, json.loads(text[6:])

    async def until(self, event: str) -> dict[str, Any]:
        while True:
            _, record = await self.next()
            if record["event"] == event:
                return record


@asynccontextmanager
async def events(pages: Browsing, path: str, **headers: str) -> AsyncIterator[Events]:
    sent = {"Cookie": pages.cookie, **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with pages.client.stream(path, accept="text/event-stream", headers=sent) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Events(response)


async def after(pages: Browsing, path: str) -> str:
    """Where the stream of events ended when the page was made, as the page has it."""
    found = re.search(r'<body [^>]*data-after="([^"]*)"', (await pages.get(path)).text)
    assert found
    assert found[1]
    return found[1]


@pytest.fixture
async def pages(admin: Client) -> Browsing:
    return await Browsing.begin(admin)


@pytest.mark.parametrize(
    ("page", "path"), [("/ui/shop/", "/ui/shop/events"), ("/ui/", "/ui/-/events")]
)
async def test_what_happens_between_a_page_and_its_stream_is_in_the_stream(
    pages: Browsing, shop: Site, server: Server, page: str, path: str
) -> None:
    await shop.deploy(SITE)
    start = await after(pages, page)
    log = server.events.app_log("shop")
    log.info("app.changed", keys=["meanwhile"])
    async with events(pages, f"{path}?after={start}") as stream:
        name, record = await stream.next()
        while record["event"] != "app.changed":  # the ticker may say something too
            name, record = await stream.next()
        assert record["keys"] == ["meanwhile"]
    log.info("app.changed", keys=["later"])
    # what the browser sends when it connects again wins over the address
    async with events(pages, f"{path}?after={start}", Last_Event_ID=name) as stream:
        record = await stream.until("app.changed")
        assert record["keys"] == ["later"]


async def test_all_apps_are_followed_and_a_token_sees_its_own_alone(
    admin: Client, pages: Browsing, server: Server
) -> None:
    for name in ("shop", "other"):
        await admin.ask("PUT", f"/api/apps/{name}")
    narrow = await Browsing.begin(await admin.token_for("read", apps=["shop"]))
    start = await after(narrow, "/ui/")
    server.events.app_log("other").info("app.changed", keys=["secret"])
    server.events.app_log("shop").info("app.changed", keys=["seen"])
    async with events(narrow, f"/ui/-/events?after={start}") as stream:
        _, record = await stream.next()
        assert (record["app"], record["keys"]) == ("shop", ["seen"])
        server.events.app_log("other").info("app.changed", keys=["secret"])
        assert (await admin.ask("DELETE", "/api/apps/other")).status == 204
        assert (await admin.ask("DELETE", "/api/apps/shop")).status == 204
        while record["event"] != "app.deleted":
            assert "other" not in json.dumps(record)
            assert "secret" not in json.dumps(record)
            _, record = await stream.next()
        assert record["name"] == "shop"
    async with events(pages, f"/ui/-/events?after={start}") as stream:
        seen = set()
        while len(seen) < 2:
            _, record = await stream.next()
            if record["event"] == "app.deleted":
                seen.add(record["name"])


async def test_an_id_of_another_run_is_told_that_something_was_missed(
    pages: Browsing, shop: Site, server: Server
) -> None:
    async with events(pages, "/ui/-/events", Last_Event_ID="0123abcd-7") as stream:
        name, record = await stream.next()
        assert record["event"] == "events.missed"
        assert name == server.events.recent.end
        server.events.app_log("shop").info("app.changed", keys=[])
        assert (await stream.next())[1]["event"] == "app.changed"


async def test_the_stream_ends_with_its_session(pages: Browsing, shop: Site) -> None:
    token = await pages.token("/ui/")
    async with events(pages, "/ui/-/events") as stream:
        assert (await pages.post("/ui/sign-out", token)).status == 303
        with pytest.raises(EOFError):
            while True:
                await stream.next()
    answer = await pages.get("/ui/-/events", status=303)
    assert "/ui/sign-in" in answer.headers["Location"]
