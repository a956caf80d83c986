"""`/ui/-/audit/`: who did what, page by page through all that is kept."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.web.route import Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.views.server import require_on_server

PAGE = 100
_LONGEST_NUMBER = 18


async def show(request: web.Request) -> web.Response:
    """Newest first: entries of `who` and `what`, below the number `before`."""
    require_on_server(request, "admin")
    services, shown, way = services_of(request), show_of(request), page_way(request)
    audit, asked = services.store.audit, request.query
    who, what = asked.get("who") or None, asked.get("what") or None
    text = asked.get("before", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    found = (
        await audit.page(who=who, what=what, before=int(text), limit=PAGE + 1)
        if is_number
        else await audit.page(who=who, what=what, limit=PAGE + 1)
    )
    kept = {key: value for key, value in (("who", who), ("what", what)) if value}
    here = way.page("-", "audit")
    older = urlencode({**kept, "before": found[PAGE - 1].number}) if len(found) > PAGE else ""
    return render(
        request,
        "audit.html",
        title=shown.words("audit.title"),
        crumbs=[Crumb(shown.words("audit.title"))],
        section="audit",
        here=here,
        entries=[one.entry for one in found[:PAGE]],
        by=who or "",
        what=what or "",
        callers=_with(await audit.values("who"), who),
        kinds=_with(await audit.values("what"), what),
        newest=f"{here}?{urlencode(kept)}" if is_number else "",
        older=f"{here}?{older}" if older else "",
    )


def _with(known: list[str], chosen: str | None) -> list[str]:
    """What can be chosen, with what the address asks for."""
    return known if chosen is None or chosen in known else sorted([*known, chosen])


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/audit",
        handler=show,
        operation="page.audit",
        scope="page",
        summary="Who did what.",
        tag="pages",
        query=(
            Param("who", "Only what this caller did."),
            Param("what", "Only entries of this kind."),
            Param("before", "Only entries numbered below this.", "integer"),
        ),
        answers=page("The page."),
    ),
)
