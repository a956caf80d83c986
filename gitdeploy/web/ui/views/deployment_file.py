"""`/ui/{app}/deployments/{id}/file?path=`: how one file differs between two deployments."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import os
from typing import NamedTuple

from aiohttp import web

from gitdeploy.deploy.difference import previous
from gitdeploy.errors import NotFound
from gitdeploy.logs import safe_text
from gitdeploy.store import Deployment
from gitdeploy.web.files import descriptor_below
from gitdeploy.web.route import Param, Route, page
from gitdeploy.web.services import Services, services_of
from gitdeploy.web.ui.comparison import snapshot_of
from gitdeploy.web.ui.render import Crumb, page_way, render, show_of
from gitdeploy.web.ui.views.deployment import row_of, short

_BYTES = 128 << 10
_LINES = 2000
"""Most of a file that is compared: difflib takes the square of it at worst."""
_TONES = {"+": "added", "-": "removed", "@": "hunk"}


class Line(NamedTuple):
    tone: str
    text: str


async def show(request: web.Request) -> web.Response:
    services, show, way = services_of(request), show_of(request), page_way(request)
    row = await row_of(request)
    path, wanted = request.query.get("path", ""), request.query.get("from", "")
    base = way.page(row.app, "deployments", row.id)
    if not path:  # all of them are listed there
        raise web.HTTPSeeOther(f"{base}#changes")
    if wanted:
        other = await services.store.deployments.get(row.app, wanted)
        if other is None:
            raise NotFound(f"{row.app} has no deployment {wanted[:100]!r}.")
    else:
        other = await previous(services.store, row)
    old = None if other is None else await _file(services, other, path)
    new = await _file(services, row, path)
    if old is None and new is None:
        raise NotFound(f"Neither deployment has a file {path[:200]!r}.")
    lines: list[Line] | None = None
    if not isinstance(old, str) and not isinstance(new, str):
        lines = await asyncio.to_thread(unified, old or b"", new or b"")
    return render(
        request,
        "deployment_file.html",
        title=path,
        crumbs=[
            Crumb(row.app, way.page(row.app)),
            Crumb(show.words("nav.deployments"), way.page(row.app, "deployments")),
            Crumb(short(row), base),
            Crumb(path),
        ],
        section="deployments",
        row=row,
        other=other,
        lines=lines,
        base=base,
    )


def unified(old: bytes, new: bytes) -> list[Line] | None:
    """The lines of a unified diff; None for what isn't text or is too long to compare."""
    if b"\0" in old + new:
        return None
    before, after = (
        text.decode("utf-8", "replace").removesuffix("\n").split("\n") if text else []
        for text in (old, new)
    )
    if max(len(before), len(after)) > _LINES:
        return None
    found = list(difflib.unified_diff(before, after, lineterm="", n=3))[2:]
    return [Line(_TONES.get(text[:1], ""), text[:1] + safe_text(text[1:])) for text in found]


async def _file(services: Services, row: Deployment, path: str) -> bytes | str | None:
    """What a deployment brought at a path; None where it had none, a reason where it isn't to be
    had: `large`, `gone`, `link` or `module`."""
    found = (await snapshot_of(services, row)).manifest.get(path)
    if found is None:
        return None
    mode, blob = found
    if mode == 0o160000:
        return "module"
    return await asyncio.to_thread(_read, services, row, path, blob)


def _read(services: Services, row: Deployment, path: str, blob: str) -> bytes | str:
    try:
        repository = services.repositories.open(row.app)
        if repository.blob_size(blob) > _BYTES:
            return "large"
        return repository.read_blob(blob)
    except NotFound:  # it came by a zip
        pass
    if row.release is None:
        return "gone"
    try:
        fd = descriptor_below(services.home.app(row.app).release(row.release), path.split("/"))
    except NotFound:
        return "link"
    if fd is None:
        return "gone"
    try:
        data = os.pread(fd, _BYTES + 1, 0)
    except IsADirectoryError:
        return "gone"
    finally:
        os.close(fd)
    if len(data) > _BYTES:
        return "large"
    # a build may have written another one in its place
    return data if _blob(data) == blob else "gone"


def _blob(data: bytes) -> str:
    """git's name of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


ROUTES = (
    Route(
        method="GET",
        path="/ui/{app}/deployments/{id}/file",
        handler=show,
        operation="page.deployment_file",
        scope="page",
        summary="How a file differs between two deployments.",
        tag="pages",
        query=(
            Param("path", "The file, from the root of what was deployed."),
            Param("from", "The deployment to compare with; without, the one before."),
        ),
        answers=page("The lines that differ."),
    ),
)
