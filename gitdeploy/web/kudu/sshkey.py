"""`/api/sshkey`: the deploy key by which an app's repository elsewhere is fetched over ssh."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from gitdeploy.errors import Invalid
from gitdeploy.repos.sshkey import DeployKey
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import principal_of
from gitdeploy.web.bodies import whole
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import decode_json, flag
from gitdeploy.web.route import JSON, NO_CONTENT, TEXT, Answer, Body, KiB, Param, Route
from gitdeploy.web.services import services_of

_LIMIT = 64 * KiB
_ENSURE = "ensurePublicKey"


class PrivateKey(msgspec.Struct, frozen=True, kw_only=True):
    """What PUT brings as JSON: a private key without passphrase."""

    key: str


async def show(request: web.Request) -> web.Response:
    """The public key as a JSON string; null where there is none and none is to be made."""
    key, app = _key(request), request.match_info["app"]
    if not flag(request, _ENSURE):
        return as_json(await asyncio.to_thread(key.public))
    known = await asyncio.to_thread(key.public)
    if known is not None:
        return as_json(known)
    if not principal_of(request).may("admin"):
        raise Forbidden("Making a key needs the scope admin.", "Use a token with it.")
    services = services_of(request)
    made = await services.background.complete(key.ensure(f"gitdeploy-{app}"))
    services.events.app_log(app).info("sshkey.created", who=principal_of(request).who)
    return as_json(made)


async def put(request: web.Request) -> web.Response:
    """Take over a private key, as JSON or as it is; its public half."""
    body = await whole(request, limit=_LIMIT, setting="the limit of this path")
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    try:
        private = decode_json(text, PrivateKey).key if text[:1] == b"{" else text.decode("ascii")
    except UnicodeDecodeError as error:
        raise Invalid("That isn't a private key.", "Send the file of ssh-keygen.") from error
    services, app = services_of(request), request.match_info["app"]
    public = await services.background.complete(_key(request).replace(private))
    services.events.app_log(app).info("sshkey.replaced", who=principal_of(request).who)
    return as_json(public)


async def delete(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    await asyncio.to_thread(_key(request).forget)
    services.events.app_log(app).info("sshkey.deleted", who=principal_of(request).who)
    return no_content()


def _key(request: web.Request) -> DeployKey:
    return DeployKey(services_of(request).home.app(request.match_info["app"]).ssh)


_PATH = f"{API}/sshkey"
_PUT = {200: Answer("Its public half.", str)}
ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        aliases=spellings("sshkey"),
        handler=show,
        operation="sshkey.get",
        scope="read",
        summary="The app's public deploy key; an admin may have it made.",
        tag="deployments",
        query=(Param(_ENSURE, "Make a pair where there is none.", "boolean"),),
        answers={200: Answer("A line of an authorized_keys file, or null.", str | None)},
    ),
    *(
        Route(
            method=method,
            path=_PATH,
            aliases=spellings("sshkey"),
            handler=put,
            operation=f"sshkey.{operation}",
            scope="admin",
            summary="Set the app's deploy key: a private key without passphrase.",
            tag="deployments",
            body=Body(PrivateKey, (JSON, TEXT)),
            answers=_PUT,
        )
        for method, operation in (("PUT", "put"), ("POST", "post"))
    ),
    Route(
        method="DELETE",
        path=_PATH,
        aliases=spellings("sshkey"),
        handler=delete,
        operation="sshkey.delete",
        scope="admin",
        summary="Remove the app's deploy key.",
        tag="deployments",
        answers={204: NO_CONTENT},
    ),
)
