"""`/openapi.json`: OpenAPI 3.1 of every path that answers, from the table of routes itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gitdeploy import __version__
from gitdeploy.web.errors import PROBLEM, Problem, phrase
from gitdeploy.web.route import HTML, JSON, Answer, Route

Schema = dict[str, Any]

_TAGS = {
    "git": "Fetch and push with git.",
    "apps": "Apps: a name, a repository, settings, jobs.",
    "jobs": "Continuous and triggered jobs, as Kudu's clients know them.",
    "deployments": "What was deployed, and how to deploy.",
    "hooks": "Telling others what happens.",
    "settings": "App settings: the environment of jobs and builds.",
    "files": "The site, its data and logs, one by one or as a zip.",
    "logs": "Output and events as they come.",
    "diagnostics": "What runs, with what, and commands; as Kudu's clients know it.",
    "tokens": "Tokens and the audit log.",
    "operations": "For load balancers and operators.",
    "pages": "For people.",
}
_PARAM = re.compile(r"\{([a-z_]+)\*?\}")
_PARAMS = {
    "build": "The hash of all assets, as pages name it.",
    "app": "The app's name.",
    "name": "Anything; the app is told by the base.",
    "job": "The job's name, whose case doesn't matter.",
    "run": "The run's id.",
    "id": "Its id.",
    "key": "The setting's name.",
    "entry": "The entry's id.",
    "event": "The event's name.",
    "n": "The delivery's number.",
    "path": "What follows.",
}
_REFUSALS = {
    "open": (),
    "page": (403, 404),
    "read": (401, 403, 404),
    "run": (401, 403, 404, 409),
    "deploy": (400, 401, 403, 404, 409, 413),
    "admin": (400, 401, 403, 404, 409),
}


def document(routes: Iterable[Route]) -> Schema:
    """The document; every spelling of a path is in it, the older ones as deprecated."""
    served = [route for route in routes if route.scope is not None]
    schemas, components = _components(served)
    paths: dict[str, Schema] = {}
    for route in served:
        for number, path in enumerate(route.paths):
            template = _PARAM.sub(r"{\1}", path)
            operation = _operation(route, template, number, schemas)
            paths.setdefault(template, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gitdeploy",
            "version": __version__,
            "description": "Every path answers with and without a slash at its end.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "responses": {str(status): _refusal(status) for status in _all_refusals()},
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name, a token as the password.",
                },
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token."},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "gitdeploy_session",
                    "description": "Pages below /ui only.",
                },
            },
        },
    }


def _operation(route: Route, path: str, number: int, schemas: dict[Any, Schema]) -> Schema:
    operation: Schema = {
        "operationId": route.operation if number == 0 else f"{route.operation}.{number + 1}",
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route, path),
        "responses": _responses(route, schemas),
        "security": _security(route),
    }
    if number:
        operation["deprecated"] = True
        operation["description"] = f"Another spelling of {route.path}."
    if route.scope not in ("open", "page"):
        operation["x-scope"] = route.scope
    if route.body is not None:
        operation["requestBody"] = {
            "required": route.body.required,
            "content": {media: {"schema": schemas[route.body.type]} for media in route.body.media},
        }
    return operation


def _parameters(route: Route, path: str) -> list[Schema]:
    found: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PARAMS[name],
            "schema": {"type": "string"},
        }
        for name in _PARAM.findall(path)
    ]
    found += [
        {
            "name": param.name,
            "in": "query",
            "description": param.summary,
            "schema": {"type": param.type},
        }
        for param in route.query
    ]
    return found


def _responses(route: Route, schemas: dict[Any, Schema]) -> Schema:
    assert route.scope is not None
    responses: Schema = {
        str(status): {"$ref": f"#/components/responses/{status}"}
        for status in _REFUSALS[route.scope]
    }
    for status, answer in route.answers.items():
        responses[str(status)] = _response(answer, status, schemas)
    responses["default"] = {"$ref": "#/components/responses/default"}
    return dict(sorted(responses.items()))


def _response(answer: Answer, status: int, schemas: dict[Any, Schema]) -> Schema:
    response: Schema = {"description": answer.summary}
    if status >= 400 and answer.type is None:
        response["content"] = {PROBLEM: {"schema": schemas[Problem]}}
    elif answer.type is not None and answer.media:
        response["content"] = {
            media: {"schema": schemas[answer.type] if media == JSON else {"type": "string"}}
            for media in answer.media
        }
    if answer.headers:
        response["headers"] = {name: {"schema": {"type": "string"}} for name in answer.headers}
    return response


def _refusal(status: int | str) -> Schema:
    words = "Anything else that goes wrong" if status == "default" else phrase(int(status))
    return {
        "description": f"{words}.",
        "content": {
            PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}},
            HTML: {"schema": {"type": "string"}},
        },
    }


def _security(route: Route) -> list[Schema]:
    if route.scope == "open":
        return []
    if route.scope == "page":
        return [{"session": []}]
    known: list[Schema] = [{"basic": []}, {"bearer": []}]
    return [*known, {}] if route.public or route.signed else known


def _all_refusals() -> list[int | str]:
    return [*sorted({status for some in _REFUSALS.values() for status in some}), "default"]


def _components(routes: list[Route]) -> tuple[dict[Any, Schema], Schema]:
    """The schema of each type that routes name, and the named ones among their parts."""
    types: dict[Any, None] = {Problem: None, str: None}
    for route in routes:
        if route.body is not None:
            types[route.body.type] = None
        for answer in route.answers.values():
            if answer.type is not None:
                types[answer.type] = None
    schemas, components = msgspec.json.schema_components(
        list(types), ref_template="#/components/schemas/{name}"
    )
    return dict(zip(types, schemas, strict=True)), components
