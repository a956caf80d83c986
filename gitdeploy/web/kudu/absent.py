"""What Kudu has and this server hasn't: lists that are empty, and 501 with a sentence for the rest."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from gitdeploy.errors import NotFound
from gitdeploy.web.answers import as_json
from gitdeploy.web.errors import PROBLEM, Unsupported
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.route import Answer, Handler, Route, RouteScope

UNSUPPORTED = {501: Answer("What it would take, and why not.", media=(PROBLEM,))}
_EXTENSIONS = ("siteextensions", "extensionfeed")


def unsupported(what: str, fix: str) -> Handler:
    """A handler that answers 501 with these sentences."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise Unsupported(what, fix)

    return refuse


async def no_extensions(request: web.Request) -> web.Response:
    """Kudu filters by `?filter=`; nothing is nothing."""
    return as_json([])


async def no_such_extension(request: web.Request) -> web.Response:
    extension = request.match_info["id"]
    raise NotFound(
        f"There is no site extension {extension[:100]!r}: this server has none.",
        "Deploy what it does with the site, or as a job.",
    )


def _extensions() -> Iterator[Route]:
    for name in _EXTENSIONS:
        yield Route(
            method="GET",
            path=f"{API}/{name}",
            aliases=spellings(name),
            handler=no_extensions,
            operation=f"{name}.list",
            scope="read",
            summary="Site extensions: there are none.",
            tag="diagnostics",
            answers={200: Answer("An empty list.", list[dict[str, str]])},
        )
        yield Route(
            method="GET",
            path=f"{API}/{name}/{{id}}",
            aliases=spellings(f"{name}/{{id}}"),
            handler=no_such_extension,
            operation=f"{name}.get",
            scope="read",
            summary="One of them: there is none.",
            tag="diagnostics",
            answers={404: Answer("Always.", media=(PROBLEM,))},
        )
    sentences = (
        "Site extensions aren't supported: they run inside Kudu's own web server.",
        "Deploy what the extension does with the site, or as a job.",
    )
    for method in ("PUT", "DELETE"):
        yield _refused(method, "siteextensions/{id}", "deploy", *sentences)


def _refused(method: str, path: str, scope: RouteScope, what: str, fix: str) -> Route:
    words = [part for part in path.split("/") if not part.startswith("{")]
    noun, verb = words[0], "_".join([*words[1:], method.lower(), *path.count("{") * ("one",)])
    return Route(
        method=method,
        path=f"{API}/{path}",
        aliases=spellings(path),
        handler=unsupported(what, fix),
        operation=f"{noun}.{verb}",
        scope=scope,
        summary="Not supported.",
        tag="diagnostics",
        answers=UNSUPPORTED,
        writes=False,
    )


_FUNCTIONS = (
    "Functions aren't supported.",
    "Write what the function does as a triggered job, App_Data/jobs/triggered/NAME.",
)
_IMAGES = (
    "Container images aren't deployed here.",
    "Push the site with git, or send it with POST api/zipdeploy.",
)
_WARS = (
    "War files aren't deployed here: there is no servlet container.",
    "Send what is to run as a zip with POST api/zipdeploy, and start it from a job.",
)
ROUTES = (
    *_extensions(),
    *(
        _refused(method, path, "read" if method == "GET" else "deploy", *_FUNCTIONS)
        for method in ("GET", "POST", "PUT", "DELETE")
        for path in ("functions", "functions/{path*}")
    ),
    _refused("POST", "app/update", "deploy", *_IMAGES),
    _refused("POST", "wardeploy", "deploy", *_WARS),
)
