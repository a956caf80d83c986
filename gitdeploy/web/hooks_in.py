"""`POST /apps/{app}/deploy`: webhooks and scripts that say "fetch this and deploy it"."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from gitdeploy.deploy.branch import DEFAULT, HEADS, configured_branch
from gitdeploy.deploy.deployer import refuse_locked
from gitdeploy.errors import Invalid
from gitdeploy.repos.location import FetchError, parse_url
from gitdeploy.store import App
from gitdeploy.web.answers import as_json, text
from gitdeploy.web.auth import access_of, check_throttle, count_failure
from gitdeploy.web.bodies import whole
from gitdeploy.web.errors import RETRY_AFTER, Unauthorized
from gitdeploy.web.fetching import FETCHER, Wanted, pending, without_credentials
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.github import Nothing, Push, as_text, read_payload, signed
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.kudu.shapes import Deployment
from gitdeploy.web.principal import IMPLIED, Principal
from gitdeploy.web.route import JSON, TEXT, Answer, Body, MiB, Route
from gitdeploy.web.services import services_of

LIMIT = 25 * MiB  # GitHub's own cap for a payload
_SIGNATURE = "X-Hub-Signature-256"


class PlainForm(msgspec.Struct, frozen=True, kw_only=True):
    """The plain form: the branch behind `#`, else the deployment branch."""

    format: str
    url: str


async def deploy(request: web.Request) -> web.Response:
    """Check who asks, decide whether there is something to deploy, fetch in the background."""
    access = access_of(request)
    app, body = await _authenticated(request, access.app)
    push = read_payload(body, request.content_type, request.headers.get("X-GitHub-Event"))
    if isinstance(push, Push):
        push = await _decide(request, app, push)
    if isinstance(push, Nothing):
        access.result = f"200 {push.reason}"
        return text(push.reason)
    refuse_locked(app)
    return await _begin(request, app, push)


async def _authenticated(request: web.Request, app: App | None) -> tuple[App, bytes]:
    """The app and the raw body, of a caller with a deploy token or a good signature.

    A stranger learns nothing: an unknown app, a missing and a wrong signature answer alike. A
    signature that comes with a token must be right too.
    """
    access = access_of(request)
    signatures = request.headers.getall(_SIGNATURE, [])
    if access.principal is None:
        check_throttle(request)
        if not signatures:
            count_failure(request)
            raise Unauthorized
    body = await whole(request, limit=LIMIT, setting="the limit of webhooks")
    secret = app.webhook_secret if app is not None else None
    # Without a secret there is nothing to compare with; the work is done all the same.
    good = signed(body, secret or "no secret", signatures) and secret is not None
    if signatures and not good and (secret is not None or access.principal is None):
        count_failure(request)
        raise Unauthorized
    if app is None:
        raise Unauthorized
    if access.principal is None:
        access.app = app
        access.principal = Principal(
            who="webhook",
            scopes=IMPLIED["deploy"],
            apps=frozenset({app.name}),
            kind="webhook",
        )
    return app, body


async def _decide(request: web.Request, app: App, push: Push) -> Push | Nothing:
    """Hold the branch against the app's deployment branch."""
    services = services_of(request)
    try:
        parse_url(push.url)
    except FetchError as error:
        raise Invalid(error.what, error.fix) from error
    settings = await services.store.apps.settings(app.name)
    configured = configured_branch(app.branch, settings)
    if push.branch is None:
        return msgspec.structs.replace(push, branch=configured)
    if configured is None and not push.explicit:
        refs = await asyncio.to_thread(services.repositories.open(app.name).refs)
        # The very first branch becomes the deployment branch, whatever its name.
        configured = DEFAULT if any(ref.startswith(HEADS) for ref in refs) else push.branch
    if configured is not None and push.branch != configured:
        return Nothing(
            f"{as_text(push.branch)} isn't the deployment branch ({configured});"
            " nothing is deployed."
        )
    return push


async def _begin(request: web.Request, app: App, push: Push) -> web.Response:
    services, access = services_of(request), access_of(request)
    delivery = request.headers.get("X-GitHub-Delivery")
    now = services.clock.now()
    if delivery is not None and await services.store.deliveries.seen(
        app.name, as_text(delivery), at=now
    ):
        return text(f"The delivery {as_text(delivery)} was received before; nothing is done.")
    agent = request.headers.get("User-Agent", "")
    by = "GitHub" if "X-GitHub-Event" in request.headers else as_text(agent) or "webhook"
    wanted = Wanted(
        url=push.url, branch=push.branch, commit=push.commit, deployer=by, received_at=now
    )
    at_once = await services.background.complete(request.app[FETCHER].submit(app.name, wanted))
    if delivery is not None:  # behind the fetch, so that what failed may be delivered again
        await services.store.deliveries.first(app.name, as_text(delivery), at=now)
    services.events.app_log(app.name).info(
        "hook.received",
        url=without_credentials(push.url),
        branch=push.branch,
        commit=push.commit,
        who=access.principal.who if access.principal else None,
        queued=not at_once,
    )
    way = way_in(request, services.options.scm_domain)
    shown = deployment(
        pending(app.name, push.commit or "latest", wanted, services.instance), way, temporary=True
    )
    headers = {"Location": shown.url}
    if not at_once:
        # Kudu's answer while another deployment is under way; this one follows it.
        access.result = "409 Queued as the one follow-up"
        headers["Retry-After"] = str(RETRY_AFTER)
    return as_json(shown, status=202 if at_once else 409, headers=headers)


ROUTES = (
    Route(
        method="POST",
        path="/apps/{app}/deploy",
        handler=deploy,
        operation="hook.deploy",
        scope="deploy",
        signed=True,
        summary="Fetch a branch of a repository elsewhere and deploy it: GitHub's push event"
        " (signed with the app's webhook_secret, or with a token), or the plain form.",
        tag="deployments",
        body=Body(PlainForm, (JSON, "application/x-www-form-urlencoded")),
        answers={
            200: Answer("There was nothing to deploy, and why.", str, (TEXT,)),
            202: Answer("Under way; ask Location.", Deployment, headers=("Location",)),
            409: Answer(
                "Queued as the one follow-up (the newest wins), or the app is locked.", Deployment
            ),
        },
    ),
)
