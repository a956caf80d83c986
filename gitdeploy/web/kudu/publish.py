"""`/api/publish`, Kudu's OneDeploy: a zip or one file into the site, by `type` and `path`."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from gitdeploy.deploy.content import File, Unzipped, WholeSite, site_path
from gitdeploy.deploy.source import Source
from gitdeploy.errors import Invalid
from gitdeploy.web.errors import Unsupported
from gitdeploy.web.incoming import receive
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.site_change import check_unlocked
from gitdeploy.web.kudu.zipdeploy import ANSWERS, WHO, answer
from gitdeploy.web.requests import flag
from gitdeploy.web.route import JSON, Answer, Body, Param, Route

TYPES = ("zip", "static", "startup", "script")
_JAVA = ("war", "jar", "ear", "lib")
_MESSAGE = "OneDeploy"  # Kudu's
_SITE, _SCRIPTS = "home/site/wwwroot", "home/site/scripts"
_HOMES = ("%home%", "$home")
_STARTUP = "startup.sh"


class Wanted(NamedTuple):
    """What the query asks for: `at` is a path from the site's root."""

    type: str
    at: str
    clean: bool


async def put(request: web.Request) -> web.Response:
    """Deploy the body; answered when it is live, or at once with `async=true`."""
    clean = flag(request, "clean") if "clean" in request.query else None
    wanted = wanted_by(request.query.get("type", ""), request.query.get("path", ""), clean)
    wait = not flag(request, "async")
    for accepted in ("restart", "ignorestack", "ignoreStack"):
        flag(request, accepted)  # changed jobs are swapped, and no stack is asked for
    check_unlocked(request, wait_turn=False)
    file = await receive(request, references=True)
    content: Source
    if wanted.type == "zip":
        whole = wanted.clean and not wanted.at
        content = WholeSite(file) if whole else Unzipped(file, wanted.at, clean=wanted.clean)
    else:
        folder = wanted.at.rpartition("/")[0]
        content = File(
            file,
            wanted.at,
            executable=wanted.type != "static",
            clean=folder if wanted.clean else None,
        )
    return await answer(request, content, trigger="publish", wait=wait, message=_MESSAGE)


def wanted_by(kind: str, path: str, clean: bool | None) -> Wanted:
    """What `type`, `path` and `clean` come to. Raises Invalid, Unsupported.

    Rules and defaults: Kudu, PushDeploymentController.OneDeploy: a zip cleans its directory, a
    file doesn't, a file's path is needed and doesn't end in a slash.
    """
    kind = kind.lower()
    if kind in _JAVA:
        raise Unsupported(f"type={kind} is for Java servers.", f"Send type={'|'.join(TYPES)}.")
    if kind not in TYPES:
        raise Invalid(f"type={kind[:40]!r} isn't known.", f"Send type={'|'.join(TYPES)}.")
    if kind == "zip":
        return Wanted(kind, site_path(_from_site(path, _SITE)), clean is None or clean)
    if kind == "startup":
        return Wanted(kind, _STARTUP, bool(clean))
    if not path.strip("/ ") or path.endswith("/"):
        raise Invalid(f"path={path[:200]!r} isn't a file's.", f"type={kind} needs path=DIR/FILE.")
    if kind == "script":
        return Wanted(kind, site_path(f"scripts/{_from_site(path, _SCRIPTS)}"), bool(clean))
    at = site_path(_from_site(path, _SITE))
    if clean and "/" not in at:
        raise Invalid(
            "clean=true would leave nothing of the site but this file.",
            "Leave clean out, or give a path with a directory.",
        )
    return Wanted(kind, at, bool(clean))


def _from_site(path: str, root: str) -> str:
    """A path from the site's root on: Kudu's clients give absolute ones too. Raises Invalid."""
    plain = path.strip("/")
    home = plain.partition("/")[0].lower()
    if home in _HOMES:
        plain = f"home/{plain[len(home) + 1 :]}"
    elif not path.startswith("/") and home != "home":
        return plain
    if plain != root and not plain.startswith(f"{root}/"):
        raise Invalid(
            f"path={path[:200]!r} isn't below /{root}/.", "Give a path relative to that directory."
        )
    return plain.removeprefix(root).strip("/")


def _route(method: str) -> Route:
    return Route(
        method=method,
        path=f"{API}/publish",
        aliases=spellings("publish"),
        handler=put,
        operation="site.publish" if method == "POST" else "site.publish_put",
        scope="deploy",
        summary="Deploy a zip or one file into the site.",
        tag="deployments",
        query=(
            Param("type", ", ".join(TYPES)),
            Param("path", "Where to, from the site's root or from /home on."),
            Param("clean", "Remove what else is in that directory; a zip does.", "boolean"),
            Param("async", "Answer before it is live.", "boolean"),
            Param("restart", "Taken, and of no effect: changed jobs are swapped.", "boolean"),
            Param("ignorestack", "Taken, and of no effect.", "boolean"),
            *WHO,
        ),
        body=Body(bytes, ("application/zip", "application/octet-stream", JSON)),
        answers={**ANSWERS, 501: Answer("A type for Java servers.")},
    )


ROUTES = (_route("POST"), _route("PUT"))
