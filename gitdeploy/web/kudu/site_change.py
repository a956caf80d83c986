"""A change of an app's site: a deployment of its own, and the answer once it is live."""

from __future__ import annotations

import errno

from aiohttp import web

from gitdeploy import store
from gitdeploy.deploy.attempt import CRASHED, STOPPED, cancelled_by
from gitdeploy.deploy.deployer import Trigger, refuse_locked
from gitdeploy.deploy.source import Source
from gitdeploy.errors import Conflict, GitdeployError, Invalid, Unavailable
from gitdeploy.web.auth import app_of, principal_of
from gitdeploy.web.errors import status_of
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.services import services_of

_CANCELLED = cancelled_by("").what.removesuffix(".")


def check_unlocked(request: web.Request, *, wait_turn: bool) -> None:
    """Raises Conflict before a body is read that couldn't be deployed."""
    refuse_locked(app_of(request))
    app = request.match_info["app"]
    if not wait_turn and services_of(request).deployer.busy(app):
        raise Conflict(f"{app} is being deployed.", "Ask again when that has ended.")


async def begin(
    request: web.Request,
    content: Source,
    *,
    trigger: Trigger,
    wait_turn: bool,
    message: str,
    deployer: str = "",
    author: str = "",
    author_email: str = "",
) -> store.Deployment:
    """Queue the change; `content` is closed in any case. Raises Conflict."""
    services = services_of(request)
    return await services.background.complete(
        services.deployer.deploy_content(
            request.match_info["app"],
            content,
            trigger=trigger,
            deployer=deployer or principal_of(request).who,
            author=author,
            author_email=author_email,
            message=message,
            wait_turn=wait_turn,
        )
    )


async def live(request: web.Request, row: store.Deployment) -> store.Deployment:
    """Wait until the change is in effect. Raises what kept it from that, with its address."""
    try:
        return await services_of(request).deployer.outcome(row)
    except GitdeployError as error:
        raise _told(request, row, error) from error


def _told(
    request: web.Request, row: store.Deployment, error: GitdeployError
) -> GitdeployError | OSError:
    """The failure as the sender reads it: what was sent is at fault, unless something else is."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        return cause
    told = error
    if error.what == STOPPED.what:
        told = Unavailable(error.what, "Send it again when the server is back.")
    elif error.what.startswith(_CANCELLED):
        told = Conflict(error.what, "Send it again.")
    elif status_of(error) == 500 and error.what != CRASHED.what:
        # a step's or a swap's; with the last lines of a build or a job
        tail = "".join(f"\n  {line}" for line in getattr(error, "tail", ()))
        told = Invalid(f"{error.what}{tail}", error.fix)
    way = way_in(request, services_of(request).options.scm_domain)
    told.deployment = way.api(row.app, "deployments", row.id)  # type: ignore[attr-defined]
    return told
