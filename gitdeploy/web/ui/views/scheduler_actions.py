"""Pause and resume all schedules of an app; one job's are `views/job_actions.py`'s."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.supervise.steering import DISABLE_SCHEDULE
from gitdeploy.web.auth import access_of
from gitdeploy.web.kudu.settings import change_settings
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.duelist import RANGES
from gitdeploy.web.ui.forms import goes_on, read_form
from gitdeploy.web.ui.render import page_way

_SAID = {"pause": "scheduler.said.paused", "resume": "scheduler.said.resumed"}


async def change(request: web.Request) -> web.Response:
    """Set or remove the app setting that turns schedules off, as Kudu's clients do."""
    form = await read_form(request, "deploy")
    do, app = form.get("do"), request.match_info["app"]
    if do not in _SAID:
        raise Invalid("This form says nothing to do.", "Load the page again.")
    access = access_of(request)
    access.what = "settings.merge" if do == "pause" else "settings.delete"
    access.target = f"{app}: {DISABLE_SCHEDULE}"
    if do == "pause":
        await change_settings(services_of(request), app, {DISABLE_SCHEDULE: "1"}, [])
    else:
        await change_settings(services_of(request), app, {}, [DISABLE_SCHEDULE])
    address, span = page_way(request).page(app, "scheduler"), form.get("range")
    if span in RANGES:
        address = f"{address}?range={span}"
    return goes_on(request, address, said=_SAID[do], name=app)


ROUTES = (
    Route(
        method="POST",
        path="/ui/{app}/scheduler",
        handler=change,
        operation="page.scheduler_change",
        scope="page",
        summary="Pause or resume all schedules of an app, from a page.",
        tag="pages",
        answers={303: Answer("Done; the page again.", media=(), headers=("Location",))},
    ),
)
