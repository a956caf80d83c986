"""`/api/deployments`: what was deployed, deploying again, rolling back, cancelling."""

from __future__ import annotations

import asyncio
import re
import shutil

from aiohttp import web

from gitdeploy import store
from gitdeploy.errors import Conflict, NotFound
from gitdeploy.repos import RepositoryError
from gitdeploy.store.deployments import ENDED, DeploymentStatus
from gitdeploy.web.answers import as_json, no_content, tagged
from gitdeploy.web.auth import principal_of
from gitdeploy.web.fetching import FETCHER, pending
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_log import unknown
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.recorded import record
from gitdeploy.web.requests import read_json
from gitdeploy.web.route import NO_CONTENT, Answer, Body, Route
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
        row = pending(app, wanted.key, wanted, services.instance)
        return _one(request, row, status=202, temporary=True)
    if not rows:
        raise NotFound(f"{app} has no deployment yet.", "Push to it with git.")
    return _one(request, rows[0])


async def show(request: web.Request) -> web.Response:
    found = await request.app[FETCHER].find(request.match_info["app"], request.match_info["id"])
    if found is None:
        raise unknown(request)
    row, temporary = found
    return _one(request, row, status=202, temporary=True) if temporary else _one(request, row)


async def put(request: web.Request) -> web.Response:
    """Deploy a commit (again), or record a deployment that was made elsewhere."""
    wanted: shapes.Deploy = await read_json(request, shapes.Deploy, empty=shapes.Deploy())
    if wanted.status is not None:
        return await record(request, wanted)
    services, app = services_of(request), request.match_info["app"]
    row = await services.store.deployments.get(app, request.match_info["id"])
    if row is not None and row.trigger == "recorded":
        raise Conflict(
            f"Deployment {row.id} was made elsewhere and can't be deployed here.",
            "Push its commit with git.",
        )
    deployer, by = services.deployer, wanted.deployer or principal_of(request).who
    note = (wanted.message or "").strip()
    if row is not None and row.commit_id is None:
        again = deployer.redeploy(app, row.id, deployer=by, note=note)
        return _one(request, await services.background.complete(again), status=202)
    started = deployer.deploy(
        app,
        request.match_info["id"] if row is None or not row.commit_id else row.commit_id,
        ref=None if row is None else row.ref,
        trigger="api",
        deployer=by,
        wait_turn=False,
        clean=wanted.clean,
        note=note,
    )
    try:
        return _one(request, await services.background.complete(started), status=202)
    except RepositoryError as error:
        raise NotFound(error.what, error.fix) from error


async def delete(request: web.Request) -> web.Response:
    """Forget a deployment and its log; one that is under way is cancelled."""
    services, app = services_of(request), request.match_info["app"]
    given_up = request.app[FETCHER].cancel(
        app, request.match_info["id"], who=principal_of(request).who
    )
    fetched = await services.background.complete(given_up)
    row = await services.store.deployments.get(app, request.match_info["id"])
    if row is None:
        raise unknown(request)
    if fetched:
        return _one(request, row)
    if row.status not in ENDED:
        ended = services.deployer.cancel(app, row.id, who=principal_of(request).who)
        return _one(request, await services.background.complete(ended))

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


def _one(
    request: web.Request, row: store.Deployment, *, status: int = 200, temporary: bool = False
) -> web.Response:
    way = way_in(request, services_of(request).options.scm_domain)
    shown = deployment(row, way, temporary=temporary)
    headers = {"Location": shown.url} if status == 202 else None
    return as_json(shown, status=status, headers=headers)


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
        summary="Forget a deployment that isn't active, and its log; cancel one that is under way.",
        tag="deployments",
        answers={200: Answer("Cancelled.", shapes.Deployment), 204: NO_CONTENT},
    ),
)
