"""`/ui/{app}/jobs/-/add` and `/ui/{app}/jobs/{job}/edit`: a job by a form, with a preview."""

from __future__ import annotations

import secrets
from functools import cache
from zoneinfo import available_timezones

from aiohttp import web

from gitdeploy.deploy import SwapFailed
from gitdeploy.deploy.deployer import refuse_locked
from gitdeploy.deploy.knownjobs import find_job
from gitdeploy.errors import Conflict, Invalid, NotFound
from gitdeploy.home import Kind
from gitdeploy.jobs import Job
from gitdeploy.web.auth import app_of
from gitdeploy.web.errors import status_of
from gitdeploy.web.route import HTML, Answer, Body, Param, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form, goes_on, require
from gitdeploy.web.ui.jobform import (
    Filled,
    Sent,
    blank_fields,
    field_of,
    job_fields,
    read_job,
    read_sent,
    told,
)
from gitdeploy.web.ui.jobform.page import form_page
from gitdeploy.web.ui.jobform.storing import Change, store
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

_QUIETLY = "return=minimal"


async def add_form(request: web.Request) -> web.Response:
    """An empty form; `from` is a job that the new one is to be like."""
    require(request, "deploy")
    fields = blank_fields()
    source = _source(request, request.query.get("from", ""))
    if source is not None:
        fields, kept = job_fields(source)
        name = f"{source.name[:190]}-copy"
        fields |= {"name": [name], "from": [source.name], "from_kind": [source.kind]}
        for secret in kept:
            fields.pop(secret, None)
    return form_page(request, Form(fields), source=source, previewed=source is not None)


async def edit_form(request: web.Request) -> web.Response:
    """The form of a job as it is."""
    require(request, "deploy")
    job = _job(request, request.query.get("kind", ""))
    fields, kept = job_fields(job)
    return form_page(request, Form(fields), job=job, kept=kept, previewed=True)


async def add(request: web.Request) -> web.Response:
    """Create the job, or only look at its schedule (`do` is preview)."""
    return await _take(request, None)


async def edit(request: web.Request) -> web.Response:
    """Change the job; what has no field stays as it is."""
    return await _take(request, _job(request, request.query.get("kind", "")))


async def _take(request: web.Request, job: Job | None) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    refuse_locked(app_of(request))
    file = services.uploads.incoming(app, secrets.token_hex(8))
    try:
        sent = await read_sent(request, "deploy", file, services.options.max_job_size)
        form, source = sent.form, None
        if job is None:
            source = _source(request, form.get("from"), form.get("from_kind"))
        words = show_of(request).words
        filled = (
            read_job(form, words, old=None)
            if job is None
            else read_job(
                form,
                words,
                name=job.name,
                how="continuous" if job.kind == "continuous" else None,
                old=job.action,
            )
        )
        looks = form.get("do") == "preview"
        if not looks:
            _check(request, filled, sent, job, source)
        if looks or filled.errors:
            file.unlink(missing_ok=True)
            too_large = sent.upload is not None and sent.upload.too_large
            status = 200 if looks else 413 if too_large else 400
            if not looks and job is None and _taken(request, filled):
                status = 409
            return _again(request, form, filled, job, source, status=status, looks=looks)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    change = Change(app=app, filled=filled, upload=sent.upload, job=job, source=source, file=file)
    try:
        name = await services.background.complete(store(request, change))
    except SwapFailed as error:
        filled.errors["form"] = f"{error.what} {error.fix}"
        tail = tuple(error.tail)
        return _again(request, form, filled, job, source, status=400, tail=tail)
    except (Conflict, Invalid) as error:
        where = "name" if isinstance(error, Conflict) and job is None else "file"
        near = field_of(error, otherwise=where if sent.upload or job is None else "form")
        filled.errors[near] = told(error, words)
        return _again(request, form, filled, job, source, status=status_of(error))
    return _done(request, name, "job_form.changed" if job else "job_form.created")


def _check(
    request: web.Request, filled: Filled, sent: Sent, job: Job | None, source: Job | None
) -> None:
    """What isn't wrong with a field alone: the file, a name that is taken."""
    words, services = show_of(request).words, services_of(request)
    errors, upload = filled.errors, sent.upload
    if upload is not None and upload.too_large:
        limit = show_of(request).size(services.options.max_job_size)
        errors["file"] = words("job_form.wrong.too_large", limit=limit)
    has_code = upload is not None or (job is not None and job.script is not None)
    has_code = has_code or (source is not None and source.script is not None)
    if filled.how != "http" and not has_code:
        errors.setdefault("file", words("job_form.wrong.no_file"))
    if job is None and "name" not in errors and _taken(request, filled):
        errors["name"] = words("job_form.wrong.taken", name=filled.name)


