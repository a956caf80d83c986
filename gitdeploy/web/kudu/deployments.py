"""`/api/deployments`: what was deployed, deploying again, rolling back, recording."""

from __future__ import annotations

import asyncio
import re
import shutil

from aiohttp import web

from gitdeploy import store
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.events import Entry
from gitdeploy.repos import RepositoryError
from gitdeploy.store.deployments import ENDED, DeploymentStatus
from gitdeploy.web.answers import as_json, no_content, tagged
from gitdeploy.web.auth import principal_of
from gitdeploy.web.fetching import FETCHER, Wanted, pending
from gitdeploy.web.following import follow_deployment, wants_stream
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_view import deployment, details, log_entries
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import read_json
from gitdeploy.web.route import AFTER, FOLLOW, JSON, NO_CONTENT, STREAM, Answer, Body, Route
from gitdeploy.web.services import services_of

_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LIST = 100
_RECORDED: dict[int, DeploymentStatus] = {shapes.FAILED: "failed", shapes.SUCCESS: "success"}


async def every(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    rows = await services.store.deployments.newest(app, limit=_LIST)
    return tagged(request, [deployment(row, way) for row in rows])


async def latest(request: web.Request) -> web.Response:
    """The newest; 202 while it, or a fetch that will become one, is under way."""
    services, app = services_of(request), request.match_info["app"]
    rows = await services.store.deployments.newest(app, limit=1)
    if rows and rows[0].status not in ENDED:
        return _one(request, rows[0], status=202)
    wanted = request.app[FETCHER].under_way(app)
    if wanted is not None:
        return _fetching(request, wanted.commit or "latest", wanted)
    if not rows:
        raise NotFound(f"{app} has no deployment yet.", "Push to it with git.")
    return _one(request, rows[0])


async def show(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    wanted = request.app[FETCHER].under_way(app)
    row = await services.store.deployments.get(app, request.match_info["id"])
    if row is None and wanted is not None and wanted.commit == request.match_info["id"]:
        return _fetching(request, wanted.commit, wanted)
    if row is None:
        raise _unknown(request)
    return _one(request, row)


async def put(request: web.Request) -> web.Response:
    """Deploy a commit (again), or record a deployment that was made elsewhere."""
    wanted: shapes.Deploy = await read_json(request, shapes.Deploy, empty=shapes.Deploy())
    if wanted.status is not None:
        return await _record(request, wanted)
    services, app = services_of(request), request.match_info["app"]
    row = await services.store.deployments.get(app, request.match_info["id"])
    if row is not None and row.commit_id is None:
        raise Conflict(
            f"Deployment {row.id} was made elsewhere and can't be deployed here.",
            "Push its commit with git.",
        )
    commit = row.commit_id if row is not None and row.commit_id else request.match_info["id"]
    try:
        started = await services.background.complete(
            services.deployer.deploy(
                app,
                commit,
                ref=None if row is None else row.ref,
                trigger="api",
                deployer=wanted.deployer or principal_of(request).who,
                wait_turn=False,
                clean=wanted.clean,
            )
        )
    except RepositoryError as error:
        raise NotFound(error.what, error.fix) from error
    return _one(request, started, status=202)


async def delete(request: web.Request) -> web.Response:
    """Forget a deployment and its log."""
    services, app = services_of(request), request.match_info["app"]
    row = await services.store.deployments.get(app, request.match_info["id"])
    if row is None:
        raise _unknown(request)
    if row.status not in ENDED:
        raise Conflict(f"Deployment {row.id} is under way.", "Delete it when it has ended.")

    async def forget() -> bool:
        if not await services.store.deployments.delete(app, row.id):
            return False
        services.events.forget_deployment(app, row.id)
        log = services.home.app(app).deployment_log(row.id)
        await asyncio.to_thread(shutil.rmtree, log, ignore_errors=True)
        return True

    if not await services.background.complete(forget()):
        raise Conflict(f"Deployment {row.id} is active.", "Deploy another one first.")
    return no_content()


async def log(request: web.Request) -> web.StreamResponse:
    """The log as Kudu's list, or as a stream where `Accept` asks for one."""
    row = await _row(request)
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
    row = await _row(request)
    wanted = request.match_info["entry"]
    entry = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else -1
    found = details(await _entries(request, row), entry)
    if found is None:
        raise NotFound(f"The log of {row.id} has no entry {wanted!r}.")
    return as_json(found)


async def _record(request: web.Request, wanted: shapes.Deploy) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    deployment_id = request.match_info["id"]
    status = _RECORDED.get(wanted.status or 0)
    if status is None:
        raise Invalid(
            f"status: {wanted.status} can't be recorded.", "Send 3 (failed) or 4 (success)."
        )
    if not _ID.fullmatch(deployment_id) or deployment_id.lower() in ("latest", ".", ".."):
        raise Invalid(
            f"{deployment_id[:100]!r} can't be a deployment's id.",
            "Use 1 to 100 letters, digits, dots, hyphens and underscores.",
        )
    known = await services.store.deployments.get(app, deployment_id)
    if known is not None and known.trigger != "recorded":
        raise Conflict(f"Deployment {deployment_id} was made here.", "Record it under another id.")
    now = services.clock.now()
    row = store.Deployment(
        app=app,
        id=deployment_id,
        attempt=1,
        status=status,
        received_at=now,
        started_at=now,
        ended_at=now,
        last_success_at=now if status == "success" else None,
        instance=services.instance,
        trigger="recorded",
        author=wanted.author or "",
        author_email=wanted.author_email or "",
        deployer=wanted.deployer or principal_of(request).who,
        message=wanted.message or "",
        log_from=services.events.deployment_journal(app, deployment_id).end,
    )

    async def record() -> store.Deployment:
        recorded = await services.store.deployments.begin(row)
        log = services.events.deployment_log(app, deployment_id, recorded.attempt)
        log.info("deployment.recorded", status=status, deployer=row.deployer)
        services.events.release_deployment_journal(app, deployment_id)
        return recorded

    return _one(request, await services.background.complete(record()), status=200)


async def _row(request: web.Request) -> store.Deployment:
    services, app = services_of(request), request.match_info["app"]
    wanted = request.match_info["id"]
    if wanted == "latest":
        rows = await services.store.deployments.newest(app, limit=1)
        row = rows[0] if rows else None
    else:
        row = await services.store.deployments.get(app, wanted)
    if row is None:
        raise _unknown(request)
    return row


async def _entries(request: web.Request, row: store.Deployment) -> list[Entry]:
    journal = services_of(request).events.deployment_journal(row.app, row.id)
    return [entry async for entry in journal.read()]


def _one(request: web.Request, row: store.Deployment, *, status: int = 200) -> web.Response:
    way = way_in(request, services_of(request).options.scm_domain)
    shown = deployment(row, way)
    headers = {"Location": shown.url} if status == 202 else None
    return as_json(shown, status=status, headers=headers)


def _fetching(request: web.Request, deployment_id: str, wanted: Wanted) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    row = pending(app, deployment_id, wanted, services.instance)
    shown = deployment(row, way, temporary=True)
    return as_json(shown, status=202, headers={"Location": shown.url})


def _unknown(request: web.Request) -> NotFound:
    app, deployment_id = request.match_info["app"], request.match_info["id"]
    return NotFound(
        f"{app} has no deployment {deployment_id[:100]!r}.", "GET api/deployments lists them."
    )


_ONE = "deployments/{id}"
_UNDER_WAY = Answer("Under way; ask Location.", shapes.Deployment, headers=("Location",))
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/deployments",
        aliases=spellings("deployments"),
        handler=every,
        operation="deployment.list",
        scope="read",
        summary="The newest deployments, newest first.",
        tag="deployments",
        answers={200: Answer("With an ETag.", list[shapes.Deployment]), 304: Answer("As before.")},
    ),
    Route(
        method="GET",
        path=f"{API}/deployments/latest",
        aliases=spellings("deployments/latest"),
        handler=latest,
        operation="deployment.latest",
        scope="read",
        summary="The newest deployment.",
        tag="deployments",
        answers={200: Answer("It has ended.", shapes.Deployment), 202: _UNDER_WAY},
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show,
        operation="deployment.get",
        scope="read",
        summary="One deployment.",
        tag="deployments",
        answers={200: Answer("The deployment.", shapes.Deployment), 202: _UNDER_WAY},
    ),
    Route(
        method="PUT",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=put,
        operation="deployment.deploy",
        scope="deploy",
        summary="Deploy a commit again, roll back to it, or record a deployment made elsewhere.",
        tag="deployments",
        body=Body(shapes.Deploy, required=False),
        answers={200: Answer("Recorded.", shapes.Deployment), 202: _UNDER_WAY},
    ),
    Route(
        method="DELETE",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=delete,
        operation="deployment.delete",
        scope="deploy",
        summary="Forget a deployment that isn't active, and its log.",
        tag="deployments",
        answers={204: NO_CONTENT},
    ),
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
