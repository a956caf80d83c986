"""`/api/settings`: the app settings, which jobs and builds get as environment variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import access_of
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import decode_json, read_json
from gitdeploy.web.route import NO_CONTENT, Answer, Body, Route
from gitdeploy.web.services import Services, services_of

_KEY_LIMIT = 256
_VALUE_LIMIT = 32_768  # bytes; execve(2) takes 128 KiB for one variable


async def show(request: web.Request) -> web.Response:
    app = request.match_info["app"]
    return as_json(await services_of(request).store.apps.settings(app))


async def show_one(request: web.Request) -> web.Response:
    app, key = request.match_info["app"], request.match_info["key"]
    settings = await services_of(request).store.apps.settings(app)
    if key not in settings:
        raise NotFound(f"The app {app} has no setting {key!r}.")
    return as_json(settings[key])


async def merge(request: web.Request) -> web.Response:
    """Set the keys of an object; null removes one. All of it, or nothing where one is refused."""
    app = request.match_info["app"]
    changes: dict[str, str] = {}
    remove: list[str] = []
    for key, value in settings_in(await read_json(request, Any)).items():
        check_key(key)
        if value is None:
            remove.append(key)
        else:
            changes[key] = setting_text(key, value)
    access_of(request).target = f"{app}: {', '.join(sorted((*changes, *remove)))[:500]}"
    await change_settings(services_of(request), app, changes, remove)
    return no_content()


async def remove_one(request: web.Request) -> web.Response:
    app, key = request.match_info["app"], request.match_info["key"]
    await change_settings(services_of(request), app, {}, [key])
    return no_content()


async def change_settings(
    services: Services, app: str, changes: Mapping[str, str], remove: Sequence[str]
) -> None:
    """Set and remove app settings, all or none; the jobs that use them are restarted."""

    async def change() -> None:
        await services.store.apps.merge_settings(app, changes, remove)
        services.events.app_log(app).info("settings.changed", keys=sorted((*changes, *remove)))
        await services.supervisor.refresh(app)

    await services.background.complete(change())


def settings_in(body: Any) -> dict[str, Any]:
    """The settings that a body brings. Raises Invalid.

    Kudu's clients send an object of them, that object as a JSON string, or `{"key", "value"}` for
    one, the older form.
    """
    if isinstance(body, str):
        body = decode_json(body.encode("utf-8", "surrogatepass"), Any)
    if not isinstance(body, dict):
        raise Invalid("The body isn't a JSON object.", 'Send {"NAME": "value"}.')
    if body.keys() == {"key", "value"} and isinstance(body["key"], str):
        return {body["key"]: body["value"]}
    return body


def check_key(key: str) -> None:
    """Raises Invalid where this can't name an environment variable."""
    if not key or len(key) > _KEY_LIMIT or not key.isprintable() or "=" in key:
        raise Invalid(
            f"The setting's name {key[:60]!r} is refused.",
            f"Use 1 to {_KEY_LIMIT} printable characters without '='.",
        )


def setting_text(key: str, value: Any) -> str:
    """A setting's value as text. Raises Invalid naming the key."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise Invalid(f"The setting {key} isn't text.", "Send a string, or null to remove it.")
    if "\0" in value or len(value.encode("utf-8", "surrogatepass")) > _VALUE_LIMIT:
        raise Invalid(
            f"The value of the setting {key} is refused.",
            f"Send at most {_VALUE_LIMIT} bytes without NUL.",
        )
    return value


_ONE = "settings/{key}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/settings",
        aliases=spellings("settings"),
        handler=show,
        operation="settings.list",
        scope="read",
        summary="The app settings.",
        tag="settings",
        answers={200: Answer("Values by name.", dict[str, str])},
    ),
    Route(
        method="POST",
        path=f"{API}/settings",
        aliases=spellings("settings"),
        handler=merge,
        operation="settings.merge",
        scope="deploy",
        summary="Set app settings; null removes one. Jobs that use them are restarted.",
        tag="settings",
        body=Body(dict[str, str | None]),
        answers={204: NO_CONTENT},
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show_one,
        operation="settings.get",
        scope="read",
        summary="One app setting.",
        tag="settings",
        answers={200: Answer("Its value as a JSON string.", str)},
    ),
    Route(
        method="DELETE",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=remove_one,
        operation="settings.delete",
        scope="deploy",
        summary="Remove an app setting.",
        tag="settings",
        answers={204: NO_CONTENT},
    ),
)