def _taken(request: web.Request, filled: Filled) -> bool:
    supervisor, app = services_of(request).supervisor, request.match_info["app"]
    kinds: tuple[Kind, ...] = ("continuous", "triggered")
    return any(find_job(supervisor, app, kind, filled.name) is not None for kind in kinds)


def _again(
    request: web.Request,
    form: Form,
    filled: Filled,
    job: Job | None,
    source: Job | None,
    *,
    status: int,
    looks: bool = False,
    tail: tuple[str, ...] = (),
) -> web.Response:
    """The page with what was typed and what is wrong."""
    fields = dict(form.fields)
    if job is not None:
        fields["name"] = [job.name]
    fields["how"] = [filled.how]
    for name in [name for name in fields if name.endswith(("_password", "_token"))]:
        del fields[name]
    kept = job_fields(job)[1] if job is not None else set()
    if looks:  # who only looks hasn't finished: what is empty isn't wrong yet
        shown = {
            name: text for name, text in filled.errors.items() if form.get(name) or form.all(name)
        }
    else:
        shown = filled.errors
    return form_page(
        request,
        Form(fields),
        job=job,
        source=source,
        kept=kept,
        filled=filled,
        errors=shown,
        tail=tail,
        previewed=True,
        status=status,
    )


def _done(request: web.Request, name: str, said: str) -> web.Response:
    """To the job's page; a script that sent the form goes there itself, and is told where."""
    app = request.match_info["app"]
    response = goes_on(request, page_way(request).page(app, "jobs", name), said=said, name=name)
    if request.headers.get("Prefer", "") == _QUIETLY:
        response.set_status(201)
    return response


def _source(request: web.Request, name: str, kind: str = "") -> Job | None:
    if not name:
        return None
    return _named(request, name, kind)


def _job(request: web.Request, kind: str) -> Job:
    return _named(request, request.match_info["job"], kind)


def _named(request: web.Request, name: str, kind: str) -> Job:
    """The job of this name; where both kinds have it, the one that is asked for. Raises NotFound."""
    app, supervisor = request.match_info["app"], services_of(request).supervisor
    kinds: tuple[Kind, ...] = ("triggered", "continuous")
    for each in kinds:
        if kind in ("", each):
            found = find_job(supervisor, app, each, name)
            if found is not None:
                return found
    raise NotFound(f"{app} has no job {name[:100]!r}.")


async def zones(request: web.Request) -> web.Response:
    """The time zones that this server knows, for the field that takes one."""
    words = show_of(request).words
    title = words("job_form.zones")
    return render(request, "zones.html", title=title, crumbs=[Crumb(title)], names=_zones())


@cache
def _zones() -> list[str]:
    places = (name for name in available_timezones() if "/" in name or name == "UTC")
    return sorted(name for name in places if not name.startswith(("Etc/", "SystemV/", "US/")))


_ADD, _EDIT = "/ui/{app}/jobs/-/add", "/ui/{app}/jobs/{job}/edit"
_KIND = Param("kind", "continuous or triggered, where both have a job of this name.")
_FORM = Body(bytes, ("multipart/form-data", "application/x-www-form-urlencoded"))
_TAKEN = {
    200: Answer("The form with what its schedule would do.", str, (HTML,)),
    201: Answer("Done; for a script that asks for it by Prefer.", media=(), headers=("Location",)),
    303: Answer("To the job's page.", media=(), headers=("Location", "Set-Cookie")),
    400: Answer("The form again, with what is wrong.", str, (HTML,)),
    409: Answer("The name is taken.", str, (HTML,)),
    413: Answer("The file is over max_job_size.", str, (HTML,)),
}
ROUTES = (
    Route(
        method="GET",
        path=_ADD,
        handler=add_form,
        operation="page.job_add",
        scope="page",
        summary="The form of a new job.",
        tag="pages",
        query=(Param("from", "A job that it is to be like."),),
        answers=page_answers("A form."),
    ),
    Route(
        method="POST",
        path=_ADD,
        handler=add,
        operation="job.add",
        scope="page",
        summary="Create a job by its form, or look at its schedule.",
        tag="pages",
        body=_FORM,
        answers=_TAKEN,
    ),
    Route(
        method="GET",
        path=_EDIT,
        handler=edit_form,
        operation="page.job_edit",
        scope="page",
        summary="The form of a job.",
        tag="pages",
        query=(_KIND,),
        answers=page_answers("A form."),
    ),
    Route(
        method="POST",
        path=_EDIT,
        handler=edit,
        operation="job.edit",
        scope="page",
        summary="Change a job by its form, or look at its schedule.",
        tag="pages",
        query=(_KIND,),
        body=_FORM,
        answers=_TAKEN,
    ),
    Route(
        method="GET",
        path="/ui/-/zones",
        handler=zones,
        operation="page.zones",
        scope="page",
        summary="The time zones that are known.",
        tag="pages",
        answers=page_answers("A list."),
    ),
)
