"""The way in: what a client's own address says, and what a proxy's headers may add."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gitdeploy.config import Options
from gitdeploy.errors import Invalid
from gitdeploy.web.forwarded import Way, client_address, page_host_allowed, scm_app, way_in


def request(peer: Any = ("127.0.0.1", 5), **headers: str) -> web.Request:
    transport = mock.Mock()
    facts = {"peername": peer, "sockname": ("10.0.0.9", 8080), "sslcontext": None}
    transport.get_extra_info.side_effect = lambda key, default=None: facts.get(key, default)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/", headers=named, transport=transport)


PROXY = {
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "paas.example.org",
    "X_Forwarded_Prefix": "/git/",
    "X_Forwarded_For": "1.2.3.4, 5.6.7.8",
}


def test_a_proxy_on_this_machine_is_believed() -> None:
    for peer in (("127.0.0.1", 5), ("::1", 5, 0, 0), ("::ffff:127.0.0.1", 5, 0, 0), ""):
        asked = request(peer, Host="inner:1", **PROXY)
        assert way_in(asked).base == "https://paas.example.org/git"
        assert client_address(asked) == "5.6.7.8"


def test_a_peer_elsewhere_is_not() -> None:
    asked = request(("9.9.9.9", 5), Host="outer:1", **PROXY)
    assert way_in(asked) == Way("http", "outer:1")
    assert client_address(asked) == "9.9.9.9"


def test_without_a_host_it_is_the_address_that_was_connected_to() -> None:
    assert way_in(request()).base == "http://10.0.0.9:8080"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "a b"},
        {"Host": "a/b"},
        {"Host": "a@b"},
        {"Host": "x", "X_Forwarded_Host": 'a"b'},
        {"Host": "x", "X_Forwarded_Proto": "javascript"},
        {"Host": "x", "X_Forwarded_Prefix": "//evil"},
        {"Host": "x", "X_Forwarded_Prefix": "no-slash"},
    ],
)
def test_what_cannot_stand_in_an_address_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        way_in(request(**headers))


def test_a_claimed_address_that_is_none_is_not_taken() -> None:
    assert client_address(request(X_Forwarded_For="<script>")) == "127.0.0.1"


def test_addresses_of_an_app_follow_the_way_in() -> None:
    plain = Way("http", "h:1")
    assert plain.api("shop", "settings", "a/b") == "http://h:1/apps/shop/api/settings/a%2Fb"
    assert plain.page("shop", "jobs", "ü") == "http://h:1/ui/shop/jobs/%C3%BC/"
    by_host = Way("https", "shop.scm.x", "/p", "shop")
    assert by_host.api("shop", "settings") == "https://shop.scm.x/p/api/settings"
    assert by_host.app("other") == "https://shop.scm.x/p/apps/other"


def test_an_apps_host_names_it() -> None:
    assert scm_app(request(Host="Shop.SCM.example.org:80"), "example.org") == "shop"
    for host in ("example.org", ".scm.example.org", "shop.example.org", "shop.scm.example.orgx"):
        assert scm_app(request(Host=host), "example.org") is None
    assert scm_app(request(Host="shop.scm.example.org"), None) is None


def test_pages_answer_under_names_that_no_stranger_can_point_here() -> None:
    options = Options(listen="deploy.local:8080", scm_domain="example.org")

    def allowed(host: str, **more: str) -> bool:
        return page_host_allowed(request(("9.9.9.9", 1), Host=host, **more), options)

    for host in ("192.168.1.5:8080", "[fe80::1]", "localhost", "a.localhost:1", "deploy.local"):
        assert allowed(host), host
    assert allowed("example.org")
    assert allowed("shop.scm.example.org:443")
    for host in ("evil.com", "example.org.evil.com", "localhost.evil.com", "127.0.0.1.evil.com"):
        assert not allowed(host), host
    assert not allowed("evil.com", X_Forwarded_Host="example.org")
    local = request(Host="evil.com", X_Forwarded_Host="paas.example.net")
    assert page_host_allowed(local, options)
