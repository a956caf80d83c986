"""`/api/logstream` and `/api/events`: an app's output and events as they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.supervise.steering import steering
from gitdeploy.web.following import follow_app, send
from gitdeploy.web.kudu.merged import Merged, Wanted, parse_id
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import AFTER, SELECT, TAIL, Param, Route, stream
from gitdeploy.web.selection import selection
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import negotiate, resume_id


async def events(request: web.Request) -> web.StreamResponse:
    return await follow_app(request)


async def logstream(request: web.Request) -> web.StreamResponse:
    """The output of an app's jobs from now on, Kudu's text where text is asked for."""
    services, app = services_of(request), request.match_info["app"]
    wanted = _wanted(request.match_info.get("path", "").strip("/"))
    cursors = parse_id(resume_id(request) or request.query.get("after"))
    form = negotiate(request)
    chosen = selection(request, services.clock.now())
    if chosen.tail is None and chosen.since is None:
        chosen = replace(chosen, tail=0)
    if wanted.application:
        settings = steering(await services.store.apps.settings(app))
        wanted = wanted._replace(kind=None if settings.triggered_logged else "continuous")
    merged = Merged(services, app, wanted, cursors, chosen)
    return await send(request, merged.items(notes=form == "text"), form=form)


def _wanted(path: str) -> Wanted:
    """The jobs that a path names. Raises NotFound."""
    if path in ("", "jobs"):
        return Wanted()
    if path.lower() == "application":  # a directory of Kudu's, whose disk knows no case
        return Wanted(application=True)
    parts: list[Any] = path.removeprefix("jobs/").split("/")
    if len(parts) <= 2 and parts[0] in ("continuous", "triggered") and parts[-1]:
        return Wanted(parts[0], parts[1] if len(parts) == 2 else None)
    raise NotFound(
        f"There is no log {path[:100]!r}.", "Ask for jobs/continuous/NAME, or for all of them."
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/events",
        aliases=spellings("events"),
        handler=events,
        operation="app.events",
        scope="read",
        summary="All that happens to the app, from now on.",
        tag="logs",
        query=(Param("follow", "false: what there is, then end.", "boolean"), TAIL, AFTER),
        answers=stream("Records."),
    ),
    Route(
        method="GET",
        path=f"{API}/logstream",
        aliases=spellings("logstream"),
        handler=logstream,
        operation="app.logstream",
        scope="read",
        summary="The output of the app's jobs, from now on.",
        tag="logs",
        query=(*SELECT, AFTER),
        answers=stream("Lines."),
    ),
    Route(
        method="GET",
        path=f"{API}/logstream/{{path*}}",
        aliases=spellings("logstream/{path*}"),
        handler=logstream,
        operation="app.logstream_of",
        scope="read",
        summary="That of `jobs/KIND`, of `jobs/KIND/NAME`, or Kudu's `application` log.",
        tag="logs",
        query=(*SELECT, AFTER),
        answers=stream("Lines."),
    ),
)
