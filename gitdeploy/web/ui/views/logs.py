"""`/ui/{app}/logs/`: what all jobs of an app print, and what happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from gitdeploy.home import Kind
from gitdeploy.logs import OutputBlock, Selection, Stream
from gitdeploy.web.following import send
from gitdeploy.web.kudu.merged import Key, Merged, Wanted
from gitdeploy.web.requests import accepts, integer
from gitdeploy.web.route import SSE, TEXT, Answer, Param, Route, page
from gitdeploy.web.services import services_of
from gitdeploy.web.streams import Item, resume_id
from gitdeploy.web.ui import applog, happened
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

BROUGHT = 500
"""Lines that the page has."""
_TEXT_LINES = 10_000
_TEXT_BYTES = 1 << 23
_LONGEST_NUMBER = 18
_KINDS: tuple[Kind, ...] = ("continuous", "triggered")
_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


class Asked(NamedTuple):
    """Of which job and stream the output is asked for; `name` is the job as the address has it."""

    wanted: Wanted
    stream: Stream | None
    name: str

    def query(self, **changes: str) -> str:
        """The query of an address that asks for the same but for `changes`."""
        asked = {"job": self.name, "stream": self.stream or "", **changes}
        text = urlencode({key: value for key, value in asked.items() if value}, safe="/")
        return f"?{text}" if text else ""


async def output(request: web.Request) -> web.Response:
    """The newest lines of all jobs, or of one."""
    show, way, app = show_of(request), page_way(request), request.match_info["app"]
    asked, jobs = _asked(request), _jobs(request)
    found = await asyncio.to_thread(
        applog.newest, _covered(jobs, asked), BROUGHT, now=show.now, stream=asked.stream
    )
    here = way.page(app, "logs")
    names = [f"{kind}/{job}" for kind, job in jobs]
    return render(
        request,
        "logs.html",
        title=show.words("nav.logs"),
        crumbs=[Crumb(app, way.page(app)), Crumb(show.words("nav.logs"))],
        section="logs",
        tab="output",
        here=here,
        asked=asked,
        jobs=sorted({*names, *([asked.name] if asked.name else [])}, key=str.casefold),
        jobless=not jobs,
        streams=_STREAMS,
        lines=found.lines,
        job_page=_pages(request),
        text=f"{here}log{asked.query()}",
        source=f"{here}log{asked.query()}",
        behind=applog.write_place(found.place),
    )


async def log(request: web.Request) -> web.StreamResponse:
    """The newest lines as text; as an event stream what comes behind `after`."""
    asked = _asked(request)
    if accepts(request, SSE):
        return await _live(request, asked)
    count = integer(request, "tail", highest=_TEXT_LINES)
    found = await asyncio.to_thread(
        applog.newest,
        _covered(_jobs(request), asked),
        _TEXT_LINES if count is None else count,
        now=services_of(request).clock.now(),
        stream=asked.stream,
        most_bytes=_TEXT_BYTES,
    )
    return await send(request, _as_text(request, found.lines), form="text")


async def events(request: web.Request) -> web.Response:
    """What happened to the app, newest first."""
    services, show, way = services_of(request), show_of(request), page_way(request)
    app, query = request.match_info["app"], request.query
    level = query.get("level", "info")
    level = level if level in happened.LEVELS else "info"
    prefix, text = query.get("event", "")[:100].strip(), query.get("before", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    found = await asyncio.to_thread(
        happened.look,
        services.events.app_journal(app),
        before=int(text) if is_number else None,
        level=level,
        prefix=prefix,
    )
    here = way.page(app, "logs", "events")
    kept = {"level": "" if level == "info" else level, "event": prefix}
    address = _addresses(request)

    def link(**changes: str) -> str:
        wanted = urlencode({key: one for key, one in {**kept, **changes}.items() if one})
        return f"{here}?{wanted}" if wanted else here

    return render(
        request,
        "logs.html",
        title=show.words("nav.logs"),
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(show.words("nav.logs"), way.page(app, "logs")),
            Crumb(show.words("logs.events")),
        ],
        section="logs",
        tab="events",
        here=here,
        level=level,
        levels=happened.LEVELS,
        prefix=prefix,
        prefixes=happened.PREFIXES,
        events=[
            happened.shown(entry, instance=services.instance, address=address)
            for entry in found.entries
        ],
        narrowed=bool(prefix) or level != "info",
        live=not is_number,
        newest=link() if is_number else "",
        older=link(before=str(found.older)) if found.older else "",
        text=f"{way.page(app)}events?follow=false",
    )


async def _live(request: web.Request, asked: Asked) -> web.StreamResponse:
    services, show = services_of(request), show_of(request)
    app, pages = request.match_info["app"], _pages(request)
    place = applog.read_place(resume_id(request) or request.query.get("after"))
    chosen = Selection(tail=0) if place.since is None else Selection(since=place.since)

    def make(
        key: Key, block: OutputBlock, lines: list[str | list[tuple[str, str]]]
    ) -> applog.Shown:
        at = show.at(block.ts)
        return applog.Shown(
            job=key[1],
            address=pages(key, block.execution),
            day=f"{at:%Y-%m-%d}",
            at=f"{at:%H:%M:%S}",
            iso=show.iso(block.ts),
            x=lines,
            stderr=block.stream == "stderr",
        )

    merged = Merged(services, app, asked.wanted, place.cursors, chosen)
    return await send(request, applog.follow(merged, place, make, stream=asked.stream), form="sse")


async def _as_text(request: web.Request, lines: list[applog.Line]) -> AsyncIterator[list[Item]]:
    """Time with its offset, job, stream and text, a line each."""
    show = show_of(request)
    for first in range(0, len(lines), BROUGHT):
        rows = []
        for line in lines[first : first + BROUGHT]:
            at = show.at(line.ts).isoformat(sep=" ", timespec="milliseconds")
            text = "".join(span.text for span in line.spans)
            stream = "stderr" if line.stderr else "stdout"
            rows.append(f"{at} {line.key[0]}/{line.key[1]} {stream} {text}\n")
        yield [Item("", {}, "".join(rows).encode())]
        await asyncio.sleep(0)


def _asked(request: web.Request) -> Asked:
    """What the query asks for; a job is `KIND/NAME`, or a name alone for either kind."""
    name = request.query.get("job", "")[:200]
    kind, _, job = name.rpartition("/")
    wanted = Wanted(next((one for one in _KINDS if one == kind), None), job or None)
    stream = next((one for one in _STREAMS if one == request.query.get("stream")), None)
    return Asked(wanted, stream, name)


def _jobs(request: web.Request) -> dict[Key, Path]:
    """The app's jobs and where their output is."""
    services, app = services_of(request), request.match_info["app"]
    home = services.home.app(app)
    return {view.job.key: home.executions(*view.job.key) for view in services.supervisor.jobs(app)}


