"""What Kudu's clients find below `site/`, `data/` and `LogFiles/`."""

from __future__ import annotations

from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site

VFS = "/apps/shop/api/vfs"
SITE = {
    "index.html": "<h1>shop</h1>",
    "lib/a.txt": "a",
    "App_Data/jobs/triggered/report/run.sh": "echo hello\n",
}


@pytest.fixture
async def commit(shop: Site) -> str:
    (shop.path / "lib").mkdir(parents=True)
    (shop.path / "inner").symlink_to("lib/a.txt")
    return await shop.deploy(SITE, "The first")


def names(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [one["name"] for one in answer.json]


async def test_an_app_without_a_deployment_has_kudus_directories(admin: Client, shop: Site) -> None:
    assert names(await admin.get(f"{VFS}/")) == ["LogFiles", "data", "site"]
    assert names(await admin.get(f"{VFS}/site/")) == ["deployments", "repository", "wwwroot"]
    for empty in ("site/wwwroot/", "site/repository/", "site/deployments/", "LogFiles/jobs/"):
        found = names(await admin.get(f"{VFS}/{empty}"))
        assert found == (["continuous", "triggered"] if "jobs" in empty else []), empty
    assert names(await admin.get(f"{VFS}/data/")) == ["jobs"]
    for none in ("site/wwwroot/x", "site/repository/x", "site/else/", "LogFiles/kudu/", "repo.git"):
        assert (await admin.get(f"{VFS}/{none}")).status == 404, none


async def test_the_site_is_what_is_live(admin: Client, shop: Site, commit: str) -> None:
    wwwroot = f"{VFS}/site/wwwroot"
    assert names(await admin.get(f"{wwwroot}/")) == ["App_Data", "index.html", "inner", "lib"]
    page = await admin.get("/apps/shop/vfs/home/site/wwwroot/index.html")
    assert (page.status, page.text) == (200, SITE["index.html"])
    tag = page.headers["ETag"]
    assert (await admin.get(f"{wwwroot}/index.html", If_None_Match=tag)).status == 304
    part = await admin.get(f"{wwwroot}/index.html", Range="bytes=1-2")
    assert (part.status, part.text) == (206, "h1")
    await shop.deploy({"index.html": "new"})
    assert (await admin.get(f"{wwwroot}/index.html")).text == "new"
    assert (await admin.get(f"{wwwroot}/index.html", If_Match=tag)).status == 412
    assert (await admin.get(f"{wwwroot}/lib")).status == 307
    assert (await admin.get(f"{wwwroot}/lib/a.txt/")).status == 307
    assert (await admin.get(f"{wwwroot}/lib/a.txt/b")).status == 404


async def test_links_are_followed_within_the_release_and_never_out_of_it(
    admin: Client, shop: Site, commit: str, server: Server
) -> None:
    assert (await admin.get(f"{VFS}/site/wwwroot/inner")).text == "a"
    root = server.home.app("shop").release(1)
    (root / "out").symlink_to("../../../../admin-token")
    (root / "etc").symlink_to("/etc")
    (root / "loop").symlink_to("loop")
    for path in ("out", "etc/passwd", "etc/", "loop"):
        assert (await admin.get(f"{VFS}/site/wwwroot/{path}")).status == 404, path


async def test_the_repository_is_read_at_the_deployment_branch(
    admin: Client, shop: Site, commit: str
) -> None:
    big = "x" * 3_000_000
    shop.write({"big.txt": big, "index.html": "pushed, not deployed"})
    shop.commit()
    repository = f"{VFS}/site/repository"
    found = {one["name"]: one for one in (await admin.get(f"{repository}/")).json}
    assert sorted(found) == ["App_Data", "big.txt", "index.html", "inner", "lib"]
    assert found["big.txt"]["size"] == len(big)
    assert found["lib"]["mime"] == "inode/directory"
    assert found["inner"]["mime"] == "inode/symlink"
    page = await admin.get(f"{repository}/index.html")
    assert page.text == "pushed, not deployed"
    assert (
        await admin.get(f"{repository}/index.html", If_None_Match=page.headers["ETag"])
    ).status == 304
    part = await admin.get(f"{repository}/big.txt", Range="bytes=2999990-")
    assert (part.status, part.text) == (206, "x" * 10)
    assert (await admin.get(f"{repository}/big.txt")).text == big
    assert (await admin.get(f"{repository}/lib")).status == 307
    for none in ("inner", "lib/a.txt/b", "none", ".git/", ".git/config"):
        assert (await admin.get(f"{repository}/{none}")).status == 404, none


async def test_deployments_have_their_log_and_their_status(
    admin: Client, shop: Site, commit: str
) -> None:
    deployments = f"{VFS}/site/deployments"
    assert names(await admin.get(f"{deployments}/")) == sorted([commit, "active"])
    assert (await admin.get(f"{deployments}/active")).text == commit
    assert names(await admin.get(f"{deployments}/{commit}/")) == ["log.log", "status"]
    status = (await admin.get(f"{deployments}/{commit}/status")).json
    assert (status["id"], status["status"]) == (commit, 4)
    log = (await admin.get(f"{deployments}/{commit}/log.log")).text
    assert "The first" in log
    assert (await admin.get(f"{VFS}/LogFiles/deployments/{commit}/log.log")).text == log
    assert (await admin.get(f"{VFS}/LogFiles/deployments/{commit}/status")).status == 404
    assert (await admin.get(f"{deployments}/none/")).status == 404


async def test_the_data_directory_is_there_whole(
    admin: Client, shop: Site, commit: str, server: Server
) -> None:
    data = server.home.app("shop").data
    (data / "jobs/triggered/gone").mkdir(parents=True)
    (data / "jobs/triggered/gone/left.txt").write_text("left")
    (data / "own").mkdir()
    (data / "own/x.bin").write_bytes(b"\0\1")
    (data / "link").symlink_to("/etc/passwd")
    assert names(await admin.get(f"{VFS}/data/")) == ["jobs", "link", "own"]
    assert names(await admin.get(f"{VFS}/data/jobs/triggered/")) == ["gone", "report"]
    assert (await admin.get(f"{VFS}/data/jobs/triggered/GONE/left.txt")).status == 404
    assert (await admin.get(f"{VFS}/data/jobs/triggered/gone/left.txt")).text == "left"
    assert (await admin.get(f"{VFS}/data/own/x.bin")).body == b"\0\1"
    assert (await admin.get(f"{VFS}/data/link")).status == 404
    assert names(await admin.get(f"{VFS}/LogFiles/jobs/triggered/")) == ["report"]
