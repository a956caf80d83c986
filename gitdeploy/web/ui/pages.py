"""Where a browser is led to, and what happens to an app as its pages follow it."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.web.following import follow_app
from gitdeploy.web.requests import accepts
from gitdeploy.web.route import AFTER, FOLLOW, FOUND, TAIL, Route, stream
from gitdeploy.web.ui.render import page_way


async def start(request: web.Request) -> web.Response:
    raise web.HTTPFound(page_way(request).page())


async def app_start(request: web.Request) -> web.Response:
    """A browser at the app's base address goes to its page."""
    if accepts(request, "text/html"):
        raise web.HTTPFound(page_way(request).page(request.match_info["app"]))
    raise NotFound("There is nothing at this path.", "The app's API is below api/.")


async def events(request: web.Request) -> web.StreamResponse:
    """What happens to the app from now on, or behind `after`, for the pages that show it."""
    return await follow_app(request)


ROUTES = (
    Route(
        method="GET",
        path="/",
        handler=start,
        operation="page.start",
        scope="open",
        summary="To the pages.",
        tag="pages",
        answers={302: FOUND},
    ),
    Route(
        method="GET",
        path="/apps/{app}",
        handler=app_start,
        operation="page.app_start",
        scope="open",
        summary="To the app's page, for a browser.",
        tag="pages",
        answers={302: FOUND},
    ),
    Route(
        method="GET",
        path="/ui/{app}/events",
        handler=events,
        operation="page.events",
        scope="page",
        summary="What happens to an app, as it comes.",
        tag="pages",
        query=(FOLLOW, TAIL, AFTER),
        answers=stream("Records."),
    ),
)
