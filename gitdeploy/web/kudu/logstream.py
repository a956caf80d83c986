"""`/api/logstream` and `/api/events`: an app's output and events as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast
from urllib.parse import quote, unquote

from aiohttp import web

from gitdeploy.errors import Invalid, NotFound
from gitdeploy.home import Kind
from gitdeploy.logs import OutputLine, kudu_line, output_record, read_job
from gitdeploy.logs.cursor import parse_job
from gitdeploy.web.following import follow_app, send
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import integer
from gitdeploy.web.route import AFTER, TAIL, Param, Route, stream
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.streams import Item, resume_id

Key = tuple[Kind, str]
_QUEUE = 16  # batches of at most 2000 lines; readers wait on their own place on the disk
_TAIL_MOST = 10_000
_LOOK = ("deploy.succeeded", "run.started", "job.started")
_LEVEL = {"stdout": "INFO", "stderr": "ERR"}


async def events(request: web.Request) -> web.StreamResponse:
    return await follow_app(request)


async def logstream(request: web.Request) -> web.StreamResponse:
    """The output of an app's jobs from now on, Kudu's lines in the text form."""
    app = request.match_info["app"]
    path = request.match_info.get("path", "").strip("/")
    only = _selected(path)
    cursors = parse_id(resume_id(request) or request.query.get("after"))
    tail = integer(request, "tail", highest=_TAIL_MOST)
    merged = _Merged(services_of(request), app, only, cursors, 0 if tail is None else tail)
    return await send(request, merged.items())


class _Merged:
    """One reader a job, their batches in the order in which they come."""

    def __init__(
        self, services: Services, app: str, only: Key | None, cursors: dict[Key, str], tail: int
    ) -> None:
        self._services = services
        self._app = app
        self._only = only
        self._cursors = dict(cursors)
        self._tail = tail
        self._queue: asyncio.Queue[tuple[Key, list[OutputLine]]] = asyncio.Queue(_QUEUE)
        self._tasks: dict[Key | None, asyncio.Task[None]] = {}

    async def items(self) -> AsyncIterator[list[Item]]:
        self._begin_new(first=True)
        self._tasks[None] = asyncio.create_task(self._watch())
        try:
            while True:
                key, batch = await self._queue.get()
                yield [self._item(key, line) for line in batch]
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin_new(self, *, first: bool) -> None:
        """A reader for each job that has none; a job that came later is read from its start."""
        for view in self._services.supervisor.jobs(self._app):
            key = view.job.key
            wanted = self._only is None or (
                key[0] == self._only[0] and key[1].casefold() == self._only[1].casefold()
            )
            if wanted and key not in self._tasks:
                tail = self._tail if first and key not in self._cursors else None
                self._tasks[key] = asyncio.create_task(self._read(key, tail))

    async def _watch(self) -> None:
        """Notice jobs that a deployment brings."""
        journal = self._services.events.app_journal(self._app)
        async for entry in journal.read(journal.end, follow=True):
            if entry.record["event"] in _LOOK:
                self._begin_new(first=False)

    async def _read(self, key: Key, tail: int | None) -> None:
        lines = read_job(
            self._services.watcher,
            self._services.home.app(self._app).executions(*key),
            after=self._cursors.get(key),
            follow=True,
            tail=tail,
        )
        async for batch in lines:
            await self._queue.put((key, batch))

    def _item(self, key: Key, line: OutputLine) -> Item:
        self._cursors[key] = line.cursor
        instance = self._services.instance
        record = partial(
            output_record, line, app=self._app, kind=key[0], job=key[1], instance=instance
        )
        text = kudu_line(line.ts, instance, _LEVEL[line.stream], line.line)
        return Item(make_id(self._cursors), record, f"{text}\n".encode())


def make_id(cursors: dict[Key, str]) -> str:
    """The places in all logs as one id: `continuous/ticker=CURSOR;triggered/report=CURSOR`."""
    return ";".join(f"{kind}/{quote(job, safe='')}={at}" for (kind, job), at in cursors.items())


def parse_id(text: str | None) -> dict[Key, str]:
    """The places in an id of this stream. Raises Invalid."""
    cursors: dict[Key, str] = {}
    for part in text.split(";") if text else ():
        name, _, at = part.partition("=")
        kind, _, job = name.partition("/")
        if kind not in ("continuous", "triggered") or not job:
            raise Invalid(f"The id {part[:60]!r} isn't one of this stream.", "Send one it gave.")
        parse_job(at)
        cursors[cast(Kind, kind), unquote(job)] = at
    return cursors


def _selected(path: str) -> Key | None:
    """The job that a path names; None for all. Raises NotFound."""
    if path in ("", "application", "jobs"):
        return None
    parts: list[Any] = path.removeprefix("jobs/").split("/")
    if len(parts) == 2 and parts[0] in ("continuous", "triggered") and parts[1]:
        return parts[0], parts[1]
    raise NotFound(
        f"There is no log {path[:100]!r}.", "Ask for jobs/continuous/NAME, or for all of them."
    )


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/events",
        aliases=spellings("events"),
        handler=events,
        operation="app.events",
        scope="read",
        summary="All that happens to the app, from now on.",
        tag="logs",
        query=(Param("follow", "false: what there is, then end.", "boolean"), TAIL, AFTER),
        answers=stream("Records."),
    ),
    Route(
        method="GET",
        path=f"{API}/logstream",
        aliases=spellings("logstream"),
        handler=logstream,
        operation="app.logstream",
        scope="read",
        summary="The output of the app's jobs, from now on.",
        tag="logs",
        query=(TAIL, AFTER),
        answers=stream("Lines."),
    ),
    Route(
        method="GET",
        path=f"{API}/logstream/{{path*}}",
        aliases=spellings("logstream/{path*}"),
        handler=logstream,
        operation="app.logstream_of",
        scope="read",
        summary="The output of one job, `jobs/continuous/NAME`, from now on.",
        tag="logs",
        query=(TAIL, AFTER),
        answers=stream("Lines."),
    ),
)
