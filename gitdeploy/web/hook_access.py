"""Who sends a webhook, and may they: a token, the app's secret, or a proof made with it."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.store import App
from gitdeploy.web.auth import access_of, check_throttle, count_failure
from gitdeploy.web.background import apart
from gitdeploy.web.bodies import whole
from gitdeploy.web.errors import Unauthorized
from gitdeploy.web.principal import webhook
from gitdeploy.web.senders import by_headers, offers_proof, proven


async def admitted(request: web.Request, *, limit: int) -> tuple[App, bytes]:
    """The app and the raw body, of a caller with a token or a good proof.

    A stranger learns nothing: an unknown app, an app without a secret, a missing and a wrong proof
    answer alike. A proof that comes with a token must be right too, where the app has a secret.
    Raises Unauthorized, TooMany, and what reading a body does.
    """
    access = access_of(request)
    app, headers = access.app, request.headers
    sender = by_headers(headers)
    offered = offers_proof(sender, headers)
    if access.principal is None:
        check_throttle(request)
        if not offered:
            count_failure(request)
            raise Unauthorized
    body = await whole(request, limit=limit, setting="the limit of webhooks")
    secret = app.webhook_secret if app is not None else None
    # Without a secret there is nothing to compare with; the work is done all the same.
    good = await apart(len(body), proven, sender, headers, body, secret or "no secret")
    good = good and secret is not None
    if offered and not good and (secret is not None or access.principal is None):
        count_failure(request)
        raise Unauthorized
    if app is None:
        raise Unauthorized
    if access.principal is None:
        access.principal = webhook(app.name)
    return app, body
