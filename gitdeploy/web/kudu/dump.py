"""`/api/dump`: all logs of an app as one zip, made while it is sent, with secrets masked.

It is meant to be handed to somebody who helps, so more is masked than where the app's own people
read: also the values of app settings that are named like secrets.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing

from aiohttp import web

from gitdeploy.clock import to_datetime
from gitdeploy.events import Redactor
from gitdeploy.events.redact import MASK
from gitdeploy.home import AppHome
from gitdeploy.web.files import open_below
from gitdeploy.web.kudu.found import Found, directories
from gitdeploy.web.kudu.paths import API, spellings
from gitdeploy.web.kudu.place import MEASURES, tree_of
from gitdeploy.web.kudu.tree import Tree
from gitdeploy.web.kudu.zip import ZIP, send
from gitdeploy.web.kudu.zip_tree import pack_tree
from gitdeploy.web.route import Answer, Route
from gitdeploy.web.services import services_of

_SECRET = re.compile(
    r"(?i)passw|passwd|pwd|secret|token|credential|private|api_?key|_key$|^key$|connectionstring"
    r"|connstr|_dsn$|_sas$|signature|^(SQL|MYSQL|SQLAZURE|CUSTOM|POSTGRESQL)(AZURE)?CONNSTR_"
)
_SHORTEST = 8
_LINE = 1 << 20
_PIECE = 64 << 10  # what is searched at once keeps everybody else waiting: 3 ms


class Logs:
    """What is in the zip, asked for by path as vfs is: Kudu's folders, and the app's events."""

    def __init__(self, tree: Tree, home: AppHome) -> None:
        self._tree = tree
        self._home = home

    async def find(self, parts: list[str]) -> Found | None:
        """A directory's entries, or what its file is; None where there is nothing."""
        match parts:
            case []:
                return directories(("LogFiles", "deployments"), self._home.root)
            case ["deployments", *below]:
                return await self._tree.find(["site", "deployments", *below])
            case ["LogFiles"]:
                return directories(("events", "jobs"), self._home.root)
            case ["LogFiles", "events", *below]:
                return await asyncio.to_thread(open_below, self._home.root, ["events", *below])
            case ["LogFiles", "jobs", *below]:
                return await self._tree.find(parts)
        return None


async def get(request: web.Request) -> web.StreamResponse:
    services, app = services_of(request), request.match_info["app"]
    settings = await services.store.apps.settings(app)
    mask = Mask(services.events.redactor, secrets_of(settings))

    def through(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        return masked(pieces, mask)

    logs = Logs(tree_of(request), services.home.app(app))
    pieces = pack_tree(logs, [], services, request.app[MEASURES], through=through)
    name = to_datetime(services.clock.now()).strftime("dump-%m-%d-%H-%M-%S.zip")  # Kudu's
    headers = {"Content-Type": ZIP, "Content-Disposition": f'attachment; filename="{name}"'}
    return await send(request, pieces, headers)


def secrets_of(settings: Mapping[str, str]) -> Iterator[str]:
    """What has to be masked of settings that are named like secrets: each line of each value.

    Also as it stands in JSON. Shorter texts than 8 characters aren't masked: they are words.
    """
    for key, value in settings.items():
        if not _SECRET.search(key):
            continue
        for line in {value, *value.splitlines()}:
            if len(line.strip()) >= _SHORTEST:
                yield line
                yield json.dumps(line)[1:-1]
                yield json.dumps(line, ensure_ascii=False)[1:-1]


class Mask:
    """What is done to a text: the secrets that every log is rid of, and some more."""

    def __init__(self, redactor: Redactor, secrets: Iterable[str]) -> None:
        self._redactor = redactor
        self._secrets = sorted(set(secrets), key=len, reverse=True)

    def __call__(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return self._redactor.text(text).encode("utf-8", "surrogateescape")


async def masked(pieces: AsyncIterator[bytes], mask: Mask) -> AsyncGenerator[bytes, None]:
    """The pieces with secrets masked, line by line; a line past 1 MiB comes in parts."""
    rest = b""
    async with aclosing(pieces) as source:  # type: ignore[type-var]
        async for piece in source:
            for at in range(0, len(piece), _PIECE):
                rest += piece[at : at + _PIECE]
                end = rest.rfind(b"\n") + 1
                if not end and len(rest) < _LINE:
                    continue
                whole, rest = (rest[:end], rest[end:]) if end else (rest, b"")
                yield await asyncio.to_thread(mask, whole)
    if rest:
        yield await asyncio.to_thread(mask, rest)


ROUTES = (
    Route(
        method="GET",
        path=f"{API}/dump",
        aliases=spellings("dump"),
        handler=get,
        operation="app.dump",
        scope="read",
        summary="All logs of the app as a zip, secrets masked.",
        tag="logs",
        answers={200: Answer("The zip.", bytes, (ZIP,))},
    ),
)
