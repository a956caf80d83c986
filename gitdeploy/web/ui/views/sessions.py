"""`/ui/-/sessions/`: which browsers are signed in, and ending that."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from gitdeploy.store.sessions import OpenSession
from gitdeploy.web.auth import access_of, admin_session_id
from gitdeploy.web.revoked import REVOKED
from gitdeploy.web.route import Answer, Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import goes_on, read_form
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.views.server import may_on_server, require_on_server
from gitdeploy.web.ui.views.settings import page_number

PAGE = 50
_MOST = 1_000_000
# In this order: each names itself after those that it wants to be taken for.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"(?:Firefox|FxiOS)/"),
    ("Chrome", r"(?:Chrome|CriOS)/"),
    ("Safari", r"Safari/"),
    ("curl", r"curl/"),
)
_SYSTEMS = (
    ("Android", r"Android"),
    ("iOS", r"iPhone|iPad"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X"),
    ("Linux", r"Linux|X11"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A session, by which browser ("" where it isn't known), and whether it is the reader's."""

    session: OpenSession
    browser: str
    own: bool


async def show(request: web.Request) -> web.Response:
    """Those of the signed-in token; an administrator of the server may see all of them."""
    services, shown, way = services_of(request), show_of(request), page_way(request)
    session = access_of(request).session
    assert session is not None
    every = "all" in request.query and may_on_server(request, "admin")
    here = way.page("-", "sessions")
    number = page_number(request.query.get("page", ""), _MOST)
    found = await services.store.sessions.open(
        at=shown.now,
        admin=admin_session_id(services),
        token=None if every else session.token_id,
        limit=PAGE + 1,
        skip=(number - 1) * PAGE,
    )

    def page_of(n: int) -> str:
        return f"{here}?{'all&' if every else ''}page={n}"

    return render(
        request,
        "sessions.html",
        title=shown.words("sessions.title"),
        crumbs=[Crumb(shown.words("sessions.title"))],
        section="sessions",
        lines=[Line(one, browser_of(one.agent), one.id == session.id) for one in found[:PAGE]],
        here=here,
        every=every,
        may_see_all=may_on_server(request, "admin"),
        newer=page_of(number - 1) if number > 1 else "",
        older=page_of(number + 1) if len(found) > PAGE else "",
        ended=_number(request.query.get("ended", "")),
    )


async def end(request: web.Request) -> web.Response:
    """End the session `id`, or all but this one: of all tokens with `all`, else of this token."""
    form = await read_form(request, "read")
    services, access = services_of(request), access_of(request)
    session = access.session
    assert session is not None
    access.what = "session.delete"
    server_wide = may_on_server(request, "admin")
    here = page_way(request).page("-", "sessions")
    back = f"{here}?all" if form.has("all") else here
    if form.get("do") == "all":
        if form.has("all"):
            require_on_server(request, "admin")
        access.target = "all" if form.has("all") else session.token_id
        work = services.store.sessions.end(
            token=None if form.has("all") else session.token_id, but=session.id
        )
    else:
        access.target = form.get("id")[:40]
        work = services.store.sessions.end(
            session=form.get("id"), token=None if server_wide else session.token_id
        )
    hashes = await services.background.complete(work)
    for one in hashes:
        request.app[REVOKED].add(one)
    if form.get("do") == "all":
        return goes_on(request, f"{back}{'&' if '?' in back else '?'}ended={len(hashes)}")
    return goes_on(request, back, said=f"sessions.said.{'ended' if hashes else 'gone'}")


def browser_of(agent: str) -> str:
    """`Firefox · Linux` from a `User-Agent`; "" where neither is known."""
    found = [
        next((name for name, pattern in table if re.search(pattern, agent)), "")
        for table in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(name for name in found if name)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/sessions",
        handler=show,
        operation="page.sessions",
        scope="page",
        summary="The browsers that are signed in.",
        tag="pages",
        query=(
            Param("all", "Those of every token, for an administrator."),
            Param("page", "Which page, from 1.", "integer"),
            Param("ended", "How many were ended just now.", "integer"),
        ),
        answers=page("The page."),
    ),
    Route(
        method="POST",
        path="/ui/-/sessions",
        handler=end,
        operation="page.sessions_end",
        scope="page",
        summary="End one session, or all others.",
        tag="pages",
        answers={303: Answer("Done; the page again.", media=(), headers=("Location",))},
    ),
)
