"""/openapi.json against the table of routes and against the server itself."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from openapi_spec_validator import OpenAPIV31SpecValidator

from gitdeploy.web import ROUTES
from gitdeploy.web.route import JSON
from tests.integration.web.conftest import SITE, Client, Site
from tests.support import eventually


async def test_the_document_is_valid_openapi_3_1(admin: Client) -> None:
    answer = await admin.with_token(None).get("/openapi.json")
    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(answer.json).validate()


async def test_the_document_and_the_table_name_the_same_paths(admin: Client) -> None:
    document = (await admin.get("/openapi.json")).json
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    served = {
        (route.method, re.sub(r"\*\}", "}", path))
        for route in ROUTES
        if route.scope
        for path in route.paths
    }
    assert described == served
    operations = [o["operationId"] for m in document["paths"].values() for o in m.values()]
    assert len(operations) == len(set(operations))


async def test_every_get_answers_as_the_document_says(admin: Client, shop: Site) -> None:
    """Each GET is asked with things that exist; status, type and fields are those described."""
    commit = await shop.deploy(SITE)
    for family in ("settings", "diagnostics/settings"):
        await admin.ask("POST", f"/apps/shop/api/{family}", {"KEY": "value"})
    started = await admin.ask("POST", "/apps/shop/api/triggeredwebjobs/report/run")
    run_id = started.headers["Location"].rpartition("/")[2]

    async def ended() -> bool:
        return bool((await admin.get(started.headers["Location"])).json["end_time"])

    await eventually(ended)
    entries = (await admin.get(f"/apps/shop/api/deployments/{commit}/log")).json
    hook = await admin.ask(
        "POST", "/apps/shop/api/hooks", {"url": "https://93.184.216.34/", "event": "Custom"}
    )
    ids = {"process.get": "0"} | dict.fromkeys(
        ("hook.get", "hook.deliveries", "page.hook"), hook.json["id"]
    )
    values = {
        "app": "shop",
        "name": "any",
        "id": commit,
        "run": run_id,
        "key": "KEY",
        "build": "any",
        "entry": entries[0]["id"],
    }
    signed_in = await admin.ask("POST", "/ui/sign-in", b"token=" + (admin.token or "").encode())
    cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
    asked = 0
    for route in ROUTES:
        if route.method != "GET" or not route.scope:
            continue
        continuous = "continuous" in route.operation or route.operation in (
            "page.job_log",
            "page.job_lines",
            "page.output",
        )
        values["job"] = "ticker" if continuous else "report"
        values["id"] = ids.get(route.operation, commit)
        files = route.operation in ("vfs.get", "zip.get")
        values["path*"] = "data/jobs/triggered/" if files else "jobs/continuous/ticker"
        if route.operation == "page.asset":
            values["path*"] = "app.css"
        if route.operation == "page.files":
            values["path*"] = "site/wwwroot"
        for template in route.paths:
            path = re.sub(r"\{([a-z]+\*?)\}", lambda m: values[m[1]], template)
            if route.operation == "git.refs":
                path += "?service=git-upload-pack"
            headers = {**admin._headers(None), "Cookie": cookie}
            streams = any("text/event-stream" in one.media for one in route.answers.values())
            page = route.tag == "pages" and not streams
            headers["Accept"] = "text/html" if page else "*/*"
            async with admin.session.get(
                admin.url + path, headers=headers, allow_redirects=False
            ) as response:
                asked += 1
                assert response.status in route.answers, (path, response.status)
                answer = route.answers[response.status]
                if answer.media:
                    assert response.content_type in answer.media, path
                if response.content_type == JSON and answer.type is not None:
                    body = await response.read()
                    check(body, answer.type)
                response.close()
    assert asked > 90


def check(body: bytes, kind: Any) -> None:
    """The body has the type's fields and no others."""
    value = msgspec.json.decode(body, type=kind)
    assert msgspec.json.decode(msgspec.json.encode(value)) == msgspec.json.decode(body)


async def test_every_operation_is_complete(admin: Client) -> None:
    for route in ROUTES:
        assert route.summary.endswith((".", ")")), route.operation
        assert route.answers, route.operation
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", route.operation)
        assert route.tag
