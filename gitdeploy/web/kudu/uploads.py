"""PUT, DELETE and settings of jobs of both kinds, for whoever has a zip or a script and no git."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiofiles
from aiohttp import hdrs, web

from gitdeploy.deploy import Parcel, SwapFailed, check_filename, swap_error
from gitdeploy.deploy.deployer import refuse_locked
from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.jobs.scripts import KINDS
from gitdeploy.web import bodies
from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import app_of, principal_of
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.job_view import FAMILY, continuous, find, triggered
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.sdk import using_sdk
from gitdeploy.web.requests import read_json
from gitdeploy.web.route import JSON, Answer, Body, Route
from gitdeploy.web.router import route_of
from gitdeploy.web.services import services_of

_ZIPS = frozenset({"application/zip", "application/x-zip-compressed", "application/x-zip"})
_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_FILENAME = re.compile(r"""(?i)(?:\A|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))""")
_EXTENDED = re.compile(r"(?i)(?:\A|;)\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;]*)")
_SCRIPTS = frozenset(extension for kind in KINDS for extension in kind.extensions)


async def put(request: web.Request) -> web.Response:
    """Create or replace a job; answered with the job once it is in force."""
    services, app = services_of(request), request.match_info["app"]
    kind, name = _kind(request), request.match_info["job"]
    who = principal_of(request).who
    refuse_locked(app_of(request))
    file = services.uploads.incoming(app, secrets.token_hex(8))
    try:
        head = await _receive(request, file)
        parcel = _parcel(request, file, head)
    except BaseException:
        file.unlink(missing_ok=True)
        raise

    async def take() -> str:
        try:
            return await services.uploads.put(app, kind, name, parcel, who=who)
        finally:  # not before, also where the client has left
            file.unlink(missing_ok=True)

    try:
        kept_as = await services.background.complete(take())
    except SwapFailed as error:
        raise swap_error(error) from error
    return await _job(request, kind, kept_as)


async def delete(request: web.Request) -> web.Response:
    """Remove a job, its data and its history; 200 also where there was none, as in Kudu."""
    services, app = services_of(request), request.match_info["app"]
    work = services.uploads.delete(app, _kind(request), request.match_info["job"])
    await services.background.complete(work)
    return web.Response(status=200)


async def show_settings(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, _kind(request), request.match_info["job"])
    return as_json(view.job.settings.raw)


async def put_settings(request: web.Request) -> web.Response:
    """Replace a job's settings; they are in force when this is answered."""
    services, app = services_of(request), request.match_info["app"]
    kind = _kind(request)
    name = find(services.supervisor, app, kind, request.match_info["job"]).job.name
    given: dict[str, Any] = await read_json(request, dict[str, Any])
    await services.background.complete(services.uploads.put_settings(app, kind, name, given))
    view = find(services.supervisor, app, kind, name)
    return as_json(view.job.settings.raw)


async def _receive(request: web.Request, file: Path) -> bytes:
    """The body into a file; its first bytes."""
    limit = services_of(request).options.max_job_size
    head = b""
    async with aiofiles.open(file, "wb") as out:
        async for piece in bodies.pieces(request, limit=limit, setting="max_job_size"):
            if len(head) < 4:
                head += piece[:4]
            await out.write(piece)
    return head[:4]


def _parcel(request: web.Request, file: Path, head: bytes) -> Parcel:
    """What came: `Content-Type` lies in clients, so the file's name and first bytes count too.

    A script may itself be a zip (a .jar; Python runs them), so its name says more than its bytes.
    """
    media = request.content_type if hdrs.CONTENT_TYPE in request.headers else ""
    name = _filename(request.headers.get(hdrs.CONTENT_DISPOSITION, ""))
    ending = "" if name is None else Path(name).suffix.lower()
    says_zip, is_zip = media in _ZIPS or ending == ".zip", head.startswith(_SIGNATURES)
    if (says_zip and is_zip) or ((says_zip or is_zip) and ending not in _SCRIPTS):
        return Parcel("zip", file)
    if media.startswith("multipart/") and head.startswith(b"--"):
        raise Invalid(
            "The body is a form.", "Send the file itself as the body: curl -T job.zip …, not -F."
        )
    if name is None and media == JSON:
        return Parcel("settings", file)
    if name is None:
        raise Invalid(
            "A script needs its file's name: Content-Disposition is missing.",
            "Send Content-Disposition: attachment; filename=run.sh, or a zip as application/zip.",
        )
    return Parcel("script", file, name)


def _filename(disposition: str) -> str | None:
    """The name in a Content-Disposition (RFC 6266), quoted or not, without directories."""
    if (found := _EXTENDED.search(disposition)) is not None:
        return check_filename(unquote(found[2].strip(), encoding=found[1]))
    if (found := _FILENAME.search(disposition)) is not None:
        quoted, bare = found[1], found[2]
        # a backslash is a Windows path here, not an escape
        return check_filename(quoted.replace('\\"', '"') if quoted is not None else bare.strip())
    return None


async def _job(request: web.Request, kind: Kind, name: str) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    view = find(services.supervisor, app, kind, name)
    way = way_in(request, services.options.scm_domain)
    sdk = bool(await using_sdk(services.home.app(app), [view.job]))
    if kind == "continuous":
        return as_json(continuous(view, app, way, services.instance, sdk=sdk))
    newest = await services.store.executions.newest(app, kind, name, limit=1)
    latest = newest[0] if newest else None
    return as_json(triggered(view, app, latest, way, services.clock.now(), sdk=sdk))


def _kind(request: web.Request) -> Kind:
    """By the route, whatever spelling led to it."""
    route = route_of(request.match_info)
    assert route is not None
    return "continuous" if FAMILY["continuous"] in route.path else "triggered"


def _routes(kind: Kind, shape: type) -> tuple[Route, ...]:
    one = f"{FAMILY[kind]}/{{job}}"
    body = Body(bytes, ("application/zip", "application/octet-stream", JSON), required=True)
    return (
        Route(
            method="PUT",
            path=f"{API}/{one}",
            aliases=spellings(one),
            handler=put,
            operation=f"{kind}.put",
            scope="deploy",
            summary=f"Create or replace a {kind} job: a zip, a script (Content-Disposition).",
            tag="jobs",
            body=body,
            answers={200: Answer("The job.", shape)},
        ),
        Route(
            method="DELETE",
            path=f"{API}/{one}",
            aliases=spellings(one),
            handler=delete,
            operation=f"{kind}.delete",
            scope="deploy",
            summary=f"Remove a {kind} job, its data and its history.",
            tag="jobs",
            answers={200: Answer("It is gone, or wasn't there.", media=())},
        ),
        Route(
            method="GET",
            path=f"{API}/{one}/settings",
            aliases=spellings(f"{one}/settings"),
            handler=show_settings,
            operation=f"{kind}.settings",
            scope="read",
            summary=f"A {kind} job's settings.job as it is in force.",
            tag="jobs",
            answers={200: Answer("An object.", dict[str, Any])},
        ),
        Route(
            method="PUT",
            path=f"{API}/{one}/settings",
            aliases=spellings(f"{one}/settings"),
            handler=put_settings,
            operation=f"{kind}.put_settings",
            scope="deploy",
            summary=f"Replace a {kind} job's settings, at once.",
            tag="jobs",
            body=Body(dict[str, Any]),
            answers={200: Answer("As they are in force.", dict[str, Any])},
        ),
    )


ROUTES = (
    *_routes("continuous", shapes.ContinuousJob),
    *_routes("triggered", shapes.TriggeredJob),
)
