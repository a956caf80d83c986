"""`/ui/{app}/settings/`: app settings, attributes, addresses to deploy to, the deploy key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gitdeploy.repos.sshkey import DeployKey
from gitdeploy.supervise.steering import process_identity
from gitdeploy.web.apps import DEFAULT_BRANCH
from gitdeploy.web.auth import app_of
from gitdeploy.web.route import Param, Route, page
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.forms import Form
from gitdeploy.web.ui.once import shown_once
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

PAGE = 200
SECRET = "webhook"  # noqa: S105 — the kind of what is shown once
_IDLE = 1200
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Setting:
    """An app setting; `value` is None while nobody has asked for it."""

    key: str
    value: str | None


async def show(request: web.Request) -> web.Response:
    """The page; `show` names the one setting whose value is wanted."""
    return await settings_page(request)


async def settings_page(
    request: web.Request, *, wrong: Mapping[str, str] = _NOTHING, typed: Form | None = None
) -> web.Response:
    """The page, with what is `wrong` by field (words of the reader) and what was typed."""
    services, way, shown = services_of(request), page_way(request), show_of(request)
    app, words = app_of(request), shown.words
    name, query = app.name, request.query
    values = await services.store.apps.settings(name)
    asked = query.get("show", "")
    if typed is not None and typed.get("do") == "change":
        asked = typed.get("key")
    keys = sorted(values)
    last = max(1, -(-len(keys) // PAGE))
    number = page_number(query.get("page", ""), last)
    if asked in values and "page" not in query:
        number = keys.index(asked) // PAGE + 1
    return render(
        request,
        "settings.html",
        title=words("settings.title"),
        crumbs=[Crumb(name, way.page(name)), Crumb(words("settings.title"))],
        section="settings",
        settings=[
            Setting(key, values[key] if key == asked else None)
            for key in keys[(number - 1) * PAGE : number * PAGE]
        ],
        number=number,
        last=last,
        attributes=app,
        default_branch=DEFAULT_BRANCH,
        default_idle=_IDLE,
        restarts=restarted(services, name),
        git_url=f"{way.base}/{name}.git",
        zip_url=way.api(name, "zipdeploy"),
        hook_url=f"{way.app(name)}/deploy",
        made=shown_once(request, SECRET),
        ssh_key=await asyncio.to_thread(deploy_key(services, name).public),
        wrong=wrong,
        typed=typed,
        status=400 if wrong else 200,
    )


def restarted(
    services: Services,
    app: str,
    old: Mapping[str, str] = _NOTHING,
    new: Mapping[str, str] | None = None,
) -> list[str]:
    """The running jobs that a change of settings restarts, any change where `new` is missing."""
    running = [
        view.job
        for view in services.supervisor.jobs(app)
        if view.job.kind == "continuous" and view.pid is not None
    ]
    return [
        job.name
        for job in running
        if new is None or process_identity(job, old) != process_identity(job, new)
    ]


def deploy_key(services: Services, app: str) -> DeployKey:
    """The app's pair of keys."""
    return DeployKey(services.home.app(app).ssh)


def page_number(text: str, last: int) -> int:
    """The number of a page of a list, as the address says, within 1 and `last`."""
    wanted = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    return min(last, max(1, wanted))


ROUTES = (
    Route(
        method="GET",
        path="/ui/{app}/settings",
        handler=show,
        operation="page.settings",
        scope="page",
        summary="An app's settings.",
        tag="pages",
        query=(
            Param("show", "The name of the setting whose value is shown."),
            Param("page", "Which page of the app settings, from 1.", "integer"),
        ),
        answers=page("The page."),
    ),
)
