"""Tokens, scopes, apps, throttling: every route of the table against every kind of caller."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gitdeploy.app import Server
from gitdeploy.web import ROUTES
from gitdeploy.web.route import Route
from tests.integration.web.conftest import ADMIN, Client, Site

ORDER = ("read", "run", "deploy", "admin")
GUARDED = [route for route in ROUTES if route.scope in ORDER]


def filled(path: str, app: str) -> str:
    values = {"app": app, "job": "j", "run": "r", "id": "i", "key": "k", "entry": "1", "name": "n"}
    values |= {"event": "PostDeployment", "n": "1"}
    return path.replace("{path*}", "application").format(**values)


async def status(client: Client, route: Route, path: str, query: str = "") -> int:
    """The status alone: some routes stream without end."""
    async with client.session.request(
        route.method, client.url + path + query, headers=client._headers(None)
    ) as response:
        found = response.status
        response.close()
        return found


async def test_every_guarded_path_refuses_strangers_and_lesser_scopes(
    admin: Client, shop: Site
) -> None:
    clients = {scope: await admin.token_for(scope) for scope in ORDER}
    stranger = admin.with_token(None)
    walked = 0
    for route in GUARDED:
        for path in route.paths:
            assert await status(stranger, route, filled(path, "shop")) == 401, path
            for scope in ORDER[: ORDER.index(route.scope or "")]:
                found = await status(clients[scope], route, filled(path, "shop"))
                assert found == 403, (scope, route.method, path)
                walked += 1
    assert walked > 50


async def test_every_guarded_path_lets_its_scope_and_the_higher_ones_through(
    admin: Client, shop: Site
) -> None:
    clients = {scope: await admin.token_for(scope) for scope in ORDER}
    for route in GUARDED:
        if route.operation in ("app.delete", "app.command"):  # gone; off unless allowed
            continue
        for scope in ORDER[ORDER.index(route.scope or "") :]:
            query = "?service=git-upload-pack" if route.operation == "git.refs" else ""
            found = await status(clients[scope], route, filled(route.path, "shop"), query)
            assert found not in (401, 403, 500), (scope, route.operation, found)


async def test_asking_for_refs_to_push_takes_more_than_to_fetch(admin: Client, shop: Site) -> None:
    client = await admin.token_for("run")
    for base in ("/shop.git", "/apps/shop.git", "/apps/shop"):
        fetch = await client.get(f"{base}/info/refs?service=git-upload-pack")
        push = await client.get(f"{base}/info/refs?service=git-receive-pack")
        assert (fetch.status, push.status) == (200, 403)
    unknown = "/nope.git/info/refs?service=git-receive-pack"
    assert (await (await admin.token_for("deploy")).get(unknown)).status == 404
    assert (await admin.get(unknown)).status == 200  # an admin's push makes the app


async def test_a_forbidden_app_and_an_unknown_one_answer_alike(admin: Client, shop: Site) -> None:
    other = await admin.token_for("deploy", apps=["other"])
    for route in GUARDED:
        if "{app}" not in route.path:
            continue
        known = await other.ask(route.method, filled(route.path, "shop"))
        unknown = await other.ask(route.method, filled(route.path, "nope"))
        assert known.status == unknown.status == 404, route.operation
        assert known.body.replace(b"shop", b"nope") == unknown.body


async def test_a_route_without_a_scope_is_not_served(server: Server) -> None:
    from gitdeploy.web.router import Table

    async def handler(request: Any) -> Any:
        raise AssertionError

    route = Route(
        method="GET", path="/x", handler=handler, operation="x.y", scope=None, summary="", tag=""
    )
    assert len(Table([route], scm_domain=None, expect=None)) == 0


async def test_a_token_for_some_apps_sees_those_alone(admin: Client, shop: Site) -> None:
    await admin.ask("PUT", "/api/apps/garden")
    client = await admin.token_for("admin", apps=["garden"])
    assert [app["name"] for app in (await client.get("/api/apps")).json] == ["garden"]
    assert (await client.get("/api/tokens")).status == 403
    assert (await client.ask("PUT", "/api/apps/new")).status == 404
    everything = (await admin.get("/api/apps")).json
    assert [app["name"] for app in everything] == ["garden", "shop"]


@pytest.mark.parametrize("user", ["", "anyone", "x-token-auth"])
async def test_basic_takes_any_user_with_a_token_as_password(admin: Client, user: str) -> None:
    pair = base64.b64encode(f"{user}:{ADMIN}".encode()).decode()
    stranger = admin.with_token(None)
    assert (await stranger.get("/api/apps", Authorization=f"Basic {pair}")).status == 200


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic YQ==", "Digest x", "Bearer", "Bearer \xff", "token " + ADMIN],
)
async def test_other_credentials_are_no_credentials(admin: Client, header: str) -> None:
    answer = await admin.with_token(None).get("/api/apps", Authorization=header)
    assert answer.status == 401


async def test_every_wrong_credential_is_told_the_same(admin: Client) -> None:
    bodies = set()
    for token in (None, "wrong", "gd_" + "x" * 43, ADMIN[:-1], ADMIN + "x"):
        answer = await admin.with_token(token).get("/api/apps")
        assert answer.status == 401
        bodies.add(answer.body)
    assert len(bodies) == 1


async def test_an_expired_token_is_no_token(admin: Client, server: Server) -> None:
    client = await admin.token_for("read")
    assert (await client.get("/api/apps")).status == 200

    def expire(c: Any) -> None:
        c.execute("UPDATE tokens SET expires_at = 1")

    await server.store.database.write(expire)
    assert (await client.get("/api/apps")).status == 401


async def test_a_deleted_token_is_no_token(admin: Client) -> None:
    made = await admin.ask("POST", "/api/tokens", {"name": "x", "scopes": ["read"]})
    client = admin.with_token(made.json["token"])
    assert (await client.get("/api/apps")).status == 200
    assert (await admin.ask("DELETE", f"/api/tokens/{made.json['id']}")).status == 204
    assert (await client.get("/api/apps")).status == 401
    assert (await admin.ask("DELETE", f"/api/tokens/{made.json['id']}")).status == 404


async def test_a_guesser_is_slowed_down_and_known_tokens_are_not(admin: Client) -> None:
    known = await admin.token_for("read")
    assert (await known.get("/api/apps")).status == 200
    fresh = await admin.token_for("read")  # good, but nobody has seen it yet
    guesser = admin.with_token("gd_" + "g" * 43)
    seen = [(await guesser.get("/api/apps")).status for _ in range(12)]
    assert seen[:10] == [401] * 10
    assert seen[10:] == [429] * 2
    refused = await guesser.get("/api/apps")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await fresh.get("/api/apps")).status == 429
    assert (await known.get("/api/apps")).status == 200
    assert (await admin.get("/api/apps")).status == 200
    assert (await admin.with_token(None).get("/healthz")).status == 200


async def test_a_client_that_keeps_using_a_revoked_token_locks_out_nobody_for_long(
    admin: Client, server: Server
) -> None:
    revoked = await admin.token_for("read")
    assert (await revoked.get("/api/apps")).status == 200
    assert (
        await admin.ask("DELETE", f"/api/tokens/{(await admin.get('/api/tokens')).json[0]['id']}")
    ).status == 204
    found = {(await revoked.get("/api/apps")).status for _ in range(40)}
    assert found == {401, 429}, "it is throttled like any other wrong token"
    fresh = await admin.token_for("read")
    answer = await fresh.get("/api/apps")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) <= 6


async def test_a_cookie_alone_opens_no_api_and_writes_nothing(admin: Client, shop: Site) -> None:
    stranger = admin.with_token(None)
    signed_in = await stranger.ask("POST", "/ui/sign-in", f"token={ADMIN}".encode())
    cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
    assert (await stranger.get("/ui/", Cookie=cookie)).status == 200
    for route in GUARDED:
        answer = await stranger.ask(
            route.method, filled(route.path, "shop"), headers={"Cookie": cookie}
        )
        assert answer.status == 401, route.operation
