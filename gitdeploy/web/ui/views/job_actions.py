"""Run, start and stop a job from any page; the browser then goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gitdeploy.errors import Conflict, Invalid
from gitdeploy.home import Kind
from gitdeploy.supervise import RunRequest
from gitdeploy.web.auth import principal_of
from gitdeploy.web.kudu.job_view import find
from gitdeploy.web.route import Answer, Handler, Route
from gitdeploy.web.senders import one_line
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form, goes_on, read_form
from gitdeploy.web.ui.refused import refusal
from gitdeploy.web.ui.render import page_way, show_of

_KINDS: Mapping[str, Kind] = {"continuous": "continuous", "triggered": "triggered"}


async def run(request: web.Request) -> web.Response:
    """Start a run of a triggered job, with the field `arguments` where it is given."""
    form = await read_form(request, "run")
    services, app = services_of(request), request.match_info["app"]
    job = find(services.supervisor, app, "triggered", request.match_info["job"]).job.name
    agent = one_line(request.headers.get("User-Agent", "unknown"), 100)
    wanted = RunRequest(
        trigger=f"External - {agent}",
        arguments=form.get("arguments") or None,
        who=principal_of(request).who,
    )
    try:
        await services.supervisor.run(app, job, wanted)
    except (Conflict, Invalid) as error:
        view = find(services.supervisor, app, "triggered", job)
        reason = refusal(show_of(request).words, error, view, form.get("arguments"))
        return _back(request, form, reason, "job.refused", job)
    return _back(request, form, job, "job_action.run")


async def start(request: web.Request) -> web.Response:
    """Keep a continuous job running again, or follow a triggered one's schedule again."""
    form = await read_form(request, "run")
    services, app, kind = services_of(request), request.match_info["app"], _kind(form)
    job = find(services.supervisor, app, kind, request.match_info["job"]).job.name
    await services.background.complete(services.supervisor.enable(app, kind, job))
    return _back(request, form, job, f"job_action.start.{kind}")


async def stop(request: web.Request) -> web.Response:
    """Stop a continuous job, or a triggered one's schedule; with `run` that run alone."""
    form = await read_form(request, "run")
    services, app, kind = services_of(request), request.match_info["app"], _kind(form)
    job = find(services.supervisor, app, kind, request.match_info["job"]).job.name
    if kind == "triggered" and form.get("run"):
        work = services.supervisor.stop_run(app, job, form.get("run"))
        said = "job_action.stop.run"
    else:
        work = services.supervisor.disable(app, kind, job)
        said = f"job_action.stop.{kind}"
    await services.background.complete(work)
    return _back(request, form, job, said)


def _kind(form: Form) -> Kind:
    """Raises Invalid where the form doesn't say which of two jobs of the same name it means."""
    kind = _KINDS.get(form.get("kind"))
    if kind is None:
        raise Invalid("kind isn't continuous or triggered.", "Send the form of the page.")
    return kind


def _back(
    request: web.Request, form: Form, name: str, said: str, job: str | None = None
) -> web.Response:
    """To the page of ours that the form names in `next`, else to the job's (`name`, unless given)."""
    way, app = page_way(request), request.match_info["app"]
    own = way.page(app)
    target = form.get("next")
    plain = target.isascii() and target.isprintable() and not set(target) & set('\\ "<>')
    if not plain or not target.startswith(own) or "/.." in target:
        target = way.page(app, "jobs", job or name)
    return goes_on(request, target, said=said, name=name)


def _route(verb: str, handler: Handler, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/ui/{{app}}/jobs/{{job}}/{verb}",
        handler=handler,
        operation=f"page.{verb}_job",
        scope="page",
        summary=summary,
        tag="pages",
        answers={303: Answer("Done; back to the page.", media=(), headers=("Location",))},
    )


ROUTES = (
    _route("run", run, "Run a triggered job once, from a page."),
    _route("start", start, "Start a job again, from a page."),
    _route("stop", stop, "Stop a job or a run, from a page."),
)
