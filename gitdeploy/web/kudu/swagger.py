"""`/api/triggeredwebjobsswagger`: how to run each triggered job, as a Swagger 2.0 document.

Kudu's has "placeHolder" as its host; ours names the way in, so that it can be used as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web

from gitdeploy.web.answers import as_json
from gitdeploy.web.forwarded import Way, way_in
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of


async def show(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    views = services.supervisor.jobs(app)
    names = [view.job.name for view in views if view.job.kind == "triggered"]
    return as_json(document(app, names, way_in(request, services.options.scm_domain)))


def document(app: str, jobs: Iterable[str], way: Way) -> dict[str, Any]:
    """The document: one path a job, in the spelling that Kudu's has."""
    return {
        "swagger": "2.0",
        "info": {"version": "v1", "title": "WebJobs"},
        "host": way.host,
        "basePath": urlsplit(way.app(app)).path or "/",
        "schemes": [way.scheme],
        "paths": {f"/api/triggeredjobs/{quote(job, safe='')}/run": _run(job) for job in jobs},
    }


def _run(job: str) -> dict[str, Any]:
    arguments = {
        "name": "arguments",
        "in": "query",
        "description": "Web Job Arguments",
        "required": False,
        "type": "string",
    }
    location = {"type": "string", "description": "The run's address."}
    return {
        "post": {
            "deprecated": False,
            "operationId": job,
            "consumes": [],
            "produces": [],
            "responses": {
                "202": {"description": "Started", "headers": {"Location": location}},
                "default": {"description": "Not started; the body says why"},
            },
            "parameters": [arguments],
        }
    }


_PATH = "triggeredwebjobsswagger"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/{_PATH}",
        aliases=spellings(_PATH),
        handler=show,
        operation="triggered.swagger",
        scope="read",
        summary="How to run each triggered job, as Swagger 2.0.",
        tag="jobs",
        answers={200: Answer("A Swagger 2.0 document.", dict[str, Any])},
    ),
)
