"""`/api/zipdeploy`: a zip that becomes the whole site. `/api/isdeploying`."""

from __future__ import annotations

from aiohttp import web

from gitdeploy import store
from gitdeploy.deploy.content import WholeSite
from gitdeploy.deploy.deployer import Trigger
from gitdeploy.deploy.source import Source
from gitdeploy.web.answers import as_json
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.incoming import receive
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.site_change import begin, check_unlocked, live
from gitdeploy.web.requests import flag
from gitdeploy.web.route import JSON, Answer, Body, Param, Route
from gitdeploy.web.services import services_of

_MESSAGE = "Created via a push deployment"  # Kudu's
_ID = "SCM-DEPLOYMENT-ID"


async def put(request: web.Request) -> web.Response:
    """Deploy the zip; answered when it is live, or at once with `isAsync=true`."""
    wait = not flag(request, "isAsync")
    check_unlocked(request, wait_turn=False)
    file = await receive(request, references=True)
    return await answer(request, WholeSite(file), trigger="zip", wait=wait, message=_MESSAGE)


async def answer(
    request: web.Request, content: Source, *, trigger: Trigger, wait: bool, message: str
) -> web.Response:
    """Deploy the content as the query says: 200 when it is live, 202 where nobody waits."""
    query = request.query
    row = await begin(
        request,
        content,
        trigger=trigger,
        wait_turn=False,
        message=query.get("message") or message,
        deployer=query.get("deployer") or "",
        author=query.get("author") or "",
        author_email=query.get("authorEmail") or "",
    )
    if wait:
        return _shown(request, await live(request, row), status=200)
    return _shown(request, row, status=202)


async def is_deploying(request: web.Request) -> web.Response:
    busy = services_of(request).deployer.busy(request.match_info["app"])
    return as_json(shapes.Deploying(value=busy))


def _shown(request: web.Request, row: store.Deployment, *, status: int) -> web.Response:
    way = way_in(request, services_of(request).options.scm_domain)
    shown = deployment(row, way)
    # the very deployment: `latest` may be another one before this one has ended
    headers = {_ID: row.id} | ({"Location": shown.url} if status == 202 else {})
    return as_json(shown, status=status, headers=headers)


WHO = (
    Param("deployer", "Who deploys; the token's name else."),
    Param("message", "What the deployment's log and list say."),
    Param("author", "Whose work it is."),
    Param("authorEmail", "The author's address."),
)
ANSWERS = {
    200: Answer("It is live.", shapes.Deployment, headers=(_ID,)),
    202: Answer("It is under way; ask Location.", shapes.Deployment, headers=("Location", _ID)),
    507: Answer("The server's disk is full."),
}


def _route(method: str) -> Route:
    return Route(
        method=method,
        path=f"{API}/zipdeploy",
        aliases=spellings("zipdeploy"),
        handler=put,
        operation="site.zipdeploy" if method == "POST" else "site.zipdeploy_put",
        scope="deploy",
        summary="Let a zip, or the one at packageUri, be the whole site.",
        tag="deployments",
        query=(Param("isAsync", "Answer before it is live.", "boolean"), *WHO),
        body=Body(bytes, ("application/zip", JSON)),
        answers=ANSWERS,
    )


ROUTES = (
    _route("POST"),
    _route("PUT"),
    Route(
        method="GET",
        path=f"{API}/isdeploying",
        aliases=spellings("isdeploying"),
        handler=is_deploying,
        operation="deployment.busy",
        scope="read",
        summary="Whether a deployment is under way or waits for its turn.",
        tag="deployments",
        answers={200: Answer("The answer.", shapes.Deploying)},
    ),
)
