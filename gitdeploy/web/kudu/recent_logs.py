"""`/api/logs/recent`: the newest lines of all jobs of an app, in the form of Kudu's clients."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
from aiohttp import web

from gitdeploy.clock import rfc3339
from gitdeploy.errors import Invalid
from gitdeploy.home import Kind
from gitdeploy.logs import OutputLine, read_job
from gitdeploy.sandbox import Handle
from gitdeploy.web.answers import as_json
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.requests import integer
from gitdeploy.web.route import Answer, Param, Route
from gitdeploy.web.services import Services, services_of

_DEFAULT, _MOST = 100, 1000  # Kudu's
_LONGEST = 16 << 10  # bytes of a line that are told: a thousand long ones are no log to look at
_LEVELS = {"stdout": "Information", "stderr": "Error"}


class LogLine(msgspec.Struct, frozen=True):
    """Kudu's ApplicationLogEntry. `level` is Information, or Error for standard error.

    `pid` is 0 where it isn't on record. `job` (`kind/name`) is ours. A longer `message` than 16 KiB
    is cut and ends in `…`.
    """

    timestamp: str
    level: str
    pid: int
    message: str
    job: str


async def recent(request: web.Request) -> web.Response:
    """Newest first."""
    services, app = services_of(request), request.match_info["app"]
    top = integer(request, "top", highest=_MOST)
    if top == 0:
        raise Invalid("top=0 asks for nothing.", f"Send top from 1 to {_MOST}.")
    top = top or _DEFAULT
    newest: list[tuple[int, int, OutputLine, tuple[Kind, str]]] = []
    number = 0
    for view in services.supervisor.jobs(app):
        async for line in _lines(services, app, view.job.key, top):
            number += 1  # lines of one microsecond keep their order, and lines aren't compared
            entry = (line.ts, number, line, view.job.key)
            if len(newest) < top:
                heapq.heappush(newest, entry)
            else:
                heapq.heappushpop(newest, entry)
    pids = _Pids(services, app)
    return as_json(
        [
            LogLine(
                timestamp=rfc3339(line.ts),
                level=_LEVELS[line.stream],
                pid=await pids.of(key, line.execution),
                message=_message(line.line),
                job="/".join(key),
            )
            for _, _, line, key in sorted(newest, reverse=True)
        ]
    )


async def _lines(
    services: Services, app: str, key: tuple[Kind, str], top: int
) -> AsyncIterator[OutputLine]:
    executions = services.home.app(app).executions(*key)
    async with aclosing(read_job(services.watcher, executions, tail=top)) as batches:
        async for batch in batches:
            for line in batch:
                yield line._replace(line=line.line[: _LONGEST + 1])


def _message(line: bytes) -> str:
    cut = "…" if len(line) > _LONGEST else ""
    return line[:_LONGEST].decode("utf-8", "backslashreplace") + cut


class _Pids:
    """The host's pids of executions, each looked up once."""

    def __init__(self, services: Services, app: str) -> None:
        self._services = services
        self._app = app
        self._known: dict[tuple[Kind, str, str], int] = {}

    async def of(self, key: tuple[Kind, str], execution: str) -> int:
        name = (*key, execution)
        if name not in self._known:
            row = await self._services.store.executions.get(self._app, *name)
            process = None if row is None else row.process
            handle = None if process is None else msgspec.json.decode(process, type=Handle)
            self._known[name] = 0 if handle is None else handle.pid
        return self._known[name]


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/logs/recent",
        aliases=spellings("logs/recent"),
        handler=recent,
        operation="app.recent_logs",
        scope="read",
        summary="The newest lines that the app's jobs have written, newest first.",
        tag="logs",
        query=(Param("top", "How many, 1 to 1000; 100 where it isn't given.", "integer"),),
        answers={200: Answer("Lines.", list[LogLine])},
    ),
)
