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
    ("page", "path"),
    [
        ("/ui/shop/", "/ui/shop/events"),
    ],
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
