"""Deployments that were made elsewhere and are only written down here."""

from __future__ import annotations

import re

from aiohttp import web

from gitdeploy import store
from gitdeploy.errors import Conflict, Invalid
from gitdeploy.store.deployments import DeploymentStatus
from gitdeploy.web.answers import as_json
from gitdeploy.web.auth import principal_of
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu import shapes
from gitdeploy.web.kudu.deployment_view import deployment
from gitdeploy.web.services import services_of

_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_RECORDED: dict[int, DeploymentStatus] = {shapes.FAILED: "failed", shapes.SUCCESS: "success"}


async def record(request: web.Request, wanted: shapes.Deploy) -> web.Response:
    """Raises Invalid, and Conflict where a deployment of ours has the id."""
    services, app = services_of(request), request.match_info["app"]
    deployment_id = request.match_info["id"]
    status = _RECORDED.get(wanted.status or 0)
    if status is None:
        raise Invalid(
            f"status: {wanted.status} can't be recorded.", "Send 3 (failed) or 4 (success)."
        )
    if not _ID.fullmatch(deployment_id) or deployment_id.lower() in ("latest", ".", ".."):
        raise Invalid(
            f"{deployment_id[:100]!r} can't be a deployment's id.",
            "Use 1 to 100 letters, digits, dots, hyphens and underscores.",
        )
    known = await services.store.deployments.get(app, deployment_id)
    if known is not None and known.trigger != "recorded":
        raise Conflict(f"Deployment {deployment_id} was made here.", "Record it under another id.")
    now = services.clock.now()
    row = store.Deployment(
        app=app,
        id=deployment_id,
        attempt=1,
        status=status,
        received_at=now,
        started_at=now,
        ended_at=now,
        last_success_at=now if status == "success" else None,
        instance=services.instance,
        trigger="recorded",
        author=wanted.author or "",
        author_email=wanted.author_email or "",
        deployer=wanted.deployer or principal_of(request).who,
        message=wanted.message or "",
        log_from=services.events.deployment_journal(app, deployment_id).end,
    )

    async def write_down() -> store.Deployment:
        recorded = await services.store.deployments.begin(row)
        log = services.events.deployment_log(app, deployment_id, recorded.attempt)
        log.info("deployment.recorded", status=status, deployer=row.deployer)
        services.events.release_deployment_journal(app, deployment_id)
        return recorded

    way = way_in(request, services.options.scm_domain)
    return as_json(deployment(await services.background.complete(write_down()), way))
