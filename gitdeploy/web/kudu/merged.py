"""The output of several jobs as one stream, each job's lines as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple, cast
from urllib.parse import quote, unquote

from gitdeploy.clock import to_datetime
from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.logs import OutputBlock, Selection, select_job, shown_block
from gitdeploy.logs.cursor import parse_job
from gitdeploy.web.output import Lines
from gitdeploy.web.services import Services
from gitdeploy.web.streams import Format, Item, Streamed

Key = tuple[Kind, str]
_QUEUE = 16  # batches of at most 1 MiB; readers wait on their own place on the disk
_LOOK = ("deploy.succeeded", "run.started", "job.started")
_SILENCE = 60.0  # seconds, as Kudu's


class Wanted(NamedTuple):
    """Of which jobs the output is wanted: all, those of a kind, one; or Kudu's application log."""

    kind: Kind | None = None
    job: str | None = None
    application: bool = False

    def covers(self, key: Key) -> bool:
        kind, name = key
        return self.kind in (None, kind) and (
            self.job is None or self.job.casefold() == name.casefold()
        )


class Merged:
    """One reader a job, their batches in the order in which they come.

    `cursors` are the places to go on behind; jobs without one begin with what was `chosen`.
    """

    def __init__(
        self,
        services: Services,
        app: str,
        wanted: Wanted,
        cursors: dict[Key, str],
        chosen: Selection,
    ) -> None:
        self._services = services
        self._app = app
        self._wanted = wanted
        self._cursors = dict(cursors)
        self._chosen = chosen
        self._queue: asyncio.Queue[tuple[Key, list[OutputBlock]]] = asyncio.Queue(_QUEUE)
        self._tasks: dict[Key | None, asyncio.Task[None]] = {}

    async def items(self, *, notes: bool) -> AsyncIterator[Sequence[Streamed]]:
        """The lines; with `notes` also what Kudu says itself, at first and each silent minute."""
        self._begin()
        silent = 0
        async with aclosing(self.batches(_SILENCE if notes else None)) as batches:
            if notes:
                yield [self._note("Welcome, you are now connected to log-streaming service.")]
            async for found in batches:
                if found is None:
                    silent += 1
                    yield [self._note(f"No new trace in the past {silent} min(s).")]
                else:
                    silent = 0
                    yield [self._element(found[0], block) for block in found[1]]

    async def batches(
        self, silence: float | None = None
    ) -> AsyncGenerator[tuple[Key, list[OutputBlock]] | None, None]:
        """Which job wrote what, as it comes; None for each `silence` seconds without anything."""
        self._begin()
        try:
            while True:
                found = None
                with suppress(TimeoutError):
                    async with asyncio.timeout(silence):
                        found = await self._queue.get()
                yield found
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self) -> None:
        if None not in self._tasks:
            self._begin_new(first=True)
            self._tasks[None] = asyncio.create_task(self._watch())

    def _begin_new(self, *, first: bool) -> None:
        """A reader for each job that has none; a job that came later is read from its start."""
        for view in self._services.supervisor.jobs(self._app):
            key = view.job.key
            if self._wanted.covers(key) and key not in self._tasks:
                chosen = self._chosen if first else Selection(match=self._chosen.match)
                self._tasks[key] = asyncio.create_task(self._read(key, chosen))

    async def _watch(self) -> None:
        """Notice jobs that a deployment brings."""
        journal = self._services.events.app_journal(self._app)
        async for entry in journal.read(journal.end, follow=True):
            if entry.record["event"] in _LOOK:
                self._begin_new(first=False)

    async def _read(self, key: Key, chosen: Selection) -> None:
        blocks = select_job(
            self._services.watcher,
            self._services.home.app(self._app).executions(*key),
            chosen,
            after=self._cursors.get(key),
            follow=True,
        )
        async for batch in blocks:
            await self._queue.put((key, batch))

    def _element(self, key: Key, block: OutputBlock) -> Streamed:
        """The block with ids that are places in all logs, this job's last."""
        self._cursors.pop(key, None)
        others, own = make_id(self._cursors), make_id({key: block.before})
        self._cursors[key] = f"{block.before}{block.end}{block.after}"
        placed = block._replace(before=f"{others};{own}" if others else own)
        return _KuduLines(placed, self._app, key, self._services.instance)

    def _note(self, text: str) -> Item:
        time = to_datetime(self._services.clock.now()).strftime("%Y-%m-%dT%H:%M:%S")
        return Item("", {}, f"{time}  {text}\n".encode())


class _KuduLines(Lines):
    """Lines of output, in Kudu's form where text is wanted."""

    __slots__ = ("_instance",)

    def __init__(self, block: OutputBlock, app: str, key: Key, instance: str) -> None:
        super().__init__(block, {"app": app, "kind": key[0], "job": key[1], "instance": instance})
        self._instance = instance

    def encoded(self, form: Format) -> Iterator[bytes]:
        if form == "text":
            yield shown_block(self._block, self._instance)
        else:
            yield from super().encoded(form)


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
