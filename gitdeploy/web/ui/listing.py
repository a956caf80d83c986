"""A directory as a table: filtered, sorted, a page at a time. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitdeploy.web.files import DIRECTORY, LINK, Listed

PAGE = 200
SORTS = ("name", "size", "modified")


class Entry(NamedTuple):
    """A row; one with a backslash in its name has no address, as no path may have one."""

    name: str
    kind: str
    size: int
    modified: int
    addressable: bool

    @property
    def icon(self) -> str:
        return {"folder": "folder", "link": "link"}.get(self.kind, "file")


class Listing(NamedTuple):
    """A page of a directory; `found` are all that the filter lets through."""

    rows: list[Entry]
    found: int
    number: int
    last: int


def listing(entries: Sequence[Listed], *, find: str, sort: str, number: int) -> Listing:
    """The page `number` (from 1). `sort` is one of SORTS, with `-` before it for downwards;
    directories stand before files in any case."""
    wanted = [one for one in entries if find.casefold() in one.name.casefold()]
    key = sort.removeprefix("-")
    wanted.sort(key=lambda one: one.name.casefold())
    if key != "name":
        wanted.sort(key=lambda one: one.size if key == "size" else one.modified)
    if sort.startswith("-"):
        wanted.reverse()
    wanted.sort(key=lambda one: one.media != DIRECTORY)
    last = max(1, -(-len(wanted) // PAGE))
    number = min(max(1, number), last)
    rows = [_entry(one) for one in wanted[(number - 1) * PAGE : number * PAGE]]
    return Listing(rows, len(wanted), number, last)


def _entry(one: Listed) -> Entry:
    kind = {DIRECTORY: "folder", LINK: "link"}.get(one.media, "file")
    addressable = kind != "link" and "\\" not in one.name
    return Entry(one.name, kind, one.size, one.modified, addressable)
