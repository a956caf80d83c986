"""`/ui/{app}/deployments/`: everything that was deployed, and a form that deploys a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.deploy.content import WholeSite
from gitdeploy.errors import GitdeployError, Invalid
from gitdeploy.store import Deployment
from gitdeploy.store.deployments import ENDED
from gitdeploy.web.auth import access_of
from gitdeploy.web.errors import status_of
from gitdeploy.web.fetching import FETCHER, pending
from gitdeploy.web.kudu.site_change import begin, check_unlocked
from gitdeploy.web.requests import accepts
from gitdeploy.web.route import HTML, JSON, Answer, Body, Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import goes_on, require
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.sent import sent
from gitdeploy.web.ui.views.deployment import goes_back, short, subject

_PAGE = 30
_LONGEST_MESSAGE = 1000
_FILTERS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "succeeded": ("success",),
    "failed": ("failed",),
    "open": ("pending", "building", "deploying"),
}


async def every(request: web.Request) -> web.Response:
    return await _list(request)


async def upload(request: web.Request) -> web.Response:
    """Deploy the zip of the form; a script that sends it with progress is answered in JSON."""
    require(request, "deploy")
    name, message, words = "", "", show_of(request).words
    try:
        check_unlocked(request, wait_turn=True)
        async with sent(request, "deploy") as form:
            name, message = form.name, form.form.get("message")[:_LONGEST_MESSAGE]
            if form.file is None:
                raise Invalid(words("deployments.upload.choose"))
            if not zipfile.is_zipfile(form.file):
                raise Invalid(words("deployments.upload.not_zip", name=name[:100]))
            kept = form.file.rename(form.file.with_name(f"{form.file.name}.zip"))
            row = await _deploy(request, kept, message or name)
    except GitdeployError as error:
        reason = f"{error.what} {error.fix}".strip()
        if accepts(request, JSON):
            return web.json_response({"wrong": reason}, status=status_of(error))
        return await _list(request, status=status_of(error), wrong=reason, typed=message)
    access_of(request).target = f"{row.app}/{row.id}"
    address = page_way(request).page(row.app, "deployments", row.id)
    if accepts(request, JSON):
        return web.json_response({"location": address}, status=201)
    return goes_on(request, address)


async def _deploy(request: web.Request, zip_file: Path, message: str) -> Deployment:
    return await begin(request, WholeSite(zip_file), trigger="zip", wait_turn=True, message=message)


async def _list(
    request: web.Request, *, status: int = 200, wrong: str = "", typed: str = ""
) -> web.Response:
    services, app, show = services_of(request), request.match_info["app"], show_of(request)
    way = page_way(request)
    base = way.page(app, "deployments")
    asked = request.query.get("status", "")
    chosen = asked if asked in _FILTERS else "all"
    number = _number(request.query.get("page", ""))
    rows, total = await services.store.deployments.page(
        app, states=_FILTERS[chosen], skip=(number - 1) * _PAGE, limit=_PAGE
    )
    fetched = request.app[FETCHER].under_way(app)
    if (
        fetched is not None
        and number == 1
        and chosen in ("all", "open")
        and all(row.id != fetched.key or row.status in ENDED for row in rows)
    ):
        rows = [row for row in rows if row.id != fetched.key]
        rows.insert(0, pending(app, fetched.key, fetched, services.instance))
    releases = await services.store.releases.on_disk(app)
    active = next((one.number for one in releases if one.active), None)
    kept = {one.number for one in releases}

    def address(chosen: str, number: int = 1) -> str:
        query = {"status": chosen} if chosen != "all" else {}
        told = urlencode({**query, **({"page": number} if number > 1 else {})})
        return f"{base}?{told}" if told else base

    return render(
        request,
        "deployments.html",
        title=show.words("nav.deployments"),
        crumbs=[Crumb(app, way.page(app)), Crumb(show.words("nav.deployments"))],
        section="deployments",
        status=status,
        rows=rows,
        total=total,
        filters=[(one, address(one)) for one in _FILTERS],
        chosen=chosen,
        newer=address(chosen, number - 1) if number > 1 else "",
        older=address(chosen, number + 1) if number * _PAGE < total else "",
        base=base,
        limit=services.options.max_site_size,
        wrong=wrong,
        typed=typed,
        command=f"git push {way.base}/{app}.git main",
        again=lambda row: row.trigger != "recorded" and (row.commit_id or row.release in kept),
        back=lambda row: goes_back(row, active),
        subject=subject,
        called=short,
    )


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


_PATH = "/ui/{app}/deployments"
ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        handler=every,
        operation="page.deployments",
        scope="page",
        summary="What was deployed, newest first.",
        tag="pages",
        query=(
            Param("status", "all, succeeded, failed or open."),
            Param("page", "From 1.", "integer"),
        ),
        answers=page("What was deployed, newest first."),
    ),
    Route(
        method="POST",
        path=_PATH,
        handler=upload,
        operation="page.deploy_zip",
        scope="page",
        summary="Let the zip of a page's form be the whole site.",
        tag="pages",
        body=Body(bytes, ("multipart/form-data",)),
        answers={
            201: Answer("It is queued, for a script.", dict),
            303: Answer("To the deployment.", media=(), headers=("Location",)),
            400: Answer("The page again, with the reason.", str, (HTML,)),
            409: Answer("The page again, with the reason.", str, (HTML,)),
            413: Answer("The page again, with the reason.", str, (HTML,)),
        },
    ),
)
