"""`scm_domain`: each app's API at a host of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.web.conftest import SITE, Client, Site

HOST = "shop.scm.example.org:8080"


@pytest.fixture
def options() -> dict[str, Any]:
    return {"scm_domain": "example.org"}


async def test_the_apps_host_is_the_base_of_its_api(admin: Client, shop: Site) -> None:
    commit = await shop.deploy(SITE)
    jobs = (await admin.get("/api/triggeredwebjobs", Host=HOST)).json
    assert jobs[0]["url"] == f"http://{HOST}/api/triggeredwebjobs/nightly"
    assert jobs[0]["extra_info_url"] == f"http://{HOST}/ui/shop/jobs/nightly/"
    (row,) = (await admin.get("/deployments", Host=HOST)).json
    assert row["url"] == f"http://{HOST}/api/deployments/{commit}"
    assert (await admin.get("/api/settings", Host="nope.scm.example.org")).status == 404
    assert (await admin.with_token(None).get("/api/settings", Host=HOST)).status == 401
    started = await admin.ask("POST", "/api/triggeredwebjobs/report/run", headers={"Host": HOST})
    assert started.headers["Location"].startswith(f"http://{HOST}/api/triggeredwebjobs/report/")
    assert (await admin.get("/ui/sign-in", Host=HOST)).status == 200
    page = await admin.get("/", Host=HOST, Accept="text/html")
    assert page.headers["Location"] == f"http://{HOST}/ui/shop/"
