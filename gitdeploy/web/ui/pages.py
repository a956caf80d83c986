"""The pages: one job, one run, one deployment, and their logs as text."""

from __future__ import annotations

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.errors import NotFound
from gitdeploy.store import Deployment
from gitdeploy.web.fetching import FETCHER
from gitdeploy.web.following import follow_app, follow_deployment
from gitdeploy.web.requests import accepts
from gitdeploy.web.route import FOLLOW, FOUND, TAIL, TEXT, Answer, Route
from gitdeploy.web.route import page as page_answers
from gitdeploy.web.ui.html import Content, Safe, link, table, tag
from gitdeploy.web.ui.layout import page, page_way

_RUNS = 30
_TAIL = 1000
_GOOD = frozenset({"Running", "Ready", "Success", "success"})
_BAD = frozenset({"Failed", "failed", "Aborted", "PendingRestart"})


async def start(request: web.Request) -> web.Response:
    raise web.HTTPFound(page_way(request).page())


async def app_start(request: web.Request) -> web.Response:
    """A browser at the app's base address goes to its page."""
    if accepts(request, "text/html"):
        raise web.HTTPFound(page_way(request).page(request.match_info["app"]))
    raise NotFound("There is nothing at this path.", "The app's API is below api/.")


async def deployment(request: web.Request) -> web.Response:
    row, way = await _deployment(request), page_way(request)
    facts: list[list[Content]] = [
        ["State", _state(row.status)],
        ["Reason", row.status_text or "none"],
        ["Active", "yes" if row.active else "no"],
        ["Attempt", str(row.attempt)],
        ["Author", row.author],
        ["Deployed by", row.deployer],
        ["Received", _time(row.received_at)],
        ["Ended", _time(row.ended_at)],
        ["Release", _number(row.release)],
    ]
    return page(
        request,
        f"Deployment {row.id[:10]}",
        tag("pre", row.message),
        table(("", ""), facts, empty=""),
        tag("p", link(f"{way.page(row.app, 'deployments', row.id)}log", "Log as text")),
        trail=_trail(request),
    )


async def deployment_log(request: web.Request) -> web.StreamResponse:
    return await follow_deployment(request, await _deployment(request), form="text")


async def events(request: web.Request) -> web.StreamResponse:
    """What happens to the app from now on, for the pages that show it."""
    return await follow_app(request)


async def _deployment(request: web.Request) -> Deployment:
    name, wanted = request.match_info["app"], request.match_info["id"]
    found = await request.app[FETCHER].find(name, wanted)
    if found is None:
        raise NotFound(f"{name} has no deployment {wanted[:100]!r}.")
    return found[0]


def _trail(request: web.Request) -> tuple[tuple[str, str], ...]:
    name = request.match_info["app"]
    return ((page_way(request).page(name), name),)


def _state(state: str) -> Safe:
    kind = "good" if state in _GOOD else "bad" if state in _BAD else None
    return tag("span", state, class_=kind)


def _time(moment: int | None) -> str:
    return "" if moment is None else to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S UTC")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _text_answer(summary: str) -> dict[int, Answer]:
    return {200: Answer(summary, str, (TEXT,)), 303: Answer("To the sign-in page.", media=())}


_APP = "/ui/{app}"
_DEPLOYMENT = f"{_APP}/deployments/{{id}}"
_PAGES = (
    (f"{_APP}/events", events, "page.events", "What happens to an app, as it comes.", True),
    (_DEPLOYMENT, deployment, "page.deployment", "A deployment.", False),
    (f"{_DEPLOYMENT}/log", deployment_log, "page.deployment_log", "A deployment's log.", True),
)
ROUTES = (
    Route(
        method="GET",
        path="/",
        handler=start,
        operation="page.start",
        scope="open",
        summary="To the pages.",
        tag="pages",
        answers={302: FOUND},
    ),
    Route(
        method="GET",
        path="/apps/{app}",
        handler=app_start,
        operation="page.app_start",
        scope="open",
        summary="To the app's page, for a browser.",
        tag="pages",
        answers={302: FOUND},
    ),
    *(
        Route(
            method="GET",
            path=path,
            handler=handler,
            operation=operation,
            scope="page",
            summary=summary,
            tag="pages",
            query=(FOLLOW, TAIL) if is_log else (),
            answers=_text_answer(summary) if is_log else page_answers(summary),
        )
        for path, handler, operation, summary, is_log in _PAGES
    ),
)
