"""A failure below `/ui` as a page."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gitdeploy.web.errors import PROBLEM, Problem
from gitdeploy.web.requests import accepts
from gitdeploy.web.ui.render import render

_KEPT = ("Retry-After", "Allow")


def as_page(request: web.Request, response: web.Response) -> web.Response:
    """The problem as HTML where a browser asks; else as it is."""
    if not accepts(request, "text/html") or response.content_type != PROBLEM:
        return response
    assert isinstance(response.body, bytes)
    problem = msgspec.json.decode(response.body, type=Problem)
    page = render(
        request,
        "problem.html",
        title=problem.title,
        detail=problem.detail,
        fix=problem.fix,
        status=response.status,
    )
    page.headers.update({n: response.headers[n] for n in _KEPT if n in response.headers})
    return page
