"""Walk the pages by their links, as a reader could: each kind of page once or twice."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page

from gitdeploy.web import ROUTES
from gitdeploy.web.route import HTML, Route

PAGES = [
    route
    for route in ROUTES
    if route.method == "GET"
    and route.path.startswith("/ui")
    and 200 in route.answers
    and HTML in route.answers[200].media
]
_FILES = frozenset({"download", "raw"})
"""Queries that ask for a file and not for a page."""


def _pattern(route: Route) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z_]+\*?\})", route.path)
    made = [
        re.escape(part) if not part.startswith("{") else (".*" if "*" in part else "[^/]+")
        for part in parts
    ]
    return re.compile("".join(made).rstrip("/") + "/?")


_PATTERNS = sorted(
    ((_pattern(route), route) for route in PAGES), key=lambda pair: pair[1].path.count("{")
)


def operation_of(path: str) -> str | None:
    """The kind of page at a path; None where there is no page."""
    found = [route for pattern, route in _PATTERNS if pattern.fullmatch(path)]
    # the most literal one, as the router takes it
    found.sort(key=lambda route: [part.startswith("{") for part in route.path.split("/")])
    return found[0].operation if found else None


async def walk(
    page: Page,
    start: str = "/ui/",
    *,
    of_each: int = 2,
    with_query: bool = True,
    also: Sequence[str] = (),
) -> AsyncIterator[tuple[str, str]]:
    """Open page after page; yields (operation, address) while it is open.

    Of each kind of page there are at most `of_each`, and with each set of query keys one; without
    `with_query` only where nothing else leads to that kind. Those in `also` come in any case.
    """
    await page.goto(start)
    host = urlsplit(page.url).netloc
    root = page.url.removesuffix(start)
    todo, known = deque([page.url]), {page.url}
    for path in also:
        response = await page.goto(root + path)
        assert response is not None and response.status == 200, path
        yield operation_of(urlsplit(path).path) or "", root + path
    seen: dict[tuple[str, frozenset[str]], int] = {}
    while todo:
        address = todo.popleft()
        parts = urlsplit(address)
        keys = frozenset(parse_qs(parts.query, keep_blank_values=True))
        operation = operation_of(parts.path)
        if operation is None or keys & _FILES:
            continue
        if keys and not with_query and any(one == operation for one, _ in seen):
            continue
        kind = (operation, keys)
        if seen.get(kind, 0) >= (1 if keys else of_each):
            continue
        response = await page.goto(address)
        if response is None or "text/html" not in (response.headers.get("content-type") or ""):
            continue
        if response.status == 404 and operation == "page.process":
            continue  # it has ended since the list named it
        seen[kind] = seen.get(kind, 0) + 1
        assert response.status == 200, (address, response.status)
        yield operation, address
        links = await page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        for link in (each.partition("#")[0] for each in links):
            if urlsplit(link).netloc == host and link not in known:
                known.add(link)
                todo.append(link)
