"""`POST /api/command`: off by default, for admins, isolated and limited as a build is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

APP = "/apps/shop"
FILES = {"index.html": "<p>hello</p>\n", "tools/say.sh": "echo said $1\n"}


@pytest.fixture(params=["none", "process", "sandbox"])
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"isolation": request.param, "allow_commands": True, "build_timeout": 3.0}


async def run(admin: Client, command: str, directory: str | None = "", **more: Any) -> Any:
    body = {"command": command, "dir": directory, **more}
    answer = await admin.ask("POST", f"{APP}/api/command", body)
    assert answer.status == 200, answer.body
    return answer.json


def commands_of(server: Server) -> list[Path]:
    return list((server.home.app("shop").root / "builds").glob("*"))


async def test_a_command_runs_in_the_site_and_its_streams_come_back_apart(
    admin: Client, shop: Site
) -> None:
    await shop.deploy(FILES)
    told = await run(admin, "cat index.html; echo oops >&2; exit 3", "site/wwwroot")
    assert told == {"Output": "<p>hello</p>\n", "Error": "oops\n", "ExitCode": 3}
    for spelling in (
        "site\\wwwroot\\tools",
        "D:\\home\\site\\wwwroot\\tools",
        "/home/site/wwwroot/tools/",
    ):
        assert (await run(admin, "sh say.sh hi", spelling))["Output"] == "said hi\n"
    assert commands_of(shop.server) == []


async def test_without_a_directory_it_runs_in_the_home_with_the_apps_settings(
    admin: Client, shop: Site
) -> None:
    await admin.ask("POST", f"{APP}/api/settings", {"COLOUR": "green"})
    told = await run(admin, 'ls; test "$PWD" = "$HOME" && echo home; echo $COLOUR', None)
    assert told["Output"] == "data\nsite\nhome\ngreen\n"
    await shop.deploy(FILES)
    assert (await run(admin, "cat $HOME/site/wwwroot/index.html"))["Output"] == "<p>hello</p>\n"
    assert (await run(admin, "echo kept > data/note"))["ExitCode"] == 0
    assert (shop.server.home.app("shop").data / "note").read_text() == "kept\n"


async def test_nothing_of_the_servers_environment_reaches_a_command(
    admin: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITDEPLOY_ADMIN_TOKEN", "a-secret-of-the-server")
    told = await run(admin, "env")
    assert "HOME=" in told["Output"] and "a-secret-of-the-server" not in told["Output"]


@pytest.mark.parametrize("spelling", ["/apps/shop/api/command/", "/apps/shop/command"])
async def test_the_content_type_may_lie(admin: Client, shop: Site, spelling: str) -> None:
    headers = {"Content-Type": "multipart/form-data", "If-Match": "*"}
    answer = await admin.ask("POST", spelling, {"command": "echo a"}, headers=headers)
    assert (answer.status, answer.json["Output"]) == (200, "a\n")


async def test_a_command_past_its_time_is_ended_with_all_below_it(
    admin: Client, shop: Site
) -> None:
    told = await run(admin, "echo begun; (while :; do echo .; sleep 0.1; done) & wait")
    assert told["Output"].startswith("begun\n") and told["ExitCode"] == -1
    assert "ran for longer than 3 s (build_timeout)" in told["Error"]
    await admin.ask("POST", f"{APP}/api/settings", {"SCM_COMMAND_IDLE_TIMEOUT": "0.5"})
    told = await run(admin, "echo begun; sleep 60")
    assert told["ExitCode"] == -1
    assert "wrote nothing for 0.5 s (SCM_COMMAND_IDLE_TIMEOUT)" in told["Error"]
    assert commands_of(shop.server) == []


async def test_what_a_command_leaves_behind_ends_with_it(admin: Client, shop: Site) -> None:
    told = await run(admin, "sleep 300 & echo $!; exec 1>&- 2>&-")
    assert told["ExitCode"] == 0 and told["Output"].strip().isdigit()
    assert commands_of(shop.server) == []
    if shop.server.holders.level == "none":
        return  # this level promises no more than the group and what is below
    mark = f"LEFT_BEHIND={uuid4().hex}"
    await run(admin, f"env {mark} setsid sleep 301 >/dev/null 2>&1 & sleep 0.2")
    assert not any(
        mark.encode() in environ
        for environ in (_environ(pid) for pid in Path("/proc").glob("[0-9]*"))
    )


def _environ(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


async def test_endless_output_is_bounded(admin: Client, shop: Site) -> None:
    told = await run(admin, "yes")
    assert len(told["Output"]) == 1 << 20 and told["ExitCode"] == -1
    assert told["Error"] == "The command wrote more than 1 MiB and was ended.\n"


async def test_a_client_that_leaves_doesnt_stop_it_and_the_servers_end_does(
    admin: Client, shop: Site
) -> None:
    asking = asyncio.create_task(run(admin, "sleep 1; touch data/done; sleep 60"))
    await eventually(lambda: commands_of(shop.server))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await eventually((shop.server.home.app("shop").data / "done").exists)
    shop.server.options.grace = 0.2
    await shop.server.close(stop_jobs=True)
    assert commands_of(shop.server) == []


async def test_a_command_ends_with_its_app_and_leaves_nothing(admin: Client, shop: Site) -> None:
    shop.server.options.build_timeout = 60.0
    body = {"command": "touch data/begun; sleep 60"}
    asking = asyncio.create_task(admin.ask("POST", f"{APP}/api/command", body))
    root = shop.server.home.app("shop").root
    await eventually((root / "data" / "begun").exists)
    assert (await admin.ask("DELETE", "/api/apps/shop")).status in (200, 204)
    assert (await asyncio.wait_for(asking, 20)).status == 409
    assert not root.exists()


@pytest.mark.parametrize(
    ("directory", "status"),
    [
        ("../..", 400),
        ("site/../../..", 400),
        ("data/nowhere", 404),
        ("data/outside", 404),
        ("site/wwwroot/index.html", 404),
        ("x" * 5000, 400),
        ("a\0b", 400),
    ],
)
async def test_a_directory_that_isnt_the_apps_is_refused(
    admin: Client, shop: Site, directory: str, status: int
) -> None:
    await shop.deploy(FILES)
    data = shop.server.home.app("shop").data
    data.mkdir(exist_ok=True)
    (data / "outside").symlink_to("/etc")
    body = {"command": "echo hi", "dir": directory}
    answer = await admin.ask("POST", f"{APP}/api/command", body)
    assert answer.status == status, answer.body
    assert commands_of(shop.server) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"dir": "site"}',
        b'{"command": " "}',
        b'{"command": "a\\u0000b"}',
        b'{"command": 3}',
    ],
)
async def test_a_command_that_cant_be_meant_is_refused(
    admin: Client, shop: Site, body: bytes
) -> None:
    assert (await admin.ask("POST", f"{APP}/api/command", body)).status == 400


async def test_only_admins_run_commands_and_each_is_in_the_audit_log(
    admin: Client, shop: Site
) -> None:
    deployer = await admin.token_for("deploy")
    assert (await deployer.ask("POST", f"{APP}/api/command", {"command": "id"})).status == 403
    await run(admin, "echo https://ada:lovelace@example.org/")
    told = [e for e in (await admin.get("/api/audit")).json if e["what"] == "app.command"]
    assert told[0]["on"] == "shop: echo https://ada:***@example.org/"
    assert told[1]["result"].startswith("403")


async def test_commands_are_off_unless_the_operator_allows_them(admin: Client, shop: Site) -> None:
    shop.server.options.allow_commands = False
    answer = await admin.ask("POST", f"{APP}/api/command", {"command": "id"})
    assert answer.status == 403 and "--allow-commands true" in answer.json["fix"]


async def test_at_level_sandbox_a_command_sees_no_other_app_and_changes_no_release(
    admin: Client, shop: Site
) -> None:
    if shop.server.holders.level != "sandbox":
        pytest.skip("this is promised at level sandbox")
    await shop.deploy(FILES)
    root = shop.server.home.root
    told = await run(
        admin, f"ls {root}/gitdeploy.db; echo x > index.html; ls $HOME/..", "site/wwwroot"
    )
    assert "Read-only file system" in told["Error"]
    assert told["Error"].count("No such file or directory") == 1
    assert told["Output"].split() == ["home"]
