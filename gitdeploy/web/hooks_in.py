"""`POST /apps/{app}/deploy`: webhooks and scripts that say "fetch this and deploy it"."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web

from gitdeploy.deploy.deployer import refuse_locked
from gitdeploy.errors import Conflict, GitdeployError, Invalid, TooLarge
from gitdeploy.store import App
from gitdeploy.web.answers import as_json, text
from gitdeploy.web.auth import access_of
from gitdeploy.web.background import apart
from gitdeploy.web.errors import RETRY_AFTER, Unauthorized, status_of
from gitdeploy.web.fetching import FETCHER, Wanted, pending, without_credentials
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.hook_access import admitted
from gitdeploy.web.hook_choice import choose
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.kudu.shapes import Deployment
from gitdeploy.web.requests import flag
from gitdeploy.web.route import JSON, TEXT, Answer, Body, MiB, Param, Route
from gitdeploy.web.senders import (
    Change,
    Nothing,
    Push,
    Sender,
    by_headers,
    delivery_of,
    one_line,
    payload_of,
    recognise,
)
from gitdeploy.web.services import services_of

LIMIT = 25 * MiB  # GitHub's own cap for a payload
_REFUSED = (Invalid, TooLarge, Conflict, Unauthorized)


class PlainForm(msgspec.Struct, frozen=True, kw_only=True):
    """The plain form: the branch behind `#`, else the deployment branch."""

    format: str
    url: str
    scm: str = "git"


class _Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was understood."""

    sender: Sender
    id: str | None
    changes: Sequence[Change]


async def deploy(request: web.Request) -> web.Response:
    """Check who asks, decide whether there is something to deploy, fetch in the background."""
    services = services_of(request)
    try:
        app, body = await admitted(request, limit=LIMIT)
        delivery = await apart(len(body), _understood, request, body)
        principal = access_of(request).principal
        push = await choose(
            services,
            app,
            delivery.changes,
            ssh=flag(request, "ssh"),
            by_token=principal is not None and principal.kind != "webhook",
        )
        if isinstance(push, Nothing):
            return _nothing(request, app, delivery, push)
        refuse_locked(app)
        return await services.background.complete(_once(request, app, delivery, push))
    except _REFUSED as error:
        _tell_refused(request, error)
        raise


def _understood(request: web.Request, body: bytes) -> _Delivery:
    """What the request says. Raises Invalid."""
    headers = request.headers
    payload = payload_of(body, request.content_type)
    sender = recognise(headers, payload)
    return _Delivery(
        sender=sender,
        id=delivery_of(sender, headers, payload),
        changes=sender.read(headers, payload),
    )


def _nothing(request: web.Request, app: App, delivery: _Delivery, nothing: Nothing) -> web.Response:
    access_of(request).result = f"200 {nothing.reason}"
    services_of(request).events.app_log(app.name).info(
        "hook.ignored", sender=delivery.sender.name, delivery=delivery.id, reason=nothing.reason
    )
    return text(nothing.reason)


def _tell_refused(request: web.Request, error: GitdeployError) -> None:
    """The app's log has the cause; a stranger's answer doesn't tell it."""
    access, sender = access_of(request), by_headers(request.headers)
    if access.app is None:
        return
    what, fix = error.what, error.fix
    if isinstance(error, Unauthorized):
        what = "The signature or token is wrong or missing."
        fix = "Give the sender the app's webhook_secret."
        if access.app.webhook_secret is None:
            what = "The webhook comes without a token, and the app has no webhook_secret."
            fix = "Set webhook_secret, here and at the sender."
    services_of(request).events.app_log(access.app.name).warning(
        "hook.refused",
        status=status_of(error),
        sender=None if sender is None else sender.name,
        what=what,
        fix=fix,
    )


async def _once(request: web.Request, app: App, delivery: _Delivery, push: Push) -> web.Response:
    """Begin, unless this delivery was received before."""
    if delivery.id is None:
        return await _begin(request, app, delivery, push)
    services = services_of(request)
    now = services.clock.now()
    async with services.store.deliveries.taking(app.name, delivery.id, at=now) as new:
        if new:
            return await _begin(request, app, delivery, push)
    again = f"The delivery {delivery.id} was received before; nothing is done."
    return _nothing(request, app, delivery, Nothing(again))


async def _begin(request: web.Request, app: App, delivery: _Delivery, push: Push) -> web.Response:
    services, access = services_of(request), access_of(request)
    way = way_in(request, services.options.scm_domain)
    wanted = Wanted(
        url=push.url,
        branch=push.branch,
        commit=push.commit,
        deployer=_deployer(request, delivery.sender, push),
        received_at=services.clock.now(),
        author=push.author,
        author_email=push.author_email,
        message=push.message,
        pusher=push.pusher,
        sender=delivery.sender.name,
        page=way.page(app.name),
    )
    at_once = await request.app[FETCHER].submit(app.name, wanted)
    services.events.app_log(app.name).info(
        "hook.received",
        sender=delivery.sender.name,
        delivery=delivery.id,
        url=without_credentials(push.url),
        branch=push.branch,
        commit=push.commit,
        pusher=push.pusher or None,
        who=access.principal.who if access.principal else None,
        queued=not at_once,
    )
    shown = deployment(
        pending(app.name, wanted.key, wanted, services.instance), way, temporary=True
    )
    headers = {"Location": shown.url}
    if not at_once:
        # Kudu's answer while another deployment is under way; this one follows it.
        access.result = "409 Queued as the one follow-up"
        headers["Retry-After"] = str(RETRY_AFTER)
    return as_json(shown, status=202 if at_once else 409, headers=headers)


def _deployer(request: web.Request, sender: Sender, push: Push) -> str:
    """The sender's name; for a script its own, else, as in Kudu, the repository's host."""
    agent = one_line(request.headers.get("User-Agent", ""), 100)
    host = without_credentials(push.url).partition("://")[2].partition("/")[0]
    return sender.title or agent or host or "webhook"


ROUTES = (
    Route(
        method="POST",
        path="/apps/{app}/deploy",
        handler=deploy,
        operation="hook.deploy",
        scope="deploy",
        signed=True,
        summary="Fetch a branch of a repository elsewhere and deploy it: the push event of GitHub,"
        " GitLab, Gitea, Forgejo, Bitbucket or Azure DevOps (proven with the app's"
        " webhook_secret, or with a token), the plain form, or nothing for where it was"
        " fetched from last.",
        tag="deployments",
        query=(
            Param("token", "A token for this app alone, where the sender can't send headers."),
            Param("ssh", "Fetch from the ssh address that the sender gives.", "boolean"),
        ),
        body=Body(PlainForm, (JSON, "application/x-www-form-urlencoded"), required=False),
        answers={
            200: Answer("There was nothing to deploy, and why.", str, (TEXT,)),
            202: Answer("Under way; ask Location.", Deployment, headers=("Location",)),
            409: Answer(
                "Queued as the one follow-up (the newest wins), or the app is locked.", Deployment
            ),
        },
    ),
)
