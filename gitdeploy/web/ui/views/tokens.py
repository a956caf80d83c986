"""`/ui/-/tokens/`: who may do what; a new token's secret is shown once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.errors import Invalid
from gitdeploy.store import Token
from gitdeploy.store.tokens import Scope
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.route import HTML, Answer, Param, Route, page
from gitdeploy.web.services import check_app_name, services_of
from gitdeploy.web.tokens import NewToken, check_token, delete_token, make_token
from gitdeploy.web.ui.forms import Form, goes_on, read_form
from gitdeploy.web.ui.once import Shown, keep_once, shown_once
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.show import Show
from gitdeploy.web.ui.views.server import require_on_server
from gitdeploy.web.ui.views.settings import page_number

PAGE = 100
SCOPES: tuple[Scope, ...] = ("read", "run", "deploy", "admin")
EXPIRY = ("never", "7", "30", "90", "365", "day")
MADE = "token"
PICKED = 60
"""So many apps are offered as boxes to tick; where there are more, their names are typed."""

_NOTHING: Mapping[str, str] = {}
_BETWEEN = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Line:
    """A token: the most that it may do, and whether it doesn't count any more."""

    token: Token
    most: Scope
    expired: bool


async def show(request: web.Request) -> web.Response:
    """Every token, newest first."""
    require_on_server(request, "admin")
    return await _page(request)


async def change(request: web.Request) -> web.Response:
    """Make a token, or delete one: the field `do` says which."""
    form = await read_form(request, "admin")
    require_on_server(request, "admin")
    access, here = access_of(request), f"{page_way(request).page('-', 'tokens')}"
    if form.get("do") == "delete":
        token_id = form.get("id")
        access.what, access.target = "token.delete", token_id[:40]
        token = await services_of(request).store.tokens.get(token_id)
        await delete_token(request, token_id)
        name = "" if token is None else token.name
        return goes_on(request, here, said="tokens.said.deleted", name=name)
    access.what = "token.create"
    wanted, wrong = _wanted(form, show_of(request))
    now = services_of(request).clock.now()
    for field, alone in (
        ("name", NewToken(name=wanted.name, scopes=["read"])),
        ("scopes", NewToken(name="name", scopes=wanted.scopes)),
        ("until", NewToken(name="name", scopes=["read"], expires=wanted.expires)),
    ):
        try:
            check_token(alone, now)
        except Invalid:
            wrong.setdefault(field, f"tokens.wrong.{field}")
    if wrong:
        return await _page(request, wrong, form)
    token, secret = await make_token(request, wanted)
    keep_once(request, Shown(MADE, token.name, secret))
    return goes_on(request, here)


def _wanted(form: Form, shown: Show) -> tuple[NewToken, dict[str, str]]:
    """The token that a form asks for, and what of it can't be (keys of the catalogue)."""
    wrong: dict[str, str] = {}
    scopes = [scope for scope in SCOPES if scope == form.get("scope")]
    apps: list[str] | None = None
    if form.get("which") == "some":
        typed = _BETWEEN.split(form.get("apps").lower())
        apps = sorted({name for name in (*form.all("app"), *typed) if name})
        if not apps or not all(_is_name(app) for app in apps):
            wrong["apps"] = "tokens.wrong.apps"
    expires: datetime | None = None
    after = form.get("expiry", "never")
    if after == "day":
        expires = end_of_day(form.get("until"), shown)
        if expires is None:
            wrong["until"] = "tokens.wrong.until"
    elif after in EXPIRY[1:-1]:
        expires = to_datetime(shown.now) + timedelta(days=int(after))
    name = form.get("name")
    return NewToken(name=name, scopes=scopes, apps=apps, expires=expires), wrong


def end_of_day(text: str, shown: Show) -> datetime | None:
    """When a day (`2027-01-31`) ends in the reader's zone; None where it isn't one."""
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day + timedelta(days=1), time(), shown.preferences.shown_in)
        return end.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_name(app: str) -> bool:
    try:
        check_app_name(app)
    except Invalid:
        return False
    return True


async def _page(
    request: web.Request, wrong: Mapping[str, str] = _NOTHING, typed: Form | None = None
) -> web.Response:
    services, shown, way = services_of(request), show_of(request), page_way(request)
    tokens = (await services.store.tokens.all())[::-1]
    apps = [app.name for app in await services.store.apps.all()]
    last = max(1, -(-len(tokens) // PAGE))
    number = page_number(request.query.get("page", ""), last)
    return render(
        request,
        "tokens.html",
        title=shown.words("tokens.title"),
        crumbs=[Crumb(shown.words("tokens.title"))],
        section="tokens",
        lines=[_line(token, shown.now) for token in tokens[(number - 1) * PAGE : number * PAGE]],
        here=way.page("-", "tokens"),
        number=number,
        last=last,
        mine=principal_of(request).token_id,
        made=shown_once(request, MADE),
        apps=apps if len(apps) <= PICKED else [],
        scopes=SCOPES,
        expiry=EXPIRY,
        wrong=wrong,
        typed=typed,
        status=400 if wrong else 200,
    )


def _line(token: Token, now: int) -> Line:
    most = max(token.scopes, key=SCOPES.index)
    return Line(token, most, token.expires_at is not None and token.expires_at <= now)


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/tokens",
        handler=show,
        operation="page.tokens",
        scope="page",
        summary="The tokens.",
        tag="pages",
        query=(Param("page", "Which page, from 1.", "integer"),),
        answers=page("The page."),
    ),
    Route(
        method="POST",
        path="/ui/-/tokens",
        handler=change,
        operation="page.tokens_change",
        scope="page",
        summary="Make or delete a token.",
        tag="pages",
        answers={
            303: Answer("Done; the page again.", media=(), headers=("Location",)),
            400: Answer("The page with what is wrong.", str, (HTML,)),
        },
    ),
)
