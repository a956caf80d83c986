"""What the forms of `/ui/{app}/settings/` do; the field `do` says which one was sent."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.store.tokens import Scope
from gitdeploy.web.apps import change_app, check_changes, delete_app
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.kudu.settings import change_settings, check_key, setting_text
from gitdeploy.web.route import HTML, Answer, Route
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.forms import Form, goes_on, read_form, require
from gitdeploy.web.ui.once import Shown, keep_once
from gitdeploy.web.ui.render import page_way, show_of
from gitdeploy.web.ui.views.settings import SECRET, deploy_key, restarted, settings_page


class Action(NamedTuple):
    """Who may do it, what the audit log calls it, what it does."""

    scope: Scope
    what: str
    work: Callable[[web.Request, Form], Awaitable[web.Response]]


async def change(request: web.Request) -> web.Response:
    """Do what the form says; the page again with the reason where it can't be."""
    form = await read_form(request, "deploy")
    action = _ACTIONS.get(form.get("do"))
    if action is None:
        raise Invalid("This form says nothing to do.", "Load the page again.")
    access_of(request).what = action.what
    require(request, action.scope)
    return await action.work(request, form)


async def _set(request: web.Request, form: Form) -> web.Response:
    """Add a setting, or change one: an empty value is a value too."""
    key = form.get("key")
    values = form.all("value")
    value = values[0].replace("\r\n", "\n") if values else ""
    access_of(request).target = f"{request.match_info['app']}: {key[:200]}"
    try:
        check_key(key)
    except Invalid:
        return await _refused(request, form, "key")
    try:
        setting_text(key, value)
    except Invalid:
        return await _refused(request, form, "value")
    return await _apply(request, {key: value}, [], key)


async def _add(request: web.Request, form: Form) -> web.Response:
    """Add a setting, never over one that is there."""
    app, key = request.match_info["app"], form.get("key")
    if key in await services_of(request).store.apps.settings(app):
        return await _refused(request, form, "key", "settings.wrong.taken")
    return await _set(request, form)


async def _remove(request: web.Request, form: Form) -> web.Response:
    key = form.get("key")
    access_of(request).target = f"{request.match_info['app']}: {key[:200]}"
    return await _apply(request, {}, [key], key)


async def _apply(
    request: web.Request, changes: dict[str, str], remove: list[str], key: str
) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    old = await services.store.apps.settings(app)
    new = {name: value for name, value in {**old, **changes}.items() if name not in remove}
    jobs = restarted(services, app, old, new)
    await change_settings(services, app, changes, remove)
    if jobs:
        return _done(request, "settings.said.restarts", ", ".join(jobs))
    return _done(request, "settings.said.removed" if remove else "settings.said.saved", key)


async def _attributes(request: web.Request, form: Form) -> web.Response:
    changes: dict[str, Any] = {
        "branch": form.get("branch") or None,
        "locked": form.get("locked") or None,
        "strict": form.has("strict"),
        "always_on": form.has("always_on"),
        "idle_timeout": None,
    }
    wrong: dict[str, str] = {}
    idle = form.get("idle_timeout")
    try:
        changes["idle_timeout"] = float(idle) if idle else None
    except ValueError:
        wrong["idle_timeout"] = _words(request, "idle_timeout")
    for field, value in changes.items():
        try:
            check_changes({field: value})
        except Invalid:
            wrong[field] = _words(request, field)
    if wrong:
        return await settings_page(request, wrong=wrong, typed=form)
    await change_app(services_of(request), request.match_info["app"], changes)
    return _done(request, "settings.said.attributes")


async def _webhook_secret(request: web.Request, form: Form) -> web.Response:
    return await _change(request, form, {"webhook_secret": form.get("webhook_secret")})


