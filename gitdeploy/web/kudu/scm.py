"""`/api/scm`: where the repository is, and what Kudu's clients do to it as a whole."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import msgspec
from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.deploy import clear_cache
from gitdeploy.deploy.content import WholeSite
from gitdeploy.errors import Conflict
from gitdeploy.repos import Caller, set_aside
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.forwarded import client_address, way_in
from gitdeploy.web.incoming import spare
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.site_change import begin, check_unlocked, live
from gitdeploy.web.requests import flag
from gitdeploy.web.route import NO_CONTENT, Answer, Param, Route
from gitdeploy.web.services import Services, services_of

_NOTHING = b"PK\x05\x06" + bytes(18)  # a zip without files


class RepositoryInfo(msgspec.Struct, frozen=True):
    """Kudu's RepositoryInfo; its names are spelled like that."""

    Type: str
    GitUrl: str


async def info(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    return as_json(RepositoryInfo("Git", f"{way.app(app)}/{quote(app, safe='')}.git"))


async def delete(request: web.Request) -> web.Response:
    """Make the repository as new for clients; releases, jobs and settings stay as in Kudu.

    With `deleteWebRoot` the site becomes empty too, by a deployment that can be rolled back.
    """
    services, app = services_of(request), request.match_info["app"]
    check_unlocked(request, wait_turn=False)
    repository = services.repositories.open(app)
    caller = Caller(who=principal_of(request).who, address=client_address(request))
    if flag(request, "deleteWebRoot"):
        await _empty_site(request)
    name = to_datetime(services.clock.now()).strftime("%Y%m%dT%H%M%S.%fZ")

    async def work() -> None:
        refs = await set_aside(repository, name, caller)
        log = services.events.app_log(app)
        log.warning("repository.set_aside", who=caller.who, name=name, refs=len(refs))
        access_of(request).result = f"{len(refs)} refs are below refs/gitdeploy/deleted/{name}/"

    await services.background.complete(work())
    return no_content()


async def _empty_site(request: web.Request) -> None:
    file = spare(request)
    await asyncio.to_thread(file.write_bytes, _NOTHING)
    content, message = WholeSite(file, name="nothing"), "DELETE scm with deleteWebRoot"
    row = await begin(request, content, trigger="zip", wait_turn=False, message=message)
    await live(request, row)


async def clean(request: web.Request) -> web.Response:
    """Remove what builds keep to be faster; Kudu removes what a build has left in its clone."""
    services, app = services_of(request), request.match_info["app"]
    _refuse_busy(services, app)
    work = asyncio.to_thread(clear_cache, services.home.app(app))
    await services.background.complete(work)
    services.events.app_log(app).info("cache.cleared", who=principal_of(request).who)
    return no_content()


def _refuse_busy(services: Services, app: str) -> None:
    if services.deployer.busy(app):
        raise Conflict(f"{app} is being deployed.", "Ask again when that has ended.")


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/scm/info",
        aliases=spellings("scm/info"),
        handler=info,
        operation="scm.info",
        scope="read",
        summary="Where the repository is.",
        tag="git",
        answers={200: Answer("Its kind and address.", RepositoryInfo)},
    ),
    Route(
        method="DELETE",
        path=f"{API}/scm",
        aliases=spellings("scm"),
        handler=delete,
        operation="scm.delete",
        scope="admin",
        summary="Make the repository empty for clients; its refs are kept below refs/gitdeploy.",
        tag="git",
        query=(Param("deleteWebRoot", "Make the site empty too, by a deployment.", "boolean"),),
        answers={204: NO_CONTENT},
    ),
    Route(
        method="POST",
        path=f"{API}/scm/clean",
        aliases=spellings("scm/clean"),
        handler=clean,
        operation="scm.clean",
        scope="deploy",
        summary="Remove the caches of builds.",
        tag="git",
        answers={204: NO_CONTENT},
    ),
)
