"""`/api/processes`: the processes of an app's jobs, in Kudu's form; id 0 (or `-`) is this server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.sandbox import Details, details, end_below
from gitdeploy.sandbox.procfs import stat
from gitdeploy.supervise import JobProcess
from gitdeploy.web.answers import as_json, no_content
from gitdeploy.web.auth import access_of, principal_of
from gitdeploy.web.errors import Forbidden
from gitdeploy.web.forwarded import way_in
from gitdeploy.web.kudu.absent import UNSUPPORTED, unsupported
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.process_view import Process, brief, full, job_of, server
from gitdeploy.web.route import NO_CONTENT, Answer, Route, RouteScope
from gitdeploy.web.services import services_of


async def every(request: web.Request) -> web.Response:
    """By name, as Kudu lists them."""
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    found = [brief(each, way) for each in await services.supervisor.processes(app)]
    return as_json(sorted(found, key=lambda each: (each.name.lower(), each.id)))


async def show(request: web.Request) -> web.Response:
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    pid, now = _pid(request), services.clock.now()
    if pid == os.getpid():
        return as_json(server(await _itself(), app, services.instance, way, now))
    there = await services.supervisor.processes(app)
    one = _find(request, there, pid)
    line = services.events.redactor.text(one.details.command_line)
    return as_json(full(one, there, way, line=line, now=now))


async def end(request: web.Request) -> web.Response:
    """End a process and all below it; what the job does then is as if it had crashed."""
    services, app = services_of(request), request.match_info["app"]
    pid = _pid(request)
    if pid == os.getpid():
        raise Forbidden(
            "That is the server itself; it isn't ended through an app.", "Stop it where it runs."
        )
    await end_process(request, _find(request, await services.supervisor.processes(app), pid))
    return no_content()


async def end_process(request: web.Request, one: JobProcess) -> None:
    """End it and all below it, told to the app's log and to the audit."""
    services, app = services_of(request), one.execution.app
    told, execution = one.details, one.execution
    access_of(request).target = f"{app}: {told.pid} ({told.name}) of {job_of(one)}"
    services.events.app_log(app).info(
        "process.killed",
        kind=execution.kind,
        job=execution.job,
        pid=told.pid,
        name=told.name,
        who=principal_of(request).who,
    )
    await services.background.complete(end_below(told.pid, told.start))


async def _itself() -> Details:
    found = stat(os.getpid())
    told = None if found is None else await asyncio.to_thread(details, found.pid, found.start)
    assert told is not None, "it is running this"
    return told


def _pid(request: web.Request) -> int:
    """The process that the path names. Raises NotFound where that can't be one."""
    text = request.match_info["id"]
    if text in ("0", "-"):
        return os.getpid()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _unknown(request)
    return int(text)


def _find(request: web.Request, there: list[JobProcess], pid: int) -> JobProcess:
    """One of the app's own. Raises NotFound for every other number."""
    for each in there:
        if each.details.pid == pid:
            return each
    raise _unknown(request)


def _unknown(request: web.Request) -> NotFound:
    app, text = request.match_info["app"], request.match_info["id"]
    return NotFound(
        f"No job of {app} has a process {text[:40]!r}.", "GET api/processes lists those there are."
    )


def _paths(rest: str = "") -> tuple[str, ...]:
    """The path and its other spellings: Kudu has them below `diagnostics` too."""
    older = f"diagnostics/processes{rest}"
    first = f"{API}/processes{rest}"
    return (first, *spellings(f"processes{rest}"), f"{API}/{older}", *spellings(older))


_DUMPS = (
    "Dumps and profiles aren't taken here.",
    "Let the job write its own, to WEBJOBS_DATA_PATH, and fetch that with GET api/vfs/data/jobs/.",
)
_MODULES = (
    "What is inside a process isn't told here.",
    "GET api/processes/{id} has its threads' number, its memory and its CPU time.",
)


def _refused() -> Iterator[Route]:
    dumps = (("GET", "dump"), ("POST", "profile/start"), ("GET", "profile/stop"))
    inside = ("threads", "threads/{entry}", "modules", "modules/{entry}", "environments/{entry}")
    for method, rest in (*dumps, *(("GET", each) for each in inside)):
        scope: RouteScope = "read" if method == "GET" else "deploy"
        first, *others = _paths(f"/{{id}}/{rest}")
        name = rest.replace("/", "_").translate({ord("{"): None, ord("}"): None})
        yield Route(
            method=method,
            path=first,
            aliases=tuple(others),
            handler=unsupported(*(_DUMPS if (method, rest) in dumps else _MODULES)),
            operation=f"process.{name}",
            scope=scope,
            summary="Not supported.",
            tag="diagnostics",
            answers=UNSUPPORTED,
            writes=False,
        )


def _route(method: str, rest: str, operation: str, summary: str, **more: Any) -> Route:
    first, *others = _paths(rest)
    return Route(
        method=method,
        path=first,
        aliases=tuple(others),
        operation=operation,
        summary=summary,
        tag="diagnostics",
        **more,
    )


ROUTES = (
    _route(
        "GET",
        "",
        "process.list",
        "The processes that the app's jobs have now.",
        handler=every,
        scope="read",
        answers={200: Answer("By name.", list[Process])},
    ),
    _route(
        "GET",
        "/{id}",
        "process.get",
        "One of them; 0 is this server.",
        handler=show,
        scope="read",
        answers={200: Answer("What it is and has used.", Process)},
    ),
    *(
        _route(
            method,
            rest,
            operation,
            "End one of them and all below it.",
            handler=end,
            scope="deploy",
            answers={204: NO_CONTENT},
        )
        for method, rest, operation in (
            ("DELETE", "/{id}", "process.kill"),
            ("POST", "/{id}/stop", "process.stop"),
        )
    ),
    *_refused(),
)
