"""The log of a deployment, as Kudu's list or as a stream."""

from __future__ import annotations

from aiohttp import web

from gitdeploy import store
from gitdeploy.errors import NotFound
from gitdeploy.events import Entry
from gitdeploy.web.answers import as_json, tagged
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.following import follow_deployment, wants_stream
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_view import details, log_entries
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import AFTER, FOLLOW, JSON, STREAM, Answer, Route
from gitdeploy.web.services import services_of


async def log(request: web.Request) -> web.StreamResponse:
    """The log as Kudu's list, or as a stream where `Accept` asks for one."""
    row = await row_of(request)
    if wants_stream(request):
        return await follow_deployment(request, row)
    services = services_of(request)
    way = way_in(request, services.options.scm_domain)
    return tagged(
        request,
        log_entries(
            await _entries(request, row),
            lambda entry: way.api(row.app, "deployments", row.id, "log", entry),
        ),
    )


async def log_details(request: web.Request) -> web.Response:
    row = await row_of(request)
    wanted = request.match_info["entry"]
    entry = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else -1
    found = details(await _entries(request, row), entry)
    if found is None:
        raise NotFound(f"The log of {row.id} has no entry {wanted!r}.")
    return as_json(found)


async def row_of(request: web.Request) -> store.Deployment:
    """The deployment of the path, `latest` for the newest. Raises NotFound."""
    services, app = services_of(request), request.match_info["app"]
    wanted = request.match_info["id"]
    if wanted == "latest":
        rows = await services.store.deployments.newest(app, limit=1)
        row = rows[0] if rows else None
    else:
        found = await request.app[FETCHER].find(app, wanted)
        row = None if found is None else found[0]
    if row is None:
        raise unknown(request)
    return row


async def _entries(request: web.Request, row: store.Deployment) -> list[Entry]:
    journal = services_of(request).events.deployment_journal(row.app, row.id)
    return [entry async for entry in journal.read()]


def unknown(request: web.Request) -> NotFound:
    """For an id of the path that isn't one of the app's."""
    app, deployment_id = request.match_info["app"], request.match_info["id"]
    return NotFound(
        f"{app} has no deployment {deployment_id[:100]!r}.", "GET api/deployments lists them."
    )


_ONE = "deployments/{id}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/{_ONE}/log",
        aliases=spellings(f"{_ONE}/log"),
        handler=log,
        operation="deployment.log",
        scope="read",
        summary="A deployment's log.",
        tag="deployments",
        query=(FOLLOW, AFTER),
        answers={
            200: Answer("A list, or a stream.", list[shapes.LogEntry], (JSON, *STREAM)),
            304: Answer("As before."),
        },
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}/log/{{entry}}",
        aliases=spellings(f"{_ONE}/log/{{entry}}"),
        handler=log_details,
        operation="deployment.log_details",
        scope="read",
        summary="The output behind one entry of a deployment's log.",
        tag="deployments",
        answers={200: Answer("Line by line.", list[shapes.LogEntry])},
    ),
)
