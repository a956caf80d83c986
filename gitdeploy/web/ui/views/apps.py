"""`/ui/`: the apps, how each stands; an admin makes new ones here."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.errors import Conflict, Invalid
from gitdeploy.store.overview import Standing
from gitdeploy.supervise import JobView
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.route import HTML, Answer, Param, Route, page
from gitdeploy.web.services import check_app_name, services_of
from gitdeploy.web.ui.forms import goes_on, read_form
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

_PAGE = 100
_FAILED = frozenset({"failed", "aborted"})
_UNFINISHED = frozenset({"pending", "building", "deploying"})


@dataclass(frozen=True, slots=True)
class AppLine:
    """An app: `state` is a name of states.py; `up` of `kept` continuous jobs run, `failed` jobs
    need somebody, `next_due` is the first due time (microseconds)."""

    name: str
    state: str
    live: Standing | None
    jobs: int
    up: int
    kept: int
    failed: int
    next_due: int | None


async def apps(request: web.Request) -> web.Response:
    """The apps that the caller may know of, by name."""
    return await _list(request)


async def create(request: web.Request) -> web.Response:
    """Make an app and show how to deploy to it; the list again where that can't be."""
    form = await read_form(request, "admin")
    services, way, name = services_of(request), page_way(request), form.get("name").lower()
    principal, access = principal_of(request), access_of(request)
    access.target = name[:100]
    if not principal.knows(name):
        raise Forbidden("This token is for some apps only.", "Use an admin token for all apps.")
    try:
        check_app_name(name)
        created = await services.background.complete(services.create_app(name))
    except Invalid:
        return await _list(request, name=name, wrong="applist.bad_name", status=400)
    except Conflict:
        created = False
    if not created:
        return await _list(request, name=name, wrong="applist.taken", status=409)
    return goes_on(request, way.page(name), said="applist.created", name=name)


async def _list(
    request: web.Request, *, name: str = "", wrong: str = "", status: int = 200
) -> web.Response:
    services, principal, way = services_of(request), principal_of(request), page_way(request)
    show = show_of(request)
    query = request.query.get("q", "").strip()[:100]
    known = [
        app.name
        for app in await services.store.apps.all()
        if principal.knows(app.name) and query.lower() in app.name
    ]
    last = max(1, -(-len(known) // _PAGE))
    text = request.query.get("page", "")
    number = min(last, max(1, int(text))) if text.isascii() and text.isdigit() else 1
    names = known[(number - 1) * _PAGE : number * _PAGE]
    views = {app: services.supervisor.jobs(app) for app in names}
    triggered = [
        (app, view.job.name)
        for app, jobs in views.items()
        for view in jobs
        if view.job.kind == "triggered"
    ]
    ended = await services.store.overviews.last_runs(triggered)
    standing = await services.store.overviews.standing(names)
    lines = [
        _line(
            app,
            views[app],
            standing.get(app, []),
            {job for (of, job), state in ended.items() if of == app and state in _FAILED},
            asleep=services.supervisor.asleep(app),
        )
        for app in names
    ]
    return render(
        request,
        "apps.html",
        title=show.words("applist.title"),
        crumbs=[Crumb(show.words("applist.title"))],
        section="apps",
        lines=lines,
        query=query,
        number=number,
        last=last,
        page_of=lambda n: f"{way.page()}?{urlencode({'q': query, 'page': n})}",
        name=name,
        wrong=wrong,
        status=status,
    )


def _line(
    app: str, views: list[JobView], standing: list[Standing], failed: set[str], *, asleep: bool
) -> AppLine:
    kept = [view for view in views if view.job.kind == "continuous"]
    up = sum(view.status == "Running" for view in kept)
    bad = sum(
        view.error is not None
        or view.status == "PendingRestart"
        or (view.job.kind == "triggered" and view.job.name in failed)
        for view in views
    )
    newest = standing[0] if standing else None
    live = next((one for one in standing if one.active), None)
    if newest is not None and newest.status in _UNFINISHED:
        state = newest.status
    elif newest is None or (live is None and newest.status != "failed"):
        state = "new" if not views else "live"
    elif newest.status == "failed":
        state = "failed"
    else:
        state = "asleep" if asleep else "live"
    due = [view.next_due for view in views if view.next_due is not None]
    return AppLine(
        name=app,
        state=state,
        live=live,
        jobs=len(views),
        up=up,
        kept=len(kept),
        failed=bad,
        next_due=min(due, default=None),
    )


ROUTES = (
    Route(
        method="GET",
        path="/ui",
        handler=apps,
        operation="page.apps",
        scope="page",
        summary="The apps.",
        tag="pages",
        query=(
            Param("q", "A part of the name."),
            Param("page", "Which page, from 1.", "integer"),
        ),
        answers=page("The page."),
    ),
    Route(
        method="POST",
        path="/ui",
        handler=create,
        operation="page.create_app",
        scope="page",
        summary="Make an app.",
        tag="pages",
        answers={
            303: Answer("Made; to its page.", media=(), headers=("Location",)),
            400: Answer("The name isn't one.", str, (HTML,)),
            409: Answer("There is one of that name.", str, (HTML,)),
        },
    ),
)
