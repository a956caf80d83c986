"""From a template and what it shows to a whole page."""

from __future__ import annotations

import gzip
import io
import secrets
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from gitdeploy import __version__
from gitdeploy.web.auth import access_of
from gitdeploy.web.forwarded import Way, way_in
from gitdeploy.web.services import services_of
from gitdeploy.web.ui import navigation, states
from gitdeploy.web.ui.assets import assets
from gitdeploy.web.ui.forms import SAID_COOKIE, was_said
from gitdeploy.web.ui.language import LANGUAGES, words
from gitdeploy.web.ui.preferences import CLOCKS, THEMES, preferences
from gitdeploy.web.ui.show import Show


class Crumb(NamedTuple):
    """A page above this one; the last crumb is the page itself, without address."""

    text: str
    address: str = ""


def page_way(request: web.Request) -> Way:
    """The way in, as pages need it for their links."""
    return way_in(request, services_of(request).options.scm_domain)


def show_of(request: web.Request) -> Show:
    """How this reader sees times and words."""
    chosen = preferences(request)
    return Show(words(chosen.language), chosen, services_of(request).clock.now())


def render(
    request: web.Request,
    template: str,
    *,
    title: str,
    crumbs: Sequence[Crumb] = (),
    section: str = "",
    status: int = 200,
    **view: Any,
) -> web.Response:
    """A page. `title` and crumbs are texts of the reader's language, `section` what of the
    navigation is current (a key below `nav` of the catalogue).

    Templates see, besides `view`: `t` (words), `show`, `way`, `path` (of this page with its
    query), `app` (its name or ""), `who`, `may(scope)`, `form_token`, `static(path)`, `state(…)`.
    """
    way, access, services = page_way(request), access_of(request), services_of(request)
    show = show_of(request)
    principal = access.principal
    sections = navigation.sections(principal, of_app=access.app is not None)
    base = f"{way.base}/ui/-/static/{assets().build}"
    context: dict[str, Any] = {
        "t": show.words,
        "show": show,
        "way": way,
        "path": f"{way.base}{request.path_qs}",
        "app": access.app.name if access.app is not None else "",
        "who": principal.who if principal is not None else "",
        "may": principal.may if principal is not None else lambda scope: False,
        "after": access.after,
        "form_token": access.session.form_token if access.session is not None else "",
        "fonts": "fonts/inter.woff2" in assets().files,
        "static": lambda path: f"{base}/{path}",
        "state": states.of,
        "said": was_said(request, show.words),
        "title": title,
        "crumbs": list(crumbs),
        "section": section,
        "navigation": navigation,
        "sections": sections,
        "short": navigation.on_a_phone(sections),
        "version": __version__,
        "instance": services.instance,
        "languages": LANGUAGES,
        "themes": THEMES,
        "clocks": CLOCKS,
    }
    assert not context.keys() & view.keys(), "a page can't rename what every page shows"
    context |= view
    text = environment().get_template(template).render(context)
    headers = {
        "Cache-Control": "private, no-store",
        "Vary": "Cookie, Accept-Language, Accept-Encoding",
    }
    body = text.encode()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = packed(body)
        headers["Content-Encoding"] = "gzip"
    response = web.Response(
        body=body, content_type="text/html", charset="utf-8", status=status, headers=headers
    )
    if SAID_COOKIE in request.cookies:
        response.del_cookie(SAID_COOKIE, path=f"{way.prefix}/ui")
    return response


def packed(body: bytes) -> bytes:
    """A page as gzip. The length of a name in its header is chance, so that the length of the whole
    doesn't tell how well something in it (a form's token) repeats (BREACH; the remedy is "Heal the
    Breach", Palacios and others, 2022)."""
    out = io.BytesIO()
    name = "x" * secrets.randbelow(100)
    with gzip.GzipFile(name, "wb", 5, out, mtime=0) as file:
        file.write(body)
    return out.getvalue()


@cache
def environment() -> Environment:
    """One for the process; everything is escaped, an unknown name is an error."""
    return Environment(
        loader=PackageLoader("gitdeploy.web.ui", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
