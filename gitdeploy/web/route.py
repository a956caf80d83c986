"""`Route`: one line of the table from which the server and its OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from gitdeploy.store.tokens import Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RouteScope = Literal["open", "page", "read", "run", "deploy", "admin"]

JSON = "application/json"
TEXT = "text/plain"
HTML = "text/html"
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
STREAM = (TEXT, NDJSON, SSE)
KiB = 1 << 10
MiB = 1 << 20


@dataclass(frozen=True, slots=True)
class Param:
    """A query parameter."""

    name: str
    summary: str
    type: Literal["string", "boolean", "integer"] = "string"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a status code comes with: `type` is a msgspec type for JSON, `media` its content types."""

    summary: str
    type: Any = None
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What a request brings."""

    type: Any
    media: tuple[str, ...] = (JSON,)
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path that answers.

    `path` is a template whose parameters each fill a segment (or the part of one in front of a
    fixed ending, `{app}.git`); a last `{tail*}` takes the rest. `operation` is `noun.verb`, used
    in the audit log and as OpenAPI's operationId. `scope` is what the caller needs: without one
    the route isn't served. `open` needs nothing, `page` a session's cookie, the others a token.

    `query_scope` raises the scope where a query parameter has a value (git's
    `service=git-receive-pack`). `public` names a boolean option that opens the route. `signed`
    lets a request without credentials through to a handler that checks a signature itself.
    `creates` lets an admin through to an app that doesn't exist yet. `writes` puts the request
    into the audit log (default: every method but GET). `aliases` are older spellings of `path`.
    """

    method: str
    path: str
    handler: Handler
    operation: str
    scope: RouteScope | None
    summary: str
    tag: str
    answers: Mapping[int, Answer] = field(default_factory=dict)
    query: tuple[Param, ...] = ()
    body: Body | None = None
    aliases: tuple[str, ...] = ()
    query_scope: tuple[str, str, Scope] | None = None
    public: str | None = None
    signed: bool = False
    creates: bool = False
    writes: bool | None = None

    @property
    def audited(self) -> bool:
        return self.method != "GET" if self.writes is None else self.writes

    @property
    def paths(self) -> tuple[str, ...]:
        """The path and its other spellings."""
        return (self.path, *self.aliases)


FOLLOW = Param("follow", "Stay and send what is still to come.", "boolean")
TAIL = Param("tail", "Begin with the newest N lines.", "integer")
SELECT = (
    TAIL,
    Param("since", "Only what is as new: `10m`, seconds, `@EPOCH` or RFC 3339."),
    Param("grep", "Only lines with this text in them."),
    Param("ignore_case", "Compare the text in any case.", "boolean"),
)
AFTER = Param("after", "Go on behind this id; `Last-Event-ID` does the same.")
NO_CONTENT = Answer("Done.", media=())
FOUND = Answer("Redirect.", media=(), headers=("Location",))


def page(summary: str) -> dict[int, Answer]:
    """The answers of a page."""
    return {200: Answer(summary, str, (HTML,)), 303: Answer("To the sign-in page.", media=())}


def stream(summary: str) -> dict[int, Answer]:
    """The answers of a log or of events, in the three formats of the contract."""
    return {200: Answer(summary, str, STREAM)}
