"""`/ui/{app}/hooks/`: who is told of what happens, what was sent and what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from gitdeploy.errors import Conflict, Invalid
from gitdeploy.net import AddressRefused
from gitdeploy.store import Delivery, Hook
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.kudu.hook_rules import EVENTS, Wanted, check_event, check_wanted
from gitdeploy.web.kudu.hook_view import address
from gitdeploy.web.kudu.hooks import add_hook, find_hook, remove_hook, send_again
from gitdeploy.web.route import HTML, Answer, Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form, goes_on, read_form
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

FORMATS = ("kudu", "cloudevents", "slack")
PAGE = 50
_NOTHING: Mapping[str, str] = {}
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Line:
    """A hook as it is listed: `url` as much of the address as the reader may see, `last` its
    newest try."""

    hook: Hook
    url: str
    last: Delivery | None


async def show(request: web.Request) -> web.Response:
    """The hooks of an app, oldest first; an app has at most 50."""
    return await _list(request)


async def change(request: web.Request) -> web.Response:
    """Add a hook, or remove one: the field `do` says which."""
    form = await read_form(request, "deploy")
    access, app = access_of(request), request.match_info["app"]
    here = page_way(request).page(app, "hooks")
    if form.get("do") == "remove":
        access.what, access.target = "hook.delete", f"{app}: {form.get('id')[:40]}"
        await remove_hook(request, form.get("id").lower())
        return goes_on(request, here, said="hooks.said.removed")
    access.what = "hook.create"
    wrong = _wrong(form)
    if not wrong:
        try:
            await add_hook(request, _wanted(form))
        except Conflict:
            return await _list(request, {"url": "hooks.wrong.conflict"}, form, status=409)
        except Invalid as error:
            private = isinstance(error.__cause__, AddressRefused)
            wrong = {"url": "hooks.wrong.private" if private else "hooks.wrong.url"}
    if wrong:
        return await _list(request, wrong, form, status=400)
    return goes_on(request, here, said="hooks.said.added", name=form.get("event"))


async def show_one(request: web.Request) -> web.Response:
    """What a hook was sent, newest first, from the delivery below `before` on."""
    services, way, shown = services_of(request), page_way(request), show_of(request)
    hook, app = await find_hook(request), request.match_info["app"]
    text = request.query.get("before", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    rows = (
        await services.store.outbox.newest(app, hook.id, limit=PAGE + 1, before=int(text))
        if is_number
        else await services.store.outbox.newest(app, hook.id, limit=PAGE + 1)
    )
    here = way.page(app, "hooks", hook.id)
    return render(
        request,
        "hook.html",
        title=shown.words("hooks.deliveries_of", name=hook.event),
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(shown.words("settings.title"), way.page(app, "settings")),
            Crumb(shown.words("hooks.title"), way.page(app, "hooks")),
            Crumb(hook.event),
        ],
        section="settings",
        line=Line(hook, _address(request, hook), None),
        here=here,
        deliveries=rows[:PAGE],
        newer=here if is_number else "",
        older=f"{here}?before={rows[PAGE - 1].n}" if len(rows) > PAGE else "",
    )


async def change_one(request: web.Request) -> web.Response:
    """Send a delivery again: the field `n` is its number."""
    form = await read_form(request, "deploy")
    access, app = access_of(request), request.match_info["app"]
    hook, n = await find_hook(request), form.get("n")
    access.what, access.target = "hook.redeliver", f"{app}: {hook.id} {n[:20]}"
    await send_again(request, hook, n)
    return goes_on(
        request, page_way(request).page(app, "hooks", hook.id), said="hooks.said.again", name=n
    )


async def _list(
    request: web.Request,
    wrong: Mapping[str, str] = _NOTHING,
    typed: Form | None = None,
    *,
    status: int = 200,
) -> web.Response:
    services, way, shown = services_of(request), page_way(request), show_of(request)
    app = request.match_info["app"]
    return render(
        request,
        "hooks.html",
        title=shown.words("hooks.title"),
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(shown.words("settings.title"), way.page(app, "settings")),
            Crumb(shown.words("hooks.title")),
        ],
        section="settings",
        lines=[
            Line(
                hook, _address(request, hook), await services.store.outbox.last_tried(app, hook.id)
            )
            for hook in await services.store.hooks.of_app(app)
        ],
        events=EVENTS,
        formats=FORMATS,
        wrong=wrong,
        typed=typed,
        status=status,
    )


def _address(request: web.Request, hook: Hook) -> str:
    return address(hook.url, whole=principal_of(request).may("deploy"))


def _wanted(form: Form) -> Wanted:
    """The hook that a form asks for; a format that isn't known is Kudu's."""
    chosen = form.get("format")
    return Wanted(
        url=form.get("url"),
        event=form.get("event"),
        insecure_ssl=form.has("insecure"),
        format="cloudevents"
        if chosen == "cloudevents"
        else "slack"
        if chosen == "slack"
        else "kudu",
        secret=form.get("secret") or None,
    )


def _wrong(form: Form) -> dict[str, str]:
    """What can't be, by field, as keys of the catalogue."""
    wrong: dict[str, str] = {}
    wanted = _wanted(form)
    try:
        check_event(wanted.event)
    except Invalid:
        wrong["event"] = "hooks.wrong.event"
    try:
        check_wanted(Wanted(url=wanted.url, event=EVENTS[0]), wanted.url)
    except Invalid:
        wrong["url"] = "hooks.wrong.url"
    try:
        check_wanted(Wanted(url="https://a/", event=EVENTS[0], secret=wanted.secret), "https://a/")
    except Invalid:
        wrong["secret"] = "hooks.wrong.secret"  # noqa: S105
    return wrong


_DONE = {303: Answer("Done; the page again.", media=(), headers=("Location",))}
_REFUSED = {
    400: Answer("The page with what is wrong.", str, (HTML,)),
    409: Answer("There is one of that address.", str, (HTML,)),
}
_ALL = "/ui/{app}/hooks"
_ONE = f"{_ALL}/{{id}}"
ROUTES = (
    Route(
        method="GET",
        path=_ALL,
        handler=show,
        operation="page.hooks",
        scope="page",
        summary="Who is told of what happens to an app.",
        tag="pages",
        answers=page("The page."),
    ),
    Route(
        method="POST",
        path=_ALL,
        handler=change,
        operation="page.hooks_change",
        scope="page",
        summary="Add or remove a hook.",
        tag="pages",
        answers={**_DONE, **_REFUSED},
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=show_one,
        operation="page.hook",
        scope="page",
        summary="What a hook was sent.",
        tag="pages",
        query=(Param("before", "Only deliveries numbered below this.", "integer"),),
        answers=page("The page."),
    ),
    Route(
        method="POST",
        path=_ONE,
        handler=change_one,
        operation="page.hook_change",
        scope="page",
        summary="Send a delivery again.",
        tag="pages",
        answers=_DONE,
    ),
)
