"""A failure below `/ui` as a page."""

from __future__ import annotations

import msgspec
from aiohttp import web

from gitdeploy.web.errors import PROBLEM, Problem
from gitdeploy.web.requests import accepts
from gitdeploy.web.ui.html import link, tag

_KEPT = ("Retry-After", "Allow")


def as_page(request: web.Request, response: web.Response) -> web.Response:
    """The problem as HTML where a browser asks; else as it is."""
    if not accepts(request, "text/html") or response.content_type != PROBLEM:
        return response
    assert isinstance(response.body, bytes)
    problem = msgspec.json.decode(response.body, type=Problem)
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{problem.title} · gitdeploy"),
        ),
        tag(
            "body",
            tag("h1", problem.title),
            tag("p", problem.detail),
            tag("p", problem.fix) if problem.fix else None,
            tag("p", link("/ui/", "To the apps")),
        ),
        lang="en",
    )
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return web.Response(
        text=f"<!doctype html>\n{document}\n",
        content_type="text/html",
        status=response.status,
        headers=headers,
    )
