"""git's smart HTTP: what clients ask goes to `repos`, what it answers goes out as it comes.

gitprotocol-http(5). No decisions here but HTTP's: media types, versions, limits, who is told what.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.repos import (
    Caller,
    Push,
    Repository,
    advertise,
    protocol_version,
    receive_pack,
    upload_pack,
)
from gitdeploy.repos.serve import MAX_REQUEST, Service
from gitdeploy.store import AuditEntry, StoreError
from gitdeploy.web import bodies
from gitdeploy.web.auth import access_of, app_of, principal_of
from gitdeploy.web.errors import Forbidden, TypeUnknown
from gitdeploy.web.forwarded import client_address, way_in
from gitdeploy.web.route import Answer, Param, Route
from gitdeploy.web.services import Services, check_app_name, services_of

STALL = 120.0
"""Seconds that a client may leave a full buffer unread before its connection is cut."""

_COMMANDS = 64 << 20  # beside the pack: some hundred thousand ref updates
_SERVICES: dict[str, Service] = {
    "git-upload-pack": "git-upload-pack",
    "git-receive-pack": "git-receive-pack",
}
_SOON = 0.1
_NAMED = 20
_HEADERS = {
    "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "Fri, 01 Jan 1980 00:00:00 GMT",
    "X-Accel-Buffering": "no",  # nginx would keep live lines until the end
}


def git_routes() -> list[Route]:
    """The paths below which a repository answers: ours first, then those of Kudu's clients."""

    def paths(ending: str) -> dict[str, Any]:
        return {
            "path": "/{app}.git" + ending,
            "aliases": tuple(
                base + ending
                for base in ("/apps/{app}.git", "/apps/{app}", "/apps/{app}/{name}.git")
            ),
            "tag": "git",
        }

    def result(service: Service, what: str) -> dict[int, Answer]:
        return {200: Answer(what, bytes, (f"application/x-{service}-result",))}

    return [
        Route(
            method="GET",
            **paths("/info/refs"),
            handler=info_refs,
            operation="git.refs",
            scope="read",
            query_scope=("service", "git-receive-pack", "deploy"),
            creates=True,
            summary="Tell a git client the refs.",
            query=(Param("service", "git-upload-pack to fetch, git-receive-pack to push."),),
            answers={
                200: Answer(
                    "The refs as pkt-lines.",
                    bytes,
                    tuple(f"application/x-{service}-advertisement" for service in _SERVICES),
                )
            },
        ),
        Route(
            method="POST",
            **paths("/git-upload-pack"),
            handler=upload_pack_handler,
            operation="git.fetch",
            scope="read",
            writes=False,
            summary="Answer a git client's fetch.",
            answers=result("git-upload-pack", "Refs, or a pack."),
        ),
        Route(
            method="POST",
            **paths("/git-receive-pack"),
            handler=receive_pack_handler,
            operation="git.push",
            scope="deploy",
            creates=True,
            writes=False,  # recorded here, with the refs
            summary="Take a git client's push and show its deployment.",
            answers=result("git-receive-pack", "The report, and the pipeline's lines as band 2."),
        ),
    ]


async def info_refs(request: web.Request) -> web.StreamResponse:
    """`GET …/info/refs?service=…`: the refs, in the version that the client asks for."""
    service = _SERVICES.get(request.query.get("service", ""))
    if service is None:
        raise Forbidden(
            "Only git's smart HTTP protocol is served here.", "Use git 1.6.6 or newer to clone."
        )
    pushing = service == "git-receive-pack"
    repository = _open(request, may_be_made=pushing)
    version = protocol_version(request.headers.get("Git-Protocol"))
    body = await asyncio.to_thread(advertise, repository, service, version)
    return web.Response(
        body=body, content_type=f"application/x-{service}-advertisement", headers=_HEADERS
    )


async def upload_pack_handler(request: web.Request) -> web.StreamResponse:
    """`POST …/git-upload-pack`: one round of a fetch."""
    _check_type(request, "git-upload-pack")
    repository = _open(request, may_be_made=False)
    assert repository is not None
    body = bodies.pieces(request, limit=MAX_REQUEST, setting="git's own http.maxRequestBuffer")
    answer = _Answer(request, "git-upload-pack")
    version = protocol_version(request.headers.get("Git-Protocol"))
    async with aclosing(body):
        await upload_pack(repository, body, answer.send, version=version)
    return await answer.end()


