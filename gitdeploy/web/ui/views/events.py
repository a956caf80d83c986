"""`/ui/-/events`: what happens to any app that the reader may know of, for pages that list apps."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from gitdeploy.clock import rfc3339
from gitdeploy.events import Happened
from gitdeploy.logs import event_text
from gitdeploy.web.auth import principal_of
from gitdeploy.web.following import send
from gitdeploy.web.iterators import close
from gitdeploy.web.route import AFTER, Route, stream
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import Item, resume_id


async def events(request: web.Request) -> web.StreamResponse:
    """From now on, or behind an id. Where something behind it isn't known any more (the server was
    started again, or it is long ago) `events.missed` says so: who shows something looks anew."""
    services, principal = services_of(request), principal_of(request)
    after = resume_id(request) or request.query.get("after") or None
    missed = {"ts": rfc3339(services.clock.now()), "level": "info", "event": "events.missed"}

    def item(happened: Happened) -> Item:
        record = missed if happened.app is None else happened.record
        text = f"{event_text(record)}\n".encode("utf-8", "backslashreplace")
        return Item(happened.id, record, text)

    async def known() -> AsyncIterator[list[Item]]:
        batches = services.events.recent.read(after)
        try:
            async for batch in batches:
                yield [item(one) for one in batch if one.app is None or principal.knows(one.app)]
        finally:
            await close(batches)

    return await send(request, known())


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/events",
        handler=events,
        operation="page.all_events",
        scope="page",
        summary="What happens to all apps that the reader may know of, as it comes.",
        tag="pages",
        query=(AFTER,),
        answers=stream("Records."),
    ),
)
