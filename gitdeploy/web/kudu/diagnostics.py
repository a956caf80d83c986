"""`/api/diagnostics/settings`: JSON values that clients keep here; they steer nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import access_of
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.settings import check_key
from gitdeploy.web.requests import decode_json, read_json
from gitdeploy.web.route import NO_CONTENT, Answer, Body, Route
from gitdeploy.web.services import services_of

# Kudu's required settings are always there; deleting one leaves the default.
_SWITCHES = ("AzureDriveEnabled", "AzureTableEnabled", "AzureBlobEnabled")
_LEVELS = ("AzureDriveTraceLevel", "AzureTableTraceLevel", "AzureBlobTraceLevel")
_TRACE = ("Critical", "Error", "Warning", "Information", "Verbose", "Start", "Stop", "Suspend",
          "Resume", "Transfer")  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    name: default
    for switch, level in zip(_SWITCHES, _LEVELS, strict=True)
    for name, default in ((switch, False), (level, "Error"))
}
_VALUE_LIMIT = 32_768


async def show(request: web.Request) -> web.Response:
    return as_json(await _settings(request))


async def show_one(request: web.Request) -> web.Response:
    key, settings = request.match_info["key"], await _settings(request)
    if settings.get(key) is None:
        raise NotFound(
            f"There is no diagnostics setting {key[:100]!r}.", "POST an object with it first."
        )
    return as_json(settings[key])


async def merge(request: web.Request) -> web.Response:
    """Set the keys of an object; all of it, or nothing where one is refused."""
    body = await read_json(request, Any)
    if isinstance(body, str):  # an object as a JSON string, as for app settings
        body = decode_json(body.encode("utf-8", "surrogatepass"), Any)
    if not isinstance(body, dict):
        raise Invalid("The body isn't a JSON object.", 'Send {"NAME": VALUE}.')
    changes = {key: _checked(key, value) for key, value in body.items()}
    app = request.match_info["app"]
    access_of(request).target = f"{app}: {', '.join(sorted(changes))[:500]}"
    await services_of(request).store.diagnostics.merge(app, changes)
    return no_content()


async def remove_one(request: web.Request) -> web.Response:
    app, key = request.match_info["app"], request.match_info["key"]
    await services_of(request).store.diagnostics.delete(app, key)
    return no_content()


async def _settings(request: web.Request) -> dict[str, Any]:
    own = await services_of(request).store.diagnostics.all(request.match_info["app"])
    return {**_DEFAULTS, **own}


def _checked(key: str, value: Any) -> Any:
    """A value in its key's type. Raises Invalid naming the key."""
    check_key(key)
    if len(msgspec.json.encode(value)) > _VALUE_LIMIT:
        raise Invalid(f"The value of {key} has over {_VALUE_LIMIT} bytes.", "Keep less.")
    if key in _SWITCHES:
        text = value.lower() if isinstance(value, str) else value
        if text not in (True, False, "true", "false"):
            raise Invalid(f"{key} isn't a boolean.", "Send true or false.")
        return text in (True, "true")
    if key in _LEVELS:
        fitting = [name for name in _TRACE if str(value).lower() == name.lower()]
        if not fitting:
            raise Invalid(f"{key} isn't a trace level.", f"Send one of: {', '.join(_TRACE)}.")
        return fitting[0]
    return value


_ALL, _ONE = "diagnostics/settings", "diagnostics/settings/{key}"
ROUTES = (
    Route(
        method="GET",
        path=f"{API}/{_ALL}",
        aliases=spellings(_ALL),
        handler=show,
        operation="diagnostics.list",
        scope="read",
        summary="What clients keep of this app under Kudu's diagnostics settings.",
        tag="diagnostics",
        answers={200: Answer("JSON values by name.", dict[str, Any])},
    ),
    Route(
        method="POST",
        path=f"{API}/{_ALL}",
        aliases=spellings(_ALL),
        handler=merge,
        operation="diagnostics.merge",
        scope="deploy",
        summary="Set some of them.",
        tag="diagnostics",
        body=Body(dict[str, Any]),
        answers={204: NO_CONTENT},
    ),
    Route(
        method="GET",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=show_one,
        operation="diagnostics.get",
        scope="read",
        summary="One of them.",
        tag="diagnostics",
        answers={200: Answer("Its value.", Any)},
    ),
    Route(
        method="DELETE",
        path=f"{API}/{_ONE}",
        aliases=spellings(_ONE),
        handler=remove_one,
        operation="diagnostics.delete",
        scope="deploy",
        summary="Remove one; what Kudu always has goes back to its default.",
        tag="diagnostics",
        answers={204: NO_CONTENT},
    ),
)
