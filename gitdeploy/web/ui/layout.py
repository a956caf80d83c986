"""What every page has around its content."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.web.auth import access_of
from gitdeploy.web.forwarded import Way, way_in
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.html import Content, Safe, link, tag


def page_way(request: web.Request) -> Way:
    """The way in, as pages need it for their links."""
    return way_in(request, services_of(request).options.scm_domain)


def page(
    request: web.Request,
    title: str,
    *content: Content,
    trail: tuple[tuple[str, str], ...] = (),
    status: int = 200,
) -> web.Response:
    """A whole page. `trail` are (address, text) of the pages above it."""
    way = page_way(request)
    access = access_of(request)
    crumbs = [link(way.page(), "gitdeploy")]
    crumbs += [link(address, text) for address, text in trail]
    sign_out: Content = None
    if access.session is not None and access.principal is not None:
        sign_out = tag(
            "form",
            tag("span", f"Signed in as {access.principal.who}"),
            tag("input", type="hidden", name="form_token", value=access.session.form_token),
            tag("button", "Sign out"),
            method="post",
            action=f"{way.base}/ui/sign-out",
        )
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{title} · gitdeploy" if title != "gitdeploy" else title),
            tag("link", rel="stylesheet", href=f"{way.base}/ui/style.css"),
        ),
        tag(
            "body",
            tag("header", tag("nav", _between(crumbs), aria_label="Where you are"), sign_out),
            tag("main", tag("h1", title), *content),
        ),
        lang="en",
    )
    return web.Response(
        text=f"<!doctype html>\n{document}\n", content_type="text/html", status=status
    )


def _between(crumbs: list[Safe]) -> list[Content]:
    shown: list[Content] = []
    for crumb in crumbs:
        if shown:
            shown.append(" / ")
        shown.append(crumb)
    return shown
