"""What the pages that aren't templates yet are put into."""

from __future__ import annotations

from aiohttp import web
from markupsafe import Markup

from gitdeploy.web.ui.html import Content, tag
from gitdeploy.web.ui.render import Crumb, page_way, render

__all__ = ["page", "page_way"]


def page(
    request: web.Request,
    title: str,
    *content: Content,
    trail: tuple[tuple[str, str], ...] = (),
    status: int = 200,
) -> web.Response:
    """A whole page. `trail` are (address, text) of the pages above it."""
    crumbs = [*(Crumb(text, address) for address, text in trail), Crumb(title)]
    body = Markup(str(tag("div", *content)))  # noqa: S704  html.py escapes
    return render(request, "plain.html", title=title, crumbs=crumbs, content=body, status=status)
