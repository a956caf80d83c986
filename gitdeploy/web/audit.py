"""Every write of a known caller becomes an entry of the audit log, with its result."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.store import AuditEntry
from gitdeploy.web.auth import access_of
from gitdeploy.web.errors import phrase
from gitdeploy.web.forwarded import client_address
from gitdeploy.web.route import Route
from gitdeploy.web.services import services_of


async def record_write(request: web.Request, route: Route, status: int) -> None:
    """Append the entry; it is on the disk before the client has its answer.

    Refused tries of a caller whose token was good are recorded too. A stranger's aren't: they
    would fill the disk; the server's log has them as `login.failed`. A handler that streams calls
    this itself once its write is done; later calls do nothing then.
    """
    access = access_of(request)
    if access.principal is None or access.recorded:
        return
    access.recorded = True
    services = services_of(request)
    await services.store.audit.add(
        AuditEntry(
            at=services.clock.now(),
            who=access.principal.who,
            what=access.what or route.operation,
            target=access.target or "/".join(request.match_info.values()) or "server",
            address=client_address(request),
            result=access.result or f"{status} {phrase(status)}",
        )
    )
