"""Style sheets, scripts and fonts: read once, made small once, named by what is in them.

An address has a hash of all assets in it, so that a browser may keep them for ever
(RFC 8246) and a script finds the modules beside it under the same hash.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web
from rjsmin import jsmin

from gitdeploy.errors import NotFound
from gitdeploy.web.route import Answer, Route

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_FONTS = "css/01-fonts.css"
_PACKED = frozenset({"woff2"})  # compressed as they are
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `packed` is None where compressing it gains nothing."""

    body: bytes
    packed: bytes | None
    media: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them by path; `build` is the hash."""

    build: str
    files: dict[str, Asset]


@cache
def assets() -> Assets:
    """Read from the package. Style sheets are one file, made of its parts in the order of names."""
    found: dict[str, bytes] = {}
    _collect(resources.files("gitdeploy.web.ui").joinpath("static"), "", found)
    if "fonts/inter.woff2" not in found:  # built where the font tools failed
        del found[_FONTS]
    sheets = sorted(path for path in found if path.startswith("css/"))
    sheet = b"\n".join(found.pop(path) for path in sheets)
    found["app.css"] = sheet
    for path, body in found.items():
        if path.endswith(".js"):
            found[path] = jsmin(body.decode()).encode()
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(f"{path}\0{len(found[path])}\0".encode() + found[path])
    files = {path: _asset(path, body) for path, body in found.items()}
    return Assets(digest.hexdigest()[:12], files)


def _collect(folder: Traversable, above: str, found: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        path = f"{above}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{path}/", found)
        elif path.rpartition(".")[2] in _TYPES:
            found[path] = entry.read_bytes()


def _asset(path: str, body: bytes) -> Asset:
    ending = path.rpartition(".")[2]
    packed = None if ending in _PACKED else gzip.compress(body, 9, mtime=0)
    return Asset(body, packed, _TYPES[ending])


async def get(request: web.Request) -> web.Response:
    """An asset by its address; with the hash of another build it is sent too, but not kept."""
    known = assets()
    asset = known.files.get(request.match_info["path"])
    if asset is None:
        raise NotFound("There is no such asset.")
    headers = {"Vary": "Accept-Encoding", "Content-Type": asset.media}
    headers["Cache-Control"] = (
        _FOREVER if request.match_info["build"] == known.build else "no-cache"
    )
    body = asset.body
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = asset.packed
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, headers=headers)


ROUTES = (
    Route(
        method="GET",
        path="/ui/-/static/{build}/{path*}",
        handler=get,
        operation="page.asset",
        scope="open",
        summary="A style sheet, script or font of the pages.",
        tag="pages",
        answers={200: Answer("The file.", bytes, ("text/css", "text/javascript", "font/woff2"))},
    ),
)