async def receive_pack_handler(request: web.Request) -> web.StreamResponse:
    """`POST …/git-receive-pack`: a push; the deployment's lines come while it runs.

    A client that leaves in the middle of the body leaves nothing behind; one that leaves when
    refs have moved doesn't stop the deployment.
    """
    _check_type(request, "git-receive-pack")
    services, app = services_of(request), request.match_info["app"]
    way = way_in(request, services.options.scm_domain)
    repository = _open(request, may_be_made=True)
    if repository is None:
        await services.background.complete(services.create_app(app))
        repository = services.repositories.open(app)
    whole = False

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal whole
        limit = services.options.max_push_size + _COMMANDS
        async for piece in bodies.pieces(request, limit=limit, setting="max_push_size"):
            yield piece
        whole = True

    body = pieces()
    answer = _Answer(request, "git-receive-pack")
    record = _Record(services, app, principal_of(request).who, client_address(request))

    async def post_receive(push: Push) -> AsyncIterator[str]:
        lines = services.deployer.post_receive(push)
        begun = asyncio.Event()
        noted = asyncio.create_task(record.moved(push, behind=begun))
        try:
            async for line in lines:
                begun.set()
                yield line
        finally:
            if isinstance(lines, AsyncGenerator):
                await lines.aclose()
            services.upkeep.consider(app)
            begun.set()
            await noted

    try:
        async with aclosing(body):
            push = await receive_pack(
                repository,
                body,
                answer.send,
                caller=Caller(who=record.who, address=record.address, base_url=way.base),
                version=protocol_version(request.headers.get("Git-Protocol")),
                post_receive=post_receive,
            )
        if push is None and answer.begun:
            await record.add("refused")
    except BaseException:
        if not whole:  # else the push goes on without its client, and is recorded when it moves
            services.background.start(record.add("broken off"))
        raise
    return await answer.end()


class _Answer:
    """A streamed answer that begins with its first piece, so that a refusal before can be HTTP's."""

    def __init__(self, request: web.Request, service: Service) -> None:
        self._request = request
        self._response = web.StreamResponse(headers=_HEADERS)
        self._response.content_type = f"application/x-{service}-result"

    @property
    def begun(self) -> bool:
        return self._response.prepared

    async def send(self, piece: bytes) -> None:
        """Write at once. Raises ConnectionError where the client left or reads no more."""
        try:
            async with asyncio.timeout(STALL):
                if not self.begun:
                    await self._response.prepare(self._request)
                await self._response.write(piece)
        except TimeoutError as error:
            raise ConnectionAbortedError("The client reads no more.") from error

    async def end(self) -> web.StreamResponse:
        if not self.begun:
            await self._response.prepare(self._request)
        await self._response.write_eof()
        return self._response


class _Record:
    """A push's entry in the audit log."""

    def __init__(self, services: Services, app: str, who: str, address: str) -> None:
        self.who = who
        self.address = address
        self.written = False
        self._services = services
        self._app = app

    async def moved(self, push: Push, *, behind: asyncio.Event) -> None:
        """Write down which refs moved, behind the deployment's own row, or soon.

        The deployment would else wait for this one's way to the disk.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(behind.wait(), _SOON)
        named = [f"{u.ref} {u.old[:12]}..{u.new[:12]}" for u in push.updates[:_NAMED]]
        more = len(push.updates) - len(named)
        await self.add(", ".join(named) + (f" and {more} more" if more else ""))

    async def add(self, result: str) -> None:
        """Told in the server's log where the store can't take it: what it tells of has happened."""
        self.written = True
        entry = AuditEntry(
            at=self._services.clock.now(),
            who=self.who,
            what="git.push",
            target=self._app,
            address=self.address,
            result=result,
        )
        try:
            await self._services.store.audit.add(entry)
        except StoreError as error:
            fields = msgspec.structs.asdict(entry)
            self._services.events.log.error("audit.lost", reason=error.what, **fields)


def _open(request: web.Request, *, may_be_made: bool) -> Repository | None:
    """The app's repository; None for one that an admin's push is to create. Raises NotFound."""
    services = services_of(request)
    if access_of(request).app is not None:
        return services.repositories.open(app_of(request).name)
    if not may_be_made:
        app_of(request)  # raises
    name = request.match_info["app"]
    if not services.options.create_on_push:
        raise NotFound(
            f"There is no app {name!r} that you may know of.",
            "Create it with PUT /api/apps/{app}; create_on_push is false.",
        )
    check_app_name(name)
    return None


def _check_type(request: web.Request, service: Service) -> None:
    wanted = f"application/x-{service}-request"
    if request.content_type != wanted:
        raise TypeUnknown(f"A {request.content_type} isn't git's request.", f"Send {wanted}.")
    bodies.check_coding(request)
