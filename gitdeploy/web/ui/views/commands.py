"""`/ui/{app}/commands` and `/ui/-/commands`: what the command palette offers, asked for when it opens."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.commands import Commands, Offer, Seen
from gitdeploy.web.ui.preferences import preferences
from gitdeploy.web.ui.render import page_way

_MOST_APPS = 200


async def commands(request: web.Request) -> web.Response:
    """What the reader may do from here."""
    services, principal, access = services_of(request), principal_of(request), access_of(request)
    known = [app.name for app in await services.store.apps.all() if principal.knows(app.name)]
    seen: Seen | None = None
    if access.app is not None:
        name = access.app.name
        views = services.supervisor.jobs(name)
        keys = [view.job.key for view in views]
        seen = Seen(name, views, await services.store.overviews.app(name, keys, most=1))
    offer = Offer(page_way(request), principal, preferences(request))
    return as_json(
        offer.all(seen, known[:_MOST_APPS]), headers={"Cache-Control": "private, no-store"}
    )


ROUTES = tuple(
    Route(
        method="GET",
        path=path,
        handler=commands,
        operation=operation,
        scope="page",
        summary=summary,
        tag="pages",
        answers={
            200: Answer("Commands, keys and texts.", Commands),
            303: Answer("To the sign-in page.", media=()),
        },
    )
    for path, operation, summary in (
        ("/ui/-/commands", "page.commands", "The command palette's entries on the server's pages."),
        ("/ui/{app}/commands", "page.app_commands", "The command palette's entries of an app."),
    )
)
