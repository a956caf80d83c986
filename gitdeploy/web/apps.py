"""`/api/apps`: make, list, change and delete apps."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.store import App
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import app_of, principal_of
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.forwarded import Way, way_in
from gitdeploy.web.requests import read_json
from gitdeploy.web.route import NO_CONTENT, Answer, Body, Route
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.statuses import check_status_url

DEFAULT_BRANCH = "main"
_SECRET_SHORTEST = 8
_IDLE_SHORTEST, _IDLE_LONGEST = 1, 366 * 86_400
# A branch's name; the rest of `git check-ref-format`'s rules are the repository's to apply.
_BRANCH_REFUSED = frozenset(" ~^:?*[\\\x7f")


class AppInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An app and its addresses. `webhook_secret` and `status_token` tell only whether one is set.

    `asleep` says that its continuous jobs have stopped as nobody asked anything of it for a while.
    """

    name: str
    created: str
    branch: str
    webhook_secret: bool
    status_token: bool
    status_url: str | None
    locked: str | None
    strict: bool
    always_on: bool
    idle_timeout: float | None
    asleep: bool
    git_url: str
    url: str
    api_url: str
    ui_url: str


class AppChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What PATCH changes; null takes a value away, a missing key leaves it.

    `branch` is the deployment branch; `locked` is the reason for which nothing is deployed.
    With `status_token`, a token of GitHub, GitLab or Gitea, the commits that webhooks bring are
    given their status there; `status_url` is the API where it isn't a public host's.
    With `strict` a problem that is only warned of else fails the deployment.
    With `always_on` false the continuous jobs stop after `idle_timeout` seconds (default 1200)
    without a request and come back with the next one.
    """

    branch: str | msgspec.UnsetType | None = msgspec.UNSET
    webhook_secret: str | msgspec.UnsetType | None = msgspec.UNSET
    status_token: str | msgspec.UnsetType | None = msgspec.UNSET
    status_url: str | msgspec.UnsetType | None = msgspec.UNSET
    locked: str | msgspec.UnsetType | None = msgspec.UNSET
    strict: bool | msgspec.UnsetType | None = msgspec.UNSET
    always_on: bool | msgspec.UnsetType | None = msgspec.UNSET
    idle_timeout: float | msgspec.UnsetType | None = msgspec.UNSET


async def every(request: web.Request) -> web.Response:
    services, principal = services_of(request), principal_of(request)
    way = way_in(request, services.options.scm_domain)
    apps = [app for app in await services.store.apps.all() if principal.knows(app.name)]
    return as_json([_info(services, app, way) for app in apps])


async def put(request: web.Request) -> web.Response:
    services, name = services_of(request), request.match_info["app"]
    created = await services.background.complete(services.create_app(name))
    app = await services.store.apps.get(name)
    if app is None:
        raise Conflict(f"The app {name} was deleted just now.", "Try again.")
    way = way_in(request, services.options.scm_domain)
    headers = {"Location": f"{way.base}/api/apps/{name}"} if created else None
    return as_json(_info(services, app, way), status=201 if created else 200, headers=headers)


async def show(request: web.Request) -> web.Response:
    services = services_of(request)
    way = way_in(request, services.options.scm_domain)
    return as_json(_info(services, app_of(request), way))


async def patch(request: web.Request) -> web.Response:
    services, name = services_of(request), request.match_info["app"]
    wanted: AppChanges = await read_json(request, AppChanges)
    changes = {
        field: value
        for field in wanted.__struct_fields__
        if (value := getattr(wanted, field)) is not msgspec.UNSET
    }
    app = await change_app(services, name, changes)
    return as_json(_info(services, app, way_in(request, services.options.scm_domain)))


async def change_app(services: Services, name: str, changes: dict[str, Any]) -> App:
    """Change attributes (`AppChanges`); the app as it is then. Raises Invalid, NotFound."""
    check_changes(changes)
    app = await services.background.complete(services.store.apps.update(name, changes))
    if app is None:
        raise NotFound(f"There is no app {name!r} that you may know of.")
    for secret in (app.webhook_secret, app.status_token):
        if secret:
            services.events.redactor.add(secret)
    services.supervisor.follow(app)
    services.events.app_log(name).info("app.changed", keys=sorted(changes))
    return app


async def delete(request: web.Request) -> web.Response:
    await delete_app(request, request.match_info["app"])
    return no_content()


async def delete_app(request: web.Request, name: str) -> None:
    """Stop an app's jobs and remove all that it has. Raises NotFound."""
    services = services_of(request)
    await request.app[FETCHER].forget(name)
    if not await services.background.complete(_delete(services, name)):
        raise NotFound(f"There is no app {name!r} that you may know of.")
    services.events.log.info("app.deleted", name=name)


