"""Paths to routes."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.errors import Invalid
from gitdeploy.web import ROUTES
from gitdeploy.web.kudu.paths import spellings
from gitdeploy.web.route import Route
from gitdeploy.web.router import Table, route_of, split_path


async def handler(request: web.Request) -> web.StreamResponse:
    raise AssertionError


def route(method: str, path: str, *aliases: str) -> Route:
    return Route(
        method=method,
        path=path,
        aliases=aliases,
        handler=handler,
        operation=f"x.{method}{path}",
        scope="read",
        summary="",
        tag="",
    )


async def found(table: Table, method: str, path: str, host: str = "x") -> Any:
    request = make_mocked_request(method, path, headers={"Host": host})
    match, allowed = await table.resolve(request)
    if match is None:
        return allowed
    line = route_of(match)
    return None if line is None else (line.path, dict(match))


async def test_literals_win_over_endings_and_those_over_parameters() -> None:
    paths = ["/a/{x}", "/a/b", "/a/{x}.git", "/a/{x}/c", "/{x}", "/files/{path*}"]
    table = Table([route("GET", path) for path in paths], scm_domain=None, expect=None)
    assert await found(table, "GET", "/a/b") == ("/a/b", {})
    assert await found(table, "GET", "/a/b/") == ("/a/b", {})
    assert await found(table, "GET", "/a/q.git") == ("/a/{x}.git", {"x": "q"})
    assert await found(table, "GET", "/a/.git") == ("/a/{x}", {"x": ".git"})
    assert await found(table, "GET", "/a/b/c") == ("/a/{x}/c", {"x": "b"})
    assert await found(table, "GET", "/q") == ("/{x}", {"x": "q"})
    assert await found(table, "GET", "/files/a/b%20c") == ("/files/{path*}", {"path": "a/b c"})
    assert await found(table, "GET", "/a/b/d") == set()
    assert await found(table, "GET", "/a//c") == set()


async def test_a_wrong_method_is_told_from_a_wrong_path() -> None:
    routes = [route("GET", "/a/{x}"), route("PUT", "/a/{x}"), route("POST", "/a/b")]
    table = Table(routes, scm_domain=None, expect=None)
    assert await found(table, "DELETE", "/a/b") == {"GET", "HEAD", "PUT", "POST"}
    assert await found(table, "PUT", "/a/b") == ("/a/{x}", {"x": "b"})
    assert await found(table, "HEAD", "/a/b") == ("/a/{x}", {"x": "b"})


async def test_a_path_that_stands_in_the_table_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Table([route("GET", "/a"), route("GET", "/b", "/a")], scm_domain=None, expect=None)


async def test_the_host_of_an_app_is_its_base() -> None:
    table = Table(ROUTES, scm_domain="Example.org", expect=None)
    host = "shop.scm.example.org:8080"
    path = "/api/settings"
    assert await found(table, "GET", path, host) == (f"/apps/{{app}}{path}", {"app": "shop"})
    assert await found(table, "GET", "/settings/", host) == (
        "/apps/{app}/api/settings",
        {"app": "shop"},
    )
    assert await found(table, "GET", "/ui/", host) == ("/ui", {})
    assert await found(table, "GET", path, "scm.example.org") == set()
    assert await found(table, "GET", path, "shop.scm.example.com") == set()


async def test_git_finds_its_remote_at_every_spelling() -> None:
    table = Table(ROUTES, scm_domain=None, expect=None)
    for base in ("/shop.git", "/apps/shop.git", "/apps/shop", "/apps/shop/any.git"):
        path, values = await found(table, "GET", f"{base}/info/refs?service=git-upload-pack")
        assert path == "/{app}.git/info/refs"
        assert values["app"] == "shop", base


@pytest.mark.parametrize(
    "raw", ["/a/../b", "/a/%2e%2e/b", "/a/./b", "/%00", "/a%5cb", "/a%2Fb", "/%ff", "/a/%2e"]
)
def test_dangerous_parts_are_refused(raw: str) -> None:
    with pytest.raises(Invalid):
        split_path(raw)


@given(st.text(alphabet="abz.%/\\\0é2eEfF0", max_size=30))
@settings(deadline=None, max_examples=300)
def test_whatever_comes_out_can_be_no_way_out(raw: str) -> None:
    try:
        parts = split_path("/" + raw)
    except Invalid:
        return
    for part in parts:
        assert part not in (".", "..")
        assert not set(part) & set("/\\\0")


def test_a_part_is_decoded_once() -> None:
    assert split_path("/a%2525/b") == ["a%25", "b"]


def test_kudus_spellings_are_all_there() -> None:
    assert set(spellings("triggeredwebjobs/{job}/run")) == {
        f"/apps/{{app}}{api}/{name}/{{job}}/run"
        for api in ("/api", "")
        for name in ("triggeredwebjobs", "jobs/triggered", "triggeredjobs")
    } - {"/apps/{app}/api/triggeredwebjobs/{job}/run"}
    assert spellings("settings") == ("/apps/{app}/settings",)


def test_every_route_declares_its_scope() -> None:
    assert [route.path for route in ROUTES if route.scope is None] == []


def test_what_is_open_is_on_the_list() -> None:
    assert {route.path for route in ROUTES if route.scope == "open"} == {
        "/",
        "/apps/{app}",
        "/healthz",
        "/openapi.json",
        "/readyz",
        "/ui/sign-in",
        "/ui/-/preferences",
        "/ui/-/static/{build}/{path*}",
    }
    assert {r.operation for r in ROUTES if r.public} == {"server.metrics"}
    assert {r.operation for r in ROUTES if r.signed} == {"hook.deploy"}
