"""`/ui/{app}/files/…`: an app's files from Kudu's home on: look, download."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from aiohttp import web

from gitdeploy.web.auth import principal_of
from gitdeploy.web.entity import serve
from gitdeploy.web.files import Listed, OpenFile
from gitdeploy.web.kudu.found import FoundFile, close, opened
from gitdeploy.web.kudu.place import (
    MEASURES,
    data_place,
    nothing_at,
    parts_of_path,
    site_place,
    tree_of,
)
from gitdeploy.web.route import HTML, TEXT, Answer, Param, Route
from gitdeploy.web.services import services_of
from gitdeploy.web.ui.listing import SORTS, listing
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.text_file import EDITABLE, TextFile, read_text

_LONGEST_QUERY = 100


class Where(NamedTuple):
    """A path of the files and what may be done there."""

    parts: list[str]
    in_site: bool
    writable: bool

    @property
    def path(self) -> str:
        return "/".join(self.parts)

    @property
    def fixed(self) -> bool:
        """Whether it is a directory that is always there."""
        return self.parts[:1] == ["data"] and (
            len(self.parts) == 1 or (self.parts[1] == "jobs" and len(self.parts) < 4)
        )


def where(request: web.Request) -> Where:
    """What the address names."""
    parts = parts_of_path(request)
    in_site = site_place(parts) is not None
    there = in_site or data_place(request, parts) is not None
    return Where(parts, in_site, there and principal_of(request).may("deploy"))


async def show(request: web.Request) -> web.StreamResponse:
    """A directory's entries, or a file: its text where it has one, as a download where asked."""
    at = where(request)
    found = await tree_of(request).find(at.parts)
    try:
        if found is None:
            if at.writable and at.parts and "new" in request.query:
                return file_page(request, at, None)
            raise nothing_at(at.parts)
        if isinstance(found, list):
            if "delete" in request.query and at.writable and not at.fixed:
                return delete_page(request, at, is_folder=True)
            if name := request.query.get("new", "").strip():
                raise web.HTTPSeeOther(f"{address(request, [*at.parts, *_names(name)])}?new")
            return folder_page(request, at, found)
        entity, media = await opened(found, services_of(request), request.app[MEASURES])
        if "download" in request.query:
            told = f"attachment; filename*=UTF-8''{quote(at.parts[-1], safe='')}"
            return await serve(request, entity, media, disposition=told)
        if "delete" in request.query and _may_change(at, found):
            return delete_page(request, at, is_folder=False, tag=entity.tag)
        text = await read_text(entity, media)
        facts = Facts(entity.size, entity.modified, media.partition(";")[0], entity.tag)
        return file_page(request, at, facts, text, writable=_may_change(at, found))
    finally:
        close(found)


class Facts(NamedTuple):
    """What is told of a file; `modified` in µs."""

    size: int
    modified: int
    media: str
    tag: str


def folder_page(
    request: web.Request,
    at: Where,
    entries: list[Listed],
    *,
    status: int = 200,
    wrong: str = "",
    field: str = "",
    typed: str = "",
) -> web.Response:
    """A directory; `wrong` is why the form with this `field` was refused, `typed` what was in it."""
    asked = request.query
    sort = asked.get("sort", "")
    if sort.removeprefix("-") not in SORTS:
        sort = "name"
    find = asked.get("find", "").strip()[:_LONGEST_QUERY]
    number = asked.get("page", "")
    shown = listing(
        entries, find=find, sort=sort, number=int(number) if number[:9].isdecimal() else 1
    )

    def link(**changes: str | int) -> str:
        query = {"find": find, "sort": "" if sort == "name" else sort, **changes}
        told = urlencode({key: value for key, value in query.items() if value})
        return address(request, at.parts, folder=True) + (f"?{told}" if told else "")

    return _page(
        request,
        "files.html",
        at,
        status=status,
        listing=shown,
        total=len(entries),
        find=find,
        sort=sort,
        sorts=SORTS,
        link=link,
        wrong=wrong,
        field=field,
        typed=typed,
    )


def file_page(
    request: web.Request,
    at: Where,
    facts: Facts | None,
    text: TextFile | None = None,
    *,
    writable: bool = True,
    status: int = 200,
    wrong: str = "",
    mine: str | None = None,
) -> web.Response:
    """A file, or one that is about to be made. `mine` is what the reader had typed when it was
    refused for `wrong`; what is there stays to be seen beside it."""
    is_text = text is None or text.editable
    return _page(
        request,
        "file.html",
        at,
        status=status,
        facts=facts,
        text=text,
        editable=writable and is_text,
        writable=writable,
        wrong=wrong,
        mine=mine,
        most=EDITABLE,
    )


def delete_page(request: web.Request, at: Where, *, is_folder: bool, tag: str = "") -> web.Response:
    """Whether it is meant."""
    return _page(request, "file_delete.html", at, is_folder=is_folder, tag=tag)


def address(request: web.Request, parts: list[str], *, folder: bool = False) -> str:
    """The page of a path."""
    base = page_way(request).page(request.match_info["app"], "files")
    path = "/".join(quote(part, safe="") for part in parts)
    return f"{base}{path}/" if folder and path else f"{base}{path}"


def _page(
    request: web.Request, template: str, at: Where, *, status: int = 200, **view: Any
) -> web.Response:
    words = show_of(request).words
    app = request.match_info["app"]
    crumbs = [
        Crumb(app, page_way(request).page(app)),
        Crumb(words("nav.files"), address(request, [])),
        *(
            Crumb(part, address(request, at.parts[: number + 1], folder=True))
            for number, part in enumerate(at.parts)
        ),
    ]
    crumbs[-1] = Crumb(crumbs[-1].text)
    return render(
        request,
        template,
        title=at.parts[-1] if at.parts else words("nav.files"),
        crumbs=crumbs,
        section="files",
        status=status,
        at=at,
        here=address(request, at.parts),
        above=address(request, at.parts[:-1], folder=True),
        **view,
    )


def _may_change(at: Where, found: FoundFile) -> bool:
    return at.writable and isinstance(found, OpenFile)


def _names(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


_QUERY = (
    Param("find", "Only entries with this text in their names."),
    Param("sort", "`name`, `size` or `modified`; with `-` downwards."),
    Param("page", "Which 200 entries of a directory.", "integer"),
    Param("download", "The file itself.", "boolean"),
    Param("delete", "Ask whether to delete it.", "boolean"),
    Param("new", "A file that isn't there yet."),
)
ROUTES = (
    Route(
        method="GET",
        path="/ui/{app}/files/{path*}",
        handler=show,
        operation="page.files",
        scope="page",
        summary="A directory or a file of an app.",
        tag="pages",
        query=_QUERY,
        answers={
            200: Answer(
                "A page, or with `download` the file.",
                str,
                (HTML, TEXT, "application/octet-stream"),
            ),
            303: Answer(
                "To the sign-in page, or to a new file's.", media=(), headers=("Location",)
            ),
        },
    ),
)
