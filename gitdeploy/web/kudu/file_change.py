"""Change one file or directory of an app: in `data/` in place, in `site/wwwroot/` by a new release.

What may be changed is asked of `check`, with what is there at that very moment.
"""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from gitdeploy.deploy.content import File, Folder, Removed, WholeSite, site_path
from gitdeploy.deploy.source import Source
from gitdeploy.errors import Conflict
from gitdeploy.web import placing
from gitdeploy.web.files import OpenFile, lasting_tag
from gitdeploy.web.incoming import spare
from gitdeploy.web.kudu.found import close
from gitdeploy.web.kudu.place import check_names, data_place, in_turn, read_only, site_place
from gitdeploy.web.kudu.site_change import begin, check_unlocked, live
from gitdeploy.web.kudu.site_files import active_site, open_site
from gitdeploy.web.placing import Check
from gitdeploy.web.services import services_of


class Place(NamedTuple):
    """Where something is written: names from the site's root, or from the app's data directory."""

    in_site: bool
    parts: list[str]

    @property
    def at(self) -> str:
        return "/".join(self.parts)


class Written(NamedTuple):
    """A file that was written; its time (µs) and ETag are None where it is gone again."""

    created: bool
    modified: int | None
    tag: str | None


def known_place(request: web.Request, parts: list[str]) -> Place:
    """Where the path leads. Raises ReadOnly where only the server writes, Conflict of a locked app."""
    site, data = site_place(parts), data_place(request, parts)
    if site is not None:
        check_unlocked(request, wait_turn=True)
        return Place(True, site)
    if data is not None:
        return Place(False, data)
    raise read_only(parts)


def check_new(place: Place, parts: list[str]) -> None:
    """Raises Invalid for names that can't be written."""
    check_names(parts)
    if place.in_site:
        site_path(place.at)


async def make_folder(request: web.Request, place: Place) -> None:
    """Make a directory and those above it."""
    if place.in_site:
        message = f"PUT site/wwwroot/{place.at}"
        content = Folder(place.at)
        row = await begin(request, content, trigger="vfs", wait_turn=True, message=message)
        await live(request, row)
        return
    root = services_of(request).home.app(request.match_info["app"]).data
    await in_turn(request, lambda: placing.make_folder(root, place.parts))


async def write_file(request: web.Request, place: Place, file: Path, check: Check) -> Written:
    """Put `file` there, which is used up by it; parents come along. Raises what `check` does."""
    if place.in_site:
        return await _write_site(request, place, file, check)
    root = services_of(request).home.app(request.match_info["app"]).data

    def work() -> Written:
        try:
            return Written(*placing.put_file(root, place.parts, file, check))
        finally:
            file.unlink(missing_ok=True)

    return await in_turn(request, work)


async def remove(
    request: web.Request, place: Place, check: Check, *, recursive: bool, is_folder: bool
) -> None:
    """Remove a file, which `check` is asked about, or a directory. Raises NotFound, Conflict."""
    if place.in_site:
        await _remove_site(request, place, check, recursive=recursive, is_folder=is_folder)
        return
    parts = place.parts
    if not parts or (parts[0] == "jobs" and len(parts) < 3):
        raise Conflict("This directory is always there.", "Delete what is in it.")
    root = services_of(request).home.app(request.match_info["app"]).data

    def work() -> None:
        if is_folder:
            placing.remove_folder(root, parts, recursive=recursive)
        else:
            placing.remove_file(root, parts, check)

    await in_turn(request, work)


async def _write_site(request: web.Request, place: Place, file: Path, check: Check) -> Written:
    created = False

    def look(there: Path, exists: bool) -> None:
        nonlocal created
        created = not exists
        check(_tag_at(there) if exists else None)

    content = File(file, place.at, check=look)
    message = f"PUT site/wwwroot/{place.at}"
    row = await begin(request, content, trigger="vfs", wait_turn=True, message=message)
    await live(request, row)
    now = await active_site(services_of(request), request.match_info["app"])
    found = None if now is None else await asyncio.to_thread(open_site, now, place.parts)
    try:
        if isinstance(found, OpenFile):
            return Written(created, found.modified, found.tag)
    finally:
        close(found)
    return Written(created, None, None)


async def _remove_site(
    request: web.Request, place: Place, check: Check, *, recursive: bool, is_folder: bool
) -> None:
    def look(there: Path, exists: bool) -> None:
        if not is_folder:
            check(_tag_at(there) if exists else None)

    content: Source = Removed(place.at, recursive=recursive, check=look)
    if not place.at:
        content = WholeSite(await asyncio.to_thread(_empty_zip, spare(request)))
    message = f"DELETE site/wwwroot/{place.at}"
    row = await begin(request, content, trigger="vfs", wait_turn=True, message=message)
    await live(request, row)


def _tag_at(file: Path) -> str:
    """The ETag under which the file is served: a link's is that of what it leads to."""
    try:
        return lasting_tag(file.stat())
    except OSError:
        return lasting_tag(file.lstat())


def _empty_zip(file: Path) -> Path:
    with zipfile.ZipFile(file, "w"):
        return file
