"""environment, scm, diagnostics and what Kudu has that we haven't, as clients ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gitdeploy import __version__
from tests.integration.web.conftest import SITE, Client, Site
from tests.support import git

APP = "/apps/shop"


async def remote(*arguments: str, site: Site) -> str:
    """What git says that talks with the server, which is in this very process."""
    done = await asyncio.to_thread(git, *arguments, cwd=site.path)
    return done.stdout


def ways(path: str) -> Iterator[str]:
    """With and without /api, with and without a slash at the end."""
    for api in ("/api", ""):
        for end in ("", "/"):
            yield f"{APP}{api}/{path}{end}"


async def test_the_environment_has_a_version_and_the_time_of_the_last_change(
    admin: Client, shop: Site
) -> None:
    assert (await admin.get(f"{APP}/api/environment")).json == {"version": __version__}
    await shop.deploy(SITE)
    for path in ways("environment"):
        found = (await admin.get(path)).json
        assert found["version"] == __version__
        assert found["siteLastModified"].endswith("Z")


async def test_scm_info_is_the_address_that_git_takes(admin: Client, shop: Site) -> None:
    await shop.deploy(SITE)
    for path in ways("scm/info"):
        found = (await admin.get(path)).json
        assert found == {"Type": "Git", "GitUrl": f"{admin.url}/apps/shop/shop.git"}
    url = found["GitUrl"].replace("://", f"://dev:{admin.token}@")
    assert "refs/heads/main" in await remote("ls-remote", url, site=shop)


async def test_a_deleted_repository_is_empty_for_clients_and_nothing_is_lost(
    admin: Client, shop: Site
) -> None:
    commit = await shop.deploy(SITE)
    git("tag", "v1", cwd=shop.path)
    bare = shop.server.home.app("shop").repository
    git("push", "-q", str(bare), "v1", cwd=shop.path)
    pid = (await admin.get(f"{APP}/api/continuouswebjobs/ticker")).json["pid"]

    assert (await admin.ask("DELETE", f"{APP}/api/scm")).status == 204

    url = admin.url.replace("://", f"://dev:{admin.token}@") + "/shop.git"
    assert await remote("ls-remote", url, site=shop) == ""
    kept = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=bare).stdout.splitlines()
    assert sorted(line.split("Z/")[1] for line in kept) == [
        f"heads/main {commit}",
        f"tags/v1 {commit}",
    ]
    assert all(line.startswith("refs/gitdeploy/deleted/20") for line in kept)
    # what runs goes on, and the next push begins anew
    assert (await admin.get(f"{APP}/api/continuouswebjobs/ticker")).json["pid"] == pid
    await remote("push", "-q", url, "main", site=shop)
    assert (await remote("ls-remote", url, "refs/heads/main", site=shop)).startswith(commit)
    assert (await admin.ask("DELETE", f"{APP}/scm/")).status == 204
    told = (await admin.get("/api/audit")).json
    assert [e["what"] for e in told if e["what"].startswith("scm")] == ["scm.delete"] * 2


async def test_deleting_takes_an_admin_and_leaves_the_site(admin: Client, shop: Site) -> None:
    await shop.deploy(SITE)
    deployer = await admin.token_for("deploy")
    assert (await deployer.ask("DELETE", f"{APP}/api/scm")).status == 403
    assert (await admin.ask("DELETE", f"{APP}/api/scm?deleteWebRoot=maybe")).status == 400
    assert (await admin.ask("DELETE", f"{APP}/api/scm?deleteWebRoot=0")).status == 204
    assert len((await admin.get(f"{APP}/api/webjobs")).json) == 4


async def test_an_emptied_site_is_a_deployment_that_can_be_undone(
    admin: Client, shop: Site
) -> None:
    commit = await shop.deploy({**SITE, "index.html": "here"})
    assert (await admin.ask("DELETE", f"{APP}/api/scm?deleteWebRoot=1")).status == 204
    assert (await admin.get(f"{APP}/api/webjobs")).json == []
    assert (await admin.get(f"{APP}/api/vfs/site/wwwroot/")).json == []
    (emptied, before) = (await admin.get(f"{APP}/api/deployments")).json
    assert (emptied["status"], emptied["active"], before["id"]) == (4, True, commit)
    again = await admin.ask("PUT", f"{APP}/api/deployments/{commit}")
    assert again.status == 202
    await shop.server.deployer.wait("shop", commit, again.json["attempt"])
    assert (await admin.get(f"{APP}/api/vfs/site/wwwroot/index.html")).text == "here"


async def test_a_locked_app_keeps_its_site_and_its_repository(admin: Client, shop: Site) -> None:
    commit = await shop.deploy(SITE)
    assert (await admin.ask("PATCH", "/api/apps/shop", {"locked": "audit"})).status == 200
    for query in ("", "?deleteWebRoot=1"):
        answer = await admin.ask("DELETE", f"{APP}/api/scm{query}")
        assert answer.status == 409 and "audit" in answer.json["detail"]
    bare = shop.server.home.app("shop").repository
    assert commit in git("for-each-ref", cwd=bare).stdout


async def test_a_busy_app_keeps_its_repository_and_its_cache(admin: Client, shop: Site) -> None:
    shop.write({".deployment": "[config]\ncommand = sleep 60\n"})
    commit = shop.commit()
    await shop.server.deployer.deploy(
        "shop", commit, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
    )
    assert (await admin.ask("DELETE", f"{APP}/api/scm")).status == 409
    assert (await admin.ask("POST", f"{APP}/api/scm/clean")).status == 409


async def test_cleaning_removes_the_caches_of_builds(admin: Client, shop: Site) -> None:
    home = shop.server.home.app("shop")
    for path in ways("scm/clean"):
        for place in (home.cache / "pip", home.modules / "0123abcd" / "left-pad"):
            place.mkdir(parents=True)
            (place / "a").write_text("package")
        assert (await admin.ask("POST", path)).status == 204
        assert not home.cache.exists() and not home.modules.exists()
        assert list((home.root / "trash").glob("*")) == []
    reader = await admin.token_for("run")
    assert (await reader.ask("POST", f"{APP}/api/scm/clean")).status == 403


async def test_diagnostics_settings_are_kept_merged_and_deleted(admin: Client, shop: Site) -> None:
    url = f"{APP}/api/diagnostics/settings"
    before = (await admin.get(url)).json
    assert before["AzureDriveEnabled"] is False and before["AzureTableTraceLevel"] == "Error"
    odd = {"Content-Type": "multipart/form-data"}
    sent = {"AzureDriveEnabled": "True", "AzureBlobTraceLevel": "verbose", "mine": {"a": [1]}}
    assert (await admin.ask("POST", url + "/", sent, headers=odd)).status == 204
    expected = {
        **before,
        "AzureDriveEnabled": True,
        "AzureBlobTraceLevel": "Verbose",
        "mine": {"a": [1]},
    }
    for path in ways("diagnostics/settings"):
        assert (await admin.get(path)).json == expected
    for path in ways("diagnostics/settings/mine"):
        assert (await admin.get(path)).json == {"a": [1]}
    for key in ("mine", "AzureDriveEnabled", "never-there"):
        assert (await admin.ask("DELETE", f"{url}/{key}")).status == 204
    assert (await admin.get(url)).json == {**before, "AzureBlobTraceLevel": "Verbose"}
    missing = await admin.get(f"{url}/mine")
    assert missing.status == 404 and "'mine'" in missing.json["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b"{",
        b'"text"',
        b'{"": 1}',
        b'{"AzureDriveEnabled": 3}',
        b'{"AzureTableTraceLevel": "loud"}',
        b'{"fine": 1, "AzureTableTraceLevel": 2}',
        b'{"big": "' + b"x" * 40_000 + b'"}',
    ],
)
async def test_a_bad_diagnostics_setting_changes_nothing(
    admin: Client, shop: Site, body: bytes
) -> None:
    url = f"{APP}/api/diagnostics/settings"
    before = (await admin.get(url)).json
    assert (await admin.ask("POST", url, body)).status == 400
    assert (await admin.get(url)).json == before


async def test_an_app_keeps_a_bounded_number_of_diagnostics_settings(
    admin: Client, shop: Site
) -> None:
    url = f"{APP}/api/diagnostics/settings"
    many = {f"key{n}": n for n in range(201)}
    assert (await admin.ask("POST", url, many)).status == 400
    assert "key0" not in (await admin.get(url)).json


async def test_the_runtimes_of_this_machine_are_named(admin: Client, shop: Site) -> None:
    for path in ways("diagnostics/runtime"):
        found = (await admin.get(path)).json
        assert found["python"][0]["version"].startswith("3.")
        assert found["git"][0]["version"][0].isdigit()
        assert set(found["dotnetcore64"]) == {"shared", "sdk"}
        assert found["system"]["cores"] >= 1


async def test_there_are_no_site_extensions(admin: Client, shop: Site) -> None:
    for name in ("siteextensions", "extensionfeed"):
        for path in ways(name):
            assert (await admin.get(path)).json == []
        assert (await admin.get(f"{APP}/api/{name}?filter=x")).json == []
        assert (await admin.get(f"{APP}/api/{name}/filecounter")).status == 404
    assert (await admin.ask("PUT", f"{APP}/api/siteextensions/x", {"id": "x"})).status == 501
    assert (await admin.ask("DELETE", f"{APP}/api/siteextensions/x")).status == 501


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "functions"),
        ("GET", "functions/config"),
        ("PUT", "functions/hello"),
        ("POST", "functions/hello/listsecrets"),
        ("DELETE", "functions/hello"),
        ("POST", "app/update"),
        ("POST", "wardeploy"),
    ],
)
async def test_what_only_kudu_has_is_refused_in_a_sentence(
    admin: Client, shop: Site, method: str, path: str
) -> None:
    for way in ways(path):
        answer = await admin.ask(method, way)
        assert answer.status == 501
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert answer.json["detail"] and answer.json["fix"]
