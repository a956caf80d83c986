"""A link that signs a browser in once."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.integration.web.conftest import ADMIN, Client, Site

TYPED = {"Sec-Fetch-Site": "none", "Accept": "text/html"}
FOREIGN = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}


async def link(client: Client) -> str:
    made = await client.ask("POST", "/api/sign-in-links")
    assert made.status == 201, made.text
    url: str = made.json["url"]
    return url


async def opened(client: Client, url: str, headers: dict[str, str], method: str = "GET") -> Any:
    return await client.with_token(None).ask(method, url, headers=headers)


async def test_a_link_signs_in_and_goes_on_without_a_token_in_it(admin: Client, shop: Site) -> None:
    url = await link(admin)
    assert ADMIN not in url
    answer = await opened(admin, f"{url}&next=/ui/shop/", TYPED)
    assert answer.status == 303
    assert answer.headers["Location"] == f"{admin.url}/ui/shop/"
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    page = await opened(admin, f"{admin.url}/ui/shop/", {**TYPED, "Cookie": cookie})
    assert page.status == 200
    newest = (await admin.get("/api/audit?limit=1")).json[0]
    assert (newest["what"], newest["who"]) == ("session.create", "administrator")


async def test_a_link_works_once(admin: Client) -> None:
    url = await link(admin)
    assert (await opened(admin, url, TYPED)).status == 303
    again = await opened(admin, url, TYPED)
    assert again.status == 401
    assert "used already" in again.text
    assert "Set-Cookie" not in again.headers


async def test_another_sites_link_asks_before_it_signs_in(admin: Client) -> None:
    url = await link(admin)
    for headers in (FOREIGN, {**TYPED, "Sec-Purpose": "prefetch;prerender"}):
        asked = await opened(admin, url, headers)
        assert asked.status == 200
        assert "Set-Cookie" not in asked.headers
    assert (await opened(admin, url, TYPED, "HEAD")).status == 200
    code = url.rpartition("code=")[2]
    body = urlencode({"code": code, "next": "/ui/"}).encode()
    stranger = admin.with_token(None)
    refused = await stranger.ask("POST", "/ui/sign-in", body, headers=FOREIGN)
    assert refused.status == 403
    own = {"Sec-Fetch-Site": "same-origin"}
    assert (await stranger.ask("POST", "/ui/sign-in", body, headers=own)).status == 303


async def test_only_an_administrator_makes_links(admin: Client) -> None:
    lesser = await admin.token_for("deploy")
    assert (await lesser.ask("POST", "/api/sign-in-links")).status == 403


async def test_a_revoked_tokens_link_signs_nobody_in(admin: Client) -> None:
    other = await admin.token_for("admin")
    url = await link(other)
    token_id = (await admin.get("/api/tokens")).json[0]["id"]
    assert (await admin.ask("DELETE", f"/api/tokens/{token_id}")).status == 204
    assert (await opened(admin, url, TYPED)).status == 401


async def test_who_guesses_codes_is_slowed_down(admin: Client) -> None:
    guesses = [
        (await opened(admin, f"{admin.url}/ui/sign-in?code=guess{n}", TYPED)).status
        for n in range(12)
    ]
    assert guesses == [401] * 10 + [429] * 2