async def _make_webhook_secret(request: web.Request, form: Form) -> web.Response:
    """Set a random secret and show it this once, for the sender to have it too."""
    app, secret = request.match_info["app"], secrets.token_urlsafe(32)
    await change_app(services_of(request), app, {"webhook_secret": secret})
    keep_once(request, Shown(SECRET, app, secret))
    return _done(request, fragment="#webhook")


async def _remove_webhook_secret(request: web.Request, form: Form) -> web.Response:
    return await _change(request, form, {"webhook_secret": None})


async def _status(request: web.Request, form: Form) -> web.Response:
    """The address, and the token where one was typed."""
    changes: dict[str, str | None] = {"status_url": form.get("status_url") or None}
    if form.get("status_token"):
        changes["status_token"] = form.get("status_token")
    return await _change(request, form, changes)


async def _remove_status(request: web.Request, form: Form) -> web.Response:
    return await _change(request, form, {"status_token": None, "status_url": None})


async def _change(request: web.Request, form: Form, changes: dict[str, str | None]) -> web.Response:
    wrong: dict[str, str] = {}
    for field, value in changes.items():
        try:
            check_changes({field: value})
        except Invalid:
            wrong[field] = _words(request, field)
    if wrong:
        return await settings_page(request, wrong=wrong, typed=form)
    await change_app(services_of(request), request.match_info["app"], dict(changes))
    return _done(request, "settings.said.attributes")


async def _make_key(request: web.Request, form: Form) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    await services.background.complete(deploy_key(services, app).ensure(f"gitdeploy-{app}"))
    services.events.app_log(app).info("sshkey.created", who=principal_of(request).who)
    return _done(request, "settings.said.key_made", fragment="#key")


async def _remove_key(request: web.Request, form: Form) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    deploy_key(services, app).forget()
    services.events.app_log(app).info("sshkey.deleted", who=principal_of(request).who)
    return _done(request, "settings.said.key_removed")


async def _delete(request: web.Request, form: Form) -> web.Response:
    """Delete the app where its name was typed."""
    app = request.match_info["app"]
    if form.get("name") != app:
        return await _refused(request, form, "name")
    await delete_app(request, app)
    return goes_on(request, page_way(request).page(), said="settings.said.deleted", name=app)


async def _refused(request: web.Request, form: Form, field: str, key: str = "") -> web.Response:
    text = show_of(request).words(key) if key else _words(request, field)
    return await settings_page(request, wrong={field: text}, typed=form)


def _words(request: web.Request, field: str) -> str:
    return show_of(request).words(f"settings.wrong.{field}")


def _done(
    request: web.Request, said: str = "", name: str = "", *, fragment: str = ""
) -> web.Response:
    address = page_way(request).page(request.match_info["app"], "settings")
    return goes_on(request, f"{address}{fragment}", said=said, name=name)


_ACTIONS = {
    "add": Action("deploy", "settings.merge", _add),
    "change": Action("deploy", "settings.merge", _set),
    "remove": Action("deploy", "settings.delete", _remove),
    "attributes": Action("admin", "app.change", _attributes),
    "webhook_secret": Action("admin", "app.change", _webhook_secret),
    "make_webhook_secret": Action("admin", "app.change", _make_webhook_secret),
    "remove_webhook_secret": Action("admin", "app.change", _remove_webhook_secret),
    "status": Action("admin", "app.change", _status),
    "remove_status": Action("admin", "app.change", _remove_status),
    "make_key": Action("admin", "sshkey.put", _make_key),
    "remove_key": Action("admin", "sshkey.delete", _remove_key),
    "delete": Action("admin", "app.delete", _delete),
}

ROUTES = (
    Route(
        method="POST",
        path="/ui/{app}/settings",
        handler=change,
        operation="page.settings_change",
        scope="page",
        summary="What the settings' forms do.",
        tag="pages",
        answers={
            303: Answer("Done; the page again.", media=(), headers=("Location",)),
            400: Answer("The page with what is wrong.", str, (HTML,)),
        },
    ),
)
