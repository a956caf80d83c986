"""Roll back, deploy again, cancel: what a deployment's page can do, and what it shows before."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.errors import Conflict, GitdeployError, NotFound
from gitdeploy.repos import RepositoryError
from gitdeploy.store import Deployment
from gitdeploy.store.deployments import ENDED
from gitdeploy.web.auth import principal_of
from gitdeploy.web.errors import status_of
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.route import HTML, Answer, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.comparison import compare, settings_since
from gitdeploy.web.ui.forms import goes_on, read_form, require
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.views.deployment import goes_back, is_kept, row_of, short, subject

_LONGEST_NOTE = 1000


async def ask(request: web.Request) -> web.Response:
    """What it would change, and a field for the reason."""
    require(request, "deploy")
    row = await row_of(request)
    if row.status not in ENDED:  # there is nothing to repeat yet
        raise web.HTTPSeeOther(page_way(request).page(row.app, "deployments", row.id))
    return await _page(request, row)


async def again(request: web.Request) -> web.Response:
    """Bring it into effect again, for the reason given."""
    form = await read_form(request, "deploy")
    row, note = await row_of(request), form.get("note")[:_LONGEST_NOTE]
    try:
        active = await services_of(request).store.releases.active(row.app)
        if form.has("live") and form.get("live") != (str(active.number) if active else ""):
            raise Conflict(show_of(request).words("deployment.back.moved"))
        begun = await services_of(request).background.complete(_deploy(request, row, note))
    except GitdeployError as error:
        wrong = f"{error.what} {error.fix}".strip()
        status = 404 if isinstance(error, RepositoryError) else status_of(error)
        return await _page(request, row, status=status, wrong=wrong, note=note)
    address = page_way(request).page(row.app, "deployments", begun.id)
    return goes_on(request, address, said="deployment.begun", name=short(row))


async def cancel(request: web.Request) -> web.Response:
    """End it while it is under way; one that has ended meanwhile says how on its page."""
    await read_form(request, "deploy")
    services, app = services_of(request), request.match_info["app"]
    row, who = await row_of(request), principal_of(request).who
    address = page_way(request).page(app, "deployments", row.id)
    if row.status in ENDED:
        return goes_on(request, address)
    fetch = request.app[FETCHER].cancel(app, row.id, who=who)
    if not await services.background.complete(fetch):
        try:
            await services.background.complete(services.deployer.cancel(app, row.id, who=who))
        except Conflict:
            return goes_on(request, address)
    return goes_on(request, address, said="deployment.cancelled", name=short(row))


async def _deploy(request: web.Request, row: Deployment, note: str) -> Deployment:
    deployer, by = services_of(request).deployer, principal_of(request).who
    if row.trigger == "recorded":
        raise Conflict(
            f"Deployment {row.id} was made elsewhere and can't be deployed here.",
            "Push its commit with git.",
        )
    if row.commit_id is None:
        return await deployer.redeploy(row.app, row.id, deployer=by, note=note)
    return await deployer.deploy(
        row.app,
        row.commit_id,
        ref=row.ref,
        trigger="api",
        deployer=by,
        wait_turn=False,
        note=note,
    )


async def _page(
    request: web.Request,
    row: Deployment,
    *,
    status: int = 200,
    wrong: str = "",
    note: str = "",
) -> web.Response:
    services, show, way = services_of(request), show_of(request), page_way(request)
    kept = await is_kept(services, row)
    if row.commit_id is None and not kept and status == 200:
        raise NotFound(
            f"The files of deployment {row.id[:10]} came once and aren't on the disk any more.",
            "Send the zip again.",
        )
    active = await services.store.releases.active(row.app)
    live = None
    if active is not None:
        live = await services.store.deployments.get(row.app, active.deployment)
    base = way.page(row.app, "deployments", row.id)
    back = goes_back(row, None if active is None else active.number)
    title = show.words("deployment.back.title" if back else "deployment.again.title")
    return render(
        request,
        "deployment_again.html",
        title=title,
        crumbs=[
            Crumb(row.app, way.page(row.app)),
            Crumb(show.words("nav.deployments"), way.page(row.app, "deployments")),
            Crumb(short(row), base),
            Crumb(title),
        ],
        section="deployments",
        status=status,
        row=row,
        live=live,
        active=active,
        base=base,
        back=back,
        kept=kept,
        comparison=await compare(services, live, row),
        settings=await settings_since(services, row),
        wrong=wrong,
        note=note,
        subject=subject,
    )


_PATH = "/ui/{app}/deployments/{id}"
_GOES_ON = Answer("To the deployment.", media=(), headers=("Location",))
_AGAIN = Answer("The page again, with the reason.", str, (HTML,))
ROUTES = (
    Route(
        method="GET",
        path=f"{_PATH}/roll-back",
        handler=ask,
        operation="page.roll_back",
        scope="page",
        summary="What bringing a deployment into effect again would change.",
        tag="pages",
        answers=page("What it would change."),
    ),
    Route(
        method="POST",
        path=f"{_PATH}/roll-back",
        handler=again,
        operation="page.deploy_again",
        scope="page",
        summary="Bring a deployment into effect again, from a page.",
        tag="pages",
        answers={303: _GOES_ON, 404: _AGAIN, 409: _AGAIN},
    ),
    Route(
        method="POST",
        path=f"{_PATH}/cancel",
        handler=cancel,
        operation="page.cancel_deployment",
        scope="page",
        summary="End a deployment that is under way, from a page.",
        tag="pages",
        answers={303: _GOES_ON},
    ),
)
