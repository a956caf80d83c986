"""A failure below `/ui` as a page, in the reader's language."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gitdeploy.web.errors import PROBLEM, Problem
from gitdeploy.web.requests import accepts
from gitdeploy.web.ui.reasons import reason
from gitdeploy.web.ui.render import render, show_of

_KEPT = ("Retry-After", "Allow")


def as_page(request: web.Request, response: web.Response) -> web.Response:
    """The problem as HTML where a browser asks; else as it is."""
    if not accepts(request, "text/html") or response.content_type != PROBLEM:
        return response
    assert isinstance(response.body, bytes)
    problem = msgspec.json.decode(response.body, type=Problem)
    told = reason(
        show_of(request).words,
        response.status,
        problem.detail,
        problem.fix,
        error_id=problem.error_id,
    )
    page = render(
        request,
        "problem.html",
        title=told.title,
        what=told.what,
        fix=told.fix,
        detail=told.detail,
        error_id=problem.error_id,
        number=response.status,
        status=response.status,
    )
    page.headers.update({n: response.headers[n] for n in _KEPT if n in response.headers})
    return page
