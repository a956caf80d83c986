"""The logs that handlers send: of a job, a run, a deployment, of all that happens to an app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from aiohttp import web

from gitdeploy import store
from gitdeploy.clock import rfc3339
from gitdeploy.deploy import END
from gitdeploy.errors import Invalid
from gitdeploy.events import Entry
from gitdeploy.home import Kind
from gitdeploy.jobs import kudu_status
from gitdeploy.logs import (
    kudu_line,
    read_execution_blocks,
    remote_lines,
    select_execution,
    select_job,
)
from gitdeploy.logs.cursor import parse_execution, parse_job
from gitdeploy.store import Execution
from gitdeploy.store.deployments import ENDED
from gitdeploy.web.entries import from_journal
from gitdeploy.web.iterators import close, following
from gitdeploy.web.output import from_output
from gitdeploy.web.requests import accepts, flag, integer
from gitdeploy.web.route import STREAM
from gitdeploy.web.selection import TAIL_MOST, selection
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import Format, Item, Streamed, negotiate, resume_id, stream

CLOSING = web.AppKey("closing", asyncio.Event)
T = TypeVar("T")
Batches = AsyncIterator[Sequence[Streamed]]


def wants_stream(request: web.Request) -> bool:
    """Whether a path that also answers JSON was asked for a stream."""
    return flag(request, "follow") or any(accepts(request, media) for media in STREAM)


async def follow_job(
    request: web.Request,
    app: str,
    kind: Kind,
    job: str,
    *,
    form: Format | None = None,
    tail: int | None = None,
) -> web.StreamResponse:
    """The output of all executions of a job, one after the other."""
    services = services_of(request)
    form = form or negotiate(request)
    after = _after(request)
    parse_job(after)
    blocks = select_job(
        services.watcher,
        services.home.app(app).executions(kind, job),
        selection(request, services.clock.now(), tail=tail),
        after=after,
        follow=flag(request, "follow"),
    )
    bound = {"app": app, "kind": kind, "job": job, "instance": services.instance}
    return await send(request, from_output(blocks, **bound), form=form)


async def follow_run(
    request: web.Request,
    execution: Execution,
    *,
    form: Format | None = None,
    tail: int | None = None,
) -> web.StreamResponse:
    """The output of one run; with `follow` until it has ended."""
    services = services_of(request)
    form = form or negotiate(request)
    after = _after(request)
    parse_execution(after)
    selected = selection(request, services.clock.now(), tail=tail)
    directory = services.home.app(execution.app).execution(
        execution.kind, execution.job, execution.id
    )
    if not directory.is_dir():  # it never started
        return await send(request, _nothing(), form=form)
    blocks = select_execution(
        services.watcher, directory, selected, after=after, follow=flag(request, "follow")
    )
    return await send(request, from_output(blocks, **_bound(execution)), form=form)


async def run_to_end(
    request: web.Request, execution: Execution, location: str, form: Format
) -> web.StreamResponse:
    """A run's output from its first line on, then a record with its status and exit code."""
    services = services_of(request)

    async def items() -> Batches:
        directory = services.home.app(execution.app).execution(
            execution.kind, execution.job, execution.id
        )
        blocks = read_execution_blocks(services.watcher, directory, follow=True)
        output = from_output(blocks, **_bound(execution))
        try:
            async for batch in output:
                yield batch
        finally:
            await close(output)
        yield [_end(await services.supervisor.wait_ended(execution))]

    return await send(request, items(), form=form, headers={"Location": location})


async def follow_deployment(
    request: web.Request, row: store.Deployment, *, form: Format | None = None
) -> web.StreamResponse:
    """A deployment's records, all attempts; with `follow` until the newest has ended.

    A fetch whose commit wasn't known ends where it goes on as that commit's deployment.
    """
    journal = services_of(request).events.deployment_journal(row.app, row.id)
    follow = flag(request, "follow") and row.status not in ENDED

    def is_end(record: dict[str, Any]) -> bool:
        ended = record["event"] in END or record["event"] == "fetch.moved"
        return ended and record.get("attempt") == row.attempt

    entries = journal.read(_after_number(request) or 0, follow=follow, until=is_end)
    return await send(request, from_journal(entries, text=remote_lines), form=form)


async def follow_app(request: web.Request) -> web.StreamResponse:
    """All that happens to an app, from now on; with `tail` or `after` also what was before.

    With `follow=false` what there is, from the beginning.
    """
    services, app = services_of(request), request.match_info["app"]
    journal = services.events.app_journal(app)
    follow = flag(request, "follow", True)
    tail = integer(request, "tail", highest=TAIL_MOST)
    start = _after_number(request)
    head: list[Entry] = []
    if start is None:
        start = journal.end if follow or tail is not None else 0
        head = journal.tail(tail) if tail else []

    async def entries() -> AsyncIterator[Entry]:
        for entry in head:
            yield entry
        rest = journal.read(start, follow=follow)
        try:
            async for entry in rest:
                yield entry
        finally:
            await close(rest)

    return await send(request, from_journal(entries()))


async def send(
    request: web.Request,
    batches: Batches,
    *,
    form: Format | None = None,
    headers: dict[str, str] | None = None,
) -> web.StreamResponse:
    """Stream the items; a follower ends in good order when the server stops."""
    form = form or negotiate(request)
    return await stream(request, until(request.app[CLOSING], batches), form=form, headers=headers)


async def until(closing: asyncio.Event, source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The source's elements until it ends or `closing` is set; closes it."""
    stopped = asyncio.ensure_future(closing.wait())
    pending: asyncio.Future[T] | None = None
    try:
        while not closing.is_set():
            pending = asyncio.ensure_future(following(source))
            await asyncio.wait({pending, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not pending.done():
                return
            try:
                element = pending.result()
            except StopAsyncIteration:
                return
            yield element
    finally:
        stopped.cancel()
        if pending is not None and not pending.done():
            pending.cancel()
            await asyncio.wait({pending})
        await close(source)


def _end(ended: Execution) -> Item:
    status = kudu_status(ended.status)
    ended_at = ended.ended_at or ended.created_at
    began = ended.started_at or ended.created_at
    record = {
        "ts": rfc3339(ended_at),
        "level": "info" if ended.status == "success" else "error",
        "event": "run.ended",
        **_bound(ended),
        "run": ended.id,
        "status": status,
        "exit_code": ended.exit_code,
        "duration_ms": (ended_at - began) // 1000,
        "error": ended.error,
    }
    what = f"Status changed to {status}, exit code {ended.exit_code}"
    level = "SYS INFO" if ended.status == "success" else "SYS ERR"
    text = kudu_line(ended_at, ended.instance, level, what)
    return Item("end", record, f"{text}\n".encode())


def _bound(execution: Execution) -> dict[str, Any]:
    return {
        "app": execution.app,
        "kind": execution.kind,
        "job": execution.job,
        "deployment": execution.deployment,
        "instance": execution.instance,
    }


def _after(request: web.Request) -> str | None:
    return resume_id(request) or request.query.get("after")


def _after_number(request: web.Request) -> int | None:
    """The journal's id to go on behind. Raises Invalid."""
    after = _after(request)
    if after is None:
        return None
    if not (after.isascii() and after.isdigit()) or len(after) > 18:
        raise Invalid(f"The id {after[:60]!r} isn't one of this stream.", "Send one it has given.")
    return int(after)


async def _nothing() -> Batches:
    nothing: tuple[list[Item], ...] = ()
    for batch in nothing:
        yield batch
