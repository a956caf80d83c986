"""`/ui/{app}/deployments/{id}/`: one deployment, its live log, what it changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from gitdeploy.deploy.difference import previous
from gitdeploy.deploy.releases import is_whole
from gitdeploy.errors import NotFound
from gitdeploy.events import Entry, Journal
from gitdeploy.store import Deployment
from gitdeploy.store.deployments import ENDED
from gitdeploy.web.entries import from_journal
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.following import follow_deployment, send
from gitdeploy.web.iterators import close
from gitdeploy.web.route import AFTER, FOLLOW, TEXT, Answer, Route, page, stream
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.streams import resume_id
from gitdeploy.web.ui.comparison import compare
from gitdeploy.web.ui.deploylog import ends, for_page, steps, visible
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of

_RECORDS = 400
"""Records that the page has of a log; the whole of it is text."""
_HEAD = 100
"""Records from the beginning of a longer one, for the steps that it went through."""


async def show(request: web.Request) -> web.Response:
    services, show, way = services_of(request), show_of(request), page_way(request)
    row = await row_of(request)
    app, known = row.app, row
    journal = services.events.deployment_journal(app, row.id)
    end, newest = journal.end, journal.tail(_RECORDS)
    own = [entry for entry in newest if _is_own(entry, row)]
    over = any(ends(entry.record, row.attempt) for entry in own)
    if over and row.status not in ENDED:  # while its row was read
        row = await row_of(request)
    if row.id != request.match_info["id"]:  # a fetch that has become this one
        raise web.HTTPSeeOther(way.page(app, "deployments", row.id))
    cut = len(newest) == _RECORDS and bool(own) and own[0].id == newest[0].id
    head = await _head(journal, known, own[0].id) if cut else []
    under_way = row.status not in ENDED
    if not under_way:
        services.events.release_deployment_journal(app, row.id)
    comparison = None
    if not under_way and row.trigger != "recorded":
        comparison = await compare(services, await previous(services.store, row), row)
    active = await services.store.releases.active(app)
    base = way.page(app, "deployments", row.id)
    return render(
        request,
        "deployment.html",
        title=subject(row) or short(row),
        crumbs=[
            Crumb(app, way.page(app)),
            Crumb(show.words("nav.deployments"), way.page(app, "deployments")),
            Crumb(short(row)),
        ],
        section="deployments",
        row=row,
        base=base,
        under_way=under_way,
        steps=steps([*head, *own]),
        lines=visible(own),
        cut=cut,
        stream=f"{base}lines?after={end}" if under_way and not over else "",
        comparison=comparison,
        kept=await is_kept(services, row),
        back=goes_back(row, None if active is None else active.number),
        subject=subject,
    )


async def log(request: web.Request) -> web.StreamResponse:
    return await follow_deployment(request, await row_of(request), form="text")


async def lines(request: web.Request) -> web.StreamResponse:
    """The log as the page shows it, a record each: its lines, its tone, whether it is the end."""
    row = await row_of(request)
    journal = services_of(request).events.deployment_journal(row.app, row.id)
    after = resume_id(request) or request.query.get("after") or ""
    entries: AsyncIterator[Entry] = journal.read(
        int(after) if after.isascii() and after.isdigit() and len(after) < 19 else row.log_from,
        follow=row.status not in ENDED,
        until=lambda record: ends(record, row.attempt),
    )
    shown = from_journal(for_page(entries, row.attempt), text=lambda record: record["lines"])
    return await send(request, shown)


async def row_of(request: web.Request) -> Deployment:
    """The deployment of the path. Raises NotFound."""
    name, wanted = request.match_info["app"], request.match_info["id"]
    found = await request.app[FETCHER].find(name, wanted)
    if found is None:
        raise NotFound(f"{name} has no deployment {wanted[:100]!r}.")
    return found[0]


async def is_kept(services: Services, row: Deployment) -> bool:
    """Whether its release is still on the disk."""
    release = await services.store.releases.of_deployment(row.app, row.id)
    return release is not None and is_whole(services.home.app(row.app), release.number)


def goes_back(row: Deployment, active: int | None) -> bool:
    """Whether its release is older than the active one, so that deploying it again undoes."""
    return row.release is not None and active is not None and row.release < active


def short(row: Deployment) -> str:
    """How people call a deployment: its commit's first digits, or its own."""
    return (row.commit_id or row.id)[:7] if row.trigger != "recorded" else row.id[:20]


def subject(row: Deployment) -> str:
    """The first line of what it says of itself."""
    return row.message.strip().partition("\n")[0].strip()[:200]


def _is_own(entry: Entry, row: Deployment) -> bool:
    """Whether a record is of the newest attempt."""
    return entry.id > row.log_from and entry.record.get("attempt", row.attempt) == row.attempt


async def _head(journal: Journal, row: Deployment, until: int) -> list[Entry]:
    """The first records of an attempt, in front of the entry `until`."""
    found: list[Entry] = []
    reading = journal.read(row.log_from)
    try:
        async for entry in reading:
            if entry.id >= until or len(found) == _HEAD:
                break
            found.append(entry)
    finally:
        await close(reading)
    return [entry for entry in found if _is_own(entry, row)]


_PATH = "/ui/{app}/deployments/{id}"
ROUTES = (
    Route(
        method="GET",
        path=_PATH,
        handler=show,
        operation="page.deployment",
        scope="page",
        summary="A deployment.",
        tag="pages",
        answers=page("A deployment."),
    ),
    Route(
        method="GET",
        path=f"{_PATH}/log",
        handler=log,
        operation="page.deployment_log",
        scope="page",
        summary="A deployment's log as text.",
        tag="pages",
        query=(FOLLOW,),
        answers={
            200: Answer("The log.", str, (TEXT,)),
            303: Answer("To the sign-in page.", media=()),
        },
    ),
    Route(
        method="GET",
        path=f"{_PATH}/lines",
        handler=lines,
        operation="page.deployment_lines",
        scope="page",
        summary="A deployment's log as its page shows it, until it has ended.",
        tag="pages",
        query=(AFTER,),
        answers=stream("Records with `lines`, `tone`, `turn` and `end`."),
    ),
)