async def _delete(services: Services, name: str) -> bool:
    return await services.delete_app(name)


def check_changes(changes: dict[str, Any]) -> None:
    """Raises Invalid naming the key."""
    branch = changes.get("branch")
    if branch is not None and branch.startswith("refs/"):
        raise Invalid(
            f"branch: {branch[:100]!r} is a ref.",
            f"Write the branch: {branch.split('/')[-1][:50]}.",
        )
    if branch is not None and not branch_name(branch):
        raise Invalid(f"branch: {branch[:100]!r} can't be a branch.", "Write it as git does: main.")
    secret = changes.get("webhook_secret")
    if secret is not None and len(secret) < _SECRET_SHORTEST:
        raise Invalid(
            f"webhook_secret has fewer than {_SECRET_SHORTEST} characters.",
            "Use 32 random ones, the same as the sender's.",
        )
    token = changes.get("status_token")
    if token is not None and (len(token) < _SECRET_SHORTEST or not _is_token(token)):
        raise Invalid(
            f"status_token isn't a token of at least {_SECRET_SHORTEST} characters.",
            "Write it as the host shows it, without blanks.",
        )
    if changes.get("status_url") is not None:
        check_status_url(changes["status_url"])
    locked = changes.get("locked")
    if locked is not None and (len(locked) > 500 or not locked.isprintable()):
        raise Invalid("locked isn't one line of up to 500 characters.", "Write a short reason.")
    idle = changes.get("idle_timeout")
    if idle is not None and not _IDLE_SHORTEST <= idle <= _IDLE_LONGEST:
        raise Invalid(
            f"idle_timeout = {idle:g} isn't between {_IDLE_SHORTEST} and {_IDLE_LONGEST} seconds.",
            "Write 1200 for Azure's 20 minutes.",
        )


def _is_token(text: str) -> bool:
    return len(text) <= 1000 and all("!" <= sign <= "~" for sign in text)


def branch_name(name: str) -> bool:
    """Whether this can be a branch (git-check-ref-format(1), for `refs/heads/{name}`)."""
    parts = name.split("/")
    return (
        0 < len(name) <= 250
        and not name.startswith("-")
        and not name.endswith(".")
        and ".." not in name
        and "@{" not in name
        and name != "@"
        and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts)
        and all(sign >= " " and sign not in _BRANCH_REFUSED for sign in name)
    )


def _info(services: Services, app: App, way: Way) -> AppInfo:
    return AppInfo(
        name=app.name,
        created=rfc3339(app.created_at),
        branch=app.branch or DEFAULT_BRANCH,
        webhook_secret=app.webhook_secret is not None,
        status_token=app.status_token is not None,
        status_url=app.status_url,
        locked=app.locked,
        strict=app.strict,
        always_on=app.always_on,
        idle_timeout=app.idle_timeout,
        asleep=services.supervisor.asleep(app.name),
        git_url=f"{way.base}/{app.name}.git",
        url=way.app(app.name),
        api_url=way.api(app.name),
        ui_url=way.page(app.name),
    )


_ONE = "/api/apps/{app}"
ROUTES = (
    Route(
        method="GET",
        path="/api/apps",
        handler=every,
        operation="app.list",
        scope="read",
        summary="The apps that the token may know of.",
        tag="apps",
        answers={200: Answer("By name.", list[AppInfo])},
    ),
    Route(
        method="PUT",
        path=_ONE,
        handler=put,
        operation="app.create",
        scope="admin",
        creates=True,
        summary="Make an app with an empty repository.",
        tag="apps",
        answers={
            201: Answer("Made.", AppInfo, headers=("Location",)),
            200: Answer("It was there already.", AppInfo),
        },
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=show,
        operation="app.get",
        scope="read",
        summary="An app and its addresses.",
        tag="apps",
        answers={200: Answer("The app.", AppInfo)},
    ),
    Route(
        method="PATCH",
        path=_ONE,
        handler=patch,
        operation="app.change",
        scope="admin",
        summary="Change the deployment branch, the webhook's secret, the lock, when it sleeps.",
        tag="apps",
        body=Body(AppChanges),
        answers={200: Answer("The app as it is then.", AppInfo)},
    ),
    Route(
        method="DELETE",
        path=_ONE,
        handler=delete,
        operation="app.delete",
        scope="admin",
        summary="Stop the app's jobs and remove all that it has.",
        tag="apps",
        answers={204: NO_CONTENT},
    ),
)
