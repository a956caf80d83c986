"""Apps, tokens, the audit log and app settings."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from gitdeploy.app import Server
from gitdeploy.clock import SystemClock, rfc3339
from tests.integration.web.conftest import Client, Site
from tests.support import eventually


async def test_an_app_is_made_once_and_then_there(admin: Client, server: Server) -> None:
    first = await admin.ask("PUT", "/api/apps/shop")
    again = await admin.ask("PUT", "/api/apps/shop")
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json == (await admin.get("/api/apps/shop")).json
    assert first.json["git_url"] == f"{server.url}/shop.git"
    assert first.headers["Location"] == f"{server.url}/api/apps/shop"
    assert (await admin.get("/api/apps")).json == [first.json]


@pytest.mark.parametrize("name", ["Shop", "-shop", "shop-", "a" * 64, "a_b", "sign-in", "ä"])
async def test_a_bad_name_makes_no_app(admin: Client, name: str) -> None:
    answer = await admin.ask("PUT", f"/api/apps/{name}")
    assert answer.status == 400
    assert "lower-case" in answer.json["fix"]
    assert (await admin.get("/api/apps")).json == []


async def test_many_who_make_the_same_app_at_once_make_one(admin: Client) -> None:
    answers = await asyncio.gather(*(admin.ask("PUT", "/api/apps/shop") for _ in range(8)))
    assert sorted(a.status for a in answers) == [200] * 7 + [201]


async def test_a_secret_goes_in_and_never_comes_out(admin: Client, shop: Site) -> None:
    body = {"branch": "release/2", "webhook_secret": "hush-hush-hush"}
    changed = await admin.ask("PATCH", "/api/apps/shop", body)
    assert changed.status == 200
    assert changed.json["branch"] == "release/2"
    assert changed.json["webhook_secret"] is True
    assert b"hush" not in changed.body
    taken = await admin.ask("PATCH", "/api/apps/shop", {"webhook_secret": None})
    assert taken.json["webhook_secret"] is False
    assert taken.json["branch"] == "release/2"
    default = await admin.ask("PATCH", "/api/apps/shop", {"branch": None})
    assert default.json["branch"] == "main"


@pytest.mark.parametrize(
    "body",
    [
        {"branch": "a..b"},
        {"branch": "-x"},
        {"branch": ""},
        {"branch": 3.5},
        {"webhook_secret": "short"},
        {"colour": "red"},
        [],
    ],
)
async def test_a_bad_change_changes_nothing(admin: Client, shop: Site, body: Any) -> None:
    before = (await admin.get("/api/apps/shop")).json
    answer = await admin.ask("PATCH", "/api/apps/shop", body)
    assert answer.status == 400
    assert (await admin.get("/api/apps/shop")).json == before


async def test_a_deleted_app_leaves_nothing(admin: Client, server: Server, shop: Site) -> None:
    await shop.deploy({"App_Data/jobs/continuous/t/run.py": "import time\ntime.sleep(99)\n"})
    await eventually(lambda: [v.pid for v in server.supervisor.jobs("shop") if v.pid])
    assert (await admin.ask("DELETE", "/api/apps/shop")).status == 204
    assert not server.home.app("shop").root.exists()
    assert (await admin.get("/api/apps/shop")).status == 404
    assert (await admin.ask("DELETE", "/api/apps/shop")).status == 404
    assert await server.store.executions.open(server.events.log._context["instance"]) == []
    assert (await admin.ask("PUT", "/api/apps/shop")).status == 201


async def test_a_token_is_shown_once_and_only_its_hash_is_kept(
    admin: Client, server: Server
) -> None:
    wanted = {
        "name": "ci",
        "scopes": ["deploy"],
        "apps": ["shop"],
        "expires": "2099-01-01T00:00:00Z",
    }
    made = await admin.ask("POST", "/api/tokens", wanted)
    assert made.status == 201
    assert set(made.json) == {"id", "name", "scopes", "apps", "expires", "token"}
    secret = made.json["token"]
    assert secret.startswith("gd_")
    assert len(secret) == 3 + 43
    listed = (await admin.get("/api/tokens")).json
    assert listed == [{k: v for k, v in made.json.items() if k != "token"}]
    assert secret.encode() not in server.home.database.read_bytes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "administrator"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["write"]}, "scopes"),
        ({"apps": ["No"]}, "No"),
        ({"expires": "2001-01-01T00:00:00Z"}, "expires"),
        ({"expires": "2099-01-01T00:00:00"}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"scope": "read"}, "scope"),
    ],
)
async def test_a_bad_token_request_names_what_is_wrong(
    admin: Client, change: dict[str, Any], named: str
) -> None:
    answer = await admin.ask("POST", "/api/tokens", {"name": "x", "scopes": ["read"], **change})
    assert answer.status == 400
    assert named in answer.json["detail"]
    assert (await admin.get("/api/tokens")).json == []


async def test_every_write_is_in_the_audit_log_newest_first(admin: Client, shop: Site) -> None:
    client = await admin.token_for("deploy", apps=["shop"])
    await client.ask("POST", "/apps/shop/api/settings", {"A": "1"})
    await client.ask("POST", "/apps/shop/api/triggeredwebjobs/missing/run")
    await client.ask("DELETE", "/api/apps/shop")
    await client.get("/apps/shop/api/settings")
    await admin.with_token("wrong").ask("POST", "/apps/shop/api/settings", {"A": "2"})
    entries = (await admin.get("/api/audit?limit=4")).json
    assert [(e["what"], e["on"], e["result"]) for e in entries[:3]] == [
        ("app.delete", "shop", "403 Forbidden"),
        ("triggered.run", "shop/missing", "404 Not Found"),
        ("settings.merge", "shop: A", "204 No Content"),
    ]
    assert entries[3]["what"] == "token.create"
    assert {e["who"] for e in entries[:3]} == {"deploy"}
    assert entries[0]["from"] == "127.0.0.1"
    assert entries[0]["ts"] > entries[2]["ts"]


async def test_settings_are_merged_read_and_removed(admin: Client, shop: Site) -> None:
    path = "/apps/shop/api/settings"
    body = {"NAME": "value", "COUNT": 3, "ON": True, "GREETING": "grüße"}
    assert (await admin.ask("POST", path, body)).status == 204
    assert (await admin.get(path)).json == {
        "NAME": "value",
        "COUNT": "3",
        "ON": "true",
        "GREETING": "grüße",
    }
    await admin.ask("POST", path, {"NAME": "other", "ON": None})
    assert (await admin.get(f"{path}/NAME")).json == "other"
    assert (await admin.get(f"{path}/ON")).status == 404
    assert (await admin.ask("DELETE", f"{path}/NAME")).status == 204
    assert set((await admin.get("/apps/shop/settings")).json) == {"COUNT", "GREETING"}


@pytest.mark.parametrize(
    "body", [{"": "x"}, {"A=B": "x"}, {"A": ["x"]}, {"A": "x\0"}, {"A": "y" * 40000}, ["A"], "A"]
)
async def test_bad_settings_change_nothing(admin: Client, shop: Site, body: Any) -> None:
    path = "/apps/shop/api/settings"
    await admin.ask("POST", path, {"KEPT": "yes"})
    bad = {**body, "KEPT": "no"} if isinstance(body, dict) else body
    assert (await admin.ask("POST", path, bad)).status == 400
    assert (await admin.get(path)).json == {"KEPT": "yes"}


async def test_a_body_over_the_limit_is_refused(admin: Client, shop: Site) -> None:
    answer = await admin.ask("POST", "/apps/shop/api/settings", b"x" * ((1 << 20) - 1))
    assert answer.status == 400
    answer = await admin.ask("POST", "/apps/shop/api/settings", io.BytesIO(b"x" * (2 << 20)))
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_stream_ends_with_the_token_that_opened_it(admin: Client, shop: Site) -> None:
    made = await admin.ask("POST", "/api/tokens", {"name": "reader", "scopes": ["read"]})
    reader = admin.with_token(made.json["token"])
    async with reader.stream("/apps/shop/api/events", accept="text/event-stream") as response:
        assert response.status == 200
        await admin.ask("DELETE", f"/api/tokens/{made.json['id']}")
        async with asyncio.timeout(20):
            rest = await response.content.read()  # it ends
    assert b"token.deleted" not in rest
    assert (await reader.get("/apps/shop/api/deployments")).status == 401


async def test_a_stream_ends_when_its_token_expires(admin: Client, shop: Site) -> None:
    expires = rfc3339(SystemClock().now() + 1_500_000)
    made = await admin.ask(
        "POST", "/api/tokens", {"name": "brief", "scopes": ["read"], "expires": expires}
    )
    assert made.status == 201, made.text
    reader = admin.with_token(made.json["token"])
    async with reader.stream("/apps/shop/api/events", accept="text/event-stream") as response:
        assert response.status == 200
        async with asyncio.timeout(20):
            await response.content.read()


@pytest.mark.parametrize("branch", ["refs/heads/main", "refs/tags/v1"])
async def test_a_branch_is_a_branchs_name_and_no_ref(
    admin: Client, shop: Site, branch: str
) -> None:
    refused = await admin.ask("PATCH", "/api/apps/shop", {"branch": branch})
    assert refused.status == 400
    assert branch in refused.text