def _covered(jobs: Mapping[Key, Path], asked: Asked) -> dict[Key, Path]:
    return {key: path for key, path in jobs.items() if asked.wanted.covers(key)}


def _pages(request: web.Request) -> Callable[[Key, str], str]:
    """The page of a line: its run's, or the log of its continuous job."""
    way, app = page_way(request), request.match_info["app"]

    def address(key: Key, run: str) -> str:
        above = way.page(app, "jobs", key[1])
        return f"{above}runs/{run}" if key[0] == "triggered" else f"{above}output"

    return address


def _addresses(request: web.Request) -> Callable[[str, Mapping[str, Any]], str]:
    """The page that a key of an event is about; only of jobs that there are."""
    way, app = page_way(request), request.match_info["app"]
    there = {view.job.key for view in services_of(request).supervisor.jobs(app)}
    names = {name for _, name in there}

    def address(key: str, record: Mapping[str, Any]) -> str:
        job = str(record.get("job", "")).rpartition("/")[2]
        if key == "deployment":
            return way.page(app, "deployments", str(record[key]))
        if key == "run" and ("triggered", job) in there:
            return f"{way.page(app, 'jobs', job)}runs/{record[key]}"
        if key == "job" and job in names:
            return way.page(app, "jobs", job)
        return ""

    return address


_PATH = "/ui/{app}/logs"
_WHICH = (
    Param("job", "Only of this job, `KIND/NAME`."),
    Param("stream", "Only `stdout` or `stderr`."),
)
ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        handler=output,
        operation="page.logs",
        scope="page",
        summary="The newest lines that the jobs of an app printed.",
        tag="pages",
        query=_WHICH,
        answers=page("The lines."),
    ),
    Route(
        method="GET",
        path=f"{_PATH}/log",
        handler=log,
        operation="page.logs_log",
        scope="page",
        summary="The same as text, or, as an event stream, what comes.",
        tag="pages",
        query=(
            *_WHICH,
            Param("tail", "Of text: only the newest so many lines.", "integer"),
            Param("after", "Of an event stream: begin behind this place."),
        ),
        answers={
            200: Answer("Lines.", str, (TEXT, SSE)),
            303: Answer("To the sign-in page.", media=()),
        },
    ),
    Route(
        method="GET",
        path=f"{_PATH}/events",
        handler=events,
        operation="page.logs_events",
        scope="page",
        summary="What happened to an app.",
        tag="pages",
        query=(
            Param("level", f"Only events from this level on: {', '.join(happened.LEVELS)}."),
            Param("event", "Only events whose names begin like this."),
            Param("before", "Only events in front of this place.", "integer"),
        ),
        answers=page("The events."),
    ),
)
