"""Jobs for somebody who has a zip or a script and no git."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.support import eventually

BASE = "/apps/shop/api"
TRIGGERED = f"{BASE}/triggeredwebjobs"
CONTINUOUS = f"{BASE}/continuouswebjobs"
ZIP = {"Content-Type": "application/zip"}
TICK = "import time\nprint('{}', flush=True)\nwhile True: time.sleep(1)\n"


def zipped(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return out.getvalue()


def script(name: str = "run.sh") -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename={name}"}


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May deploy to an app that nothing was pushed to."""
    yield await admin.token_for("deploy", apps=["shop"])


async def run(client: Client, job: str, query: str = "") -> Any:
    started = await client.ask("POST", f"{TRIGGERED}/{job}/run{query}")
    assert started.status == 202, started.body

    async def ended() -> Any:
        found = (await client.get(started.headers["Location"])).json
        return found if found["end_time"] else None

    found = await eventually(ended)
    found["output"] = (await client.get(found["url"] + "/log")).text
    return found


def left(server: Server) -> list[str]:
    uploads = server.home.app("shop").uploads
    return sorted(str(p.relative_to(uploads)) for p in uploads.rglob("*") if p.is_file())


async def test_a_zip_becomes_a_triggered_job_that_runs(client: Client, server: Server) -> None:
    body = zipped(run_dot_sh='echo "hello $1"; cat data.txt', data_dot_txt="data\n")
    made = await client.ask("PUT", f"{TRIGGERED}/hello", body, headers=ZIP)
    assert made.status == 200, made.body
    assert made.json["name"] == "hello"
    assert made.json["run_command"] == "run.sh"
    assert made.json["error"] is None
    ended = await run(client, "hello", "?arguments=%27a%20b%27")
    assert ended["status"] == "Success"
    assert ended["output"] == "hello a b\ndata\n"
    assert ended["deployment"] is None


async def test_a_script_alone_is_a_job_whatever_its_content_type(client: Client) -> None:
    for number, disposition in enumerate(
        (
            "attachment; filename=run.sh",
            'attachment; filename="run.sh"',
            "attachment; filename=C:\\jobs\\run.sh",
            "attachment; filename*=UTF-8''run%2Esh",
        )
    ):
        made = await client.ask(
            "PUT",
            f"{TRIGGERED}/s{number}",
            b"echo script",
            headers={"Content-Disposition": disposition, "Content-Type": "application/json"},
        )
        assert made.status == 200, made.body
        assert made.json["run_command"] == "run.sh"
    assert (await run(client, "s0"))["output"] == "script\n"


async def test_a_zip_sent_with_a_lying_type_and_without_length_is_taken(client: Client) -> None:
    body = zipped(top__run_dot_sh="echo in a folder")

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 50):
            yield body[at : at + 50]

    async with client.session.put(
        client.url + f"{TRIGGERED}/lied",
        data=parts(),
        headers={
            "Authorization": f"Bearer {client.token}",
            "Content-Type": "multipart/form-data",
        },
    ) as answer:
        assert answer.status == 200, await answer.text()
    assert (await run(client, "lied"))["output"] == "in a folder\n"


@pytest.mark.parametrize(
    ("headers", "body", "status", "says"),
    [
        ({}, b"echo x", 400, "Content-Disposition"),
        (script("readme.txt"), b"x", 400, "No runnable script"),
        (script("../.."), b"x", 400, "file name"),
        (ZIP, b"no zip at all", 400, "zip"),
        (ZIP, zipped(readme="x"), 400, "No runnable script"),
        (ZIP, zipped(run_dot_sh="x")[:-30], 400, "zip"),
    ],
    ids=["no name", "no script", "a path", "no zip", "nothing to run", "cut off"],
)
async def test_what_cannot_be_a_job_is_refused_and_nothing_is_left(
    client: Client, server: Server, headers: dict[str, str], body: bytes, status: int, says: str
) -> None:
    refused = await client.ask("PUT", f"{TRIGGERED}/bad", body, headers=headers)
    assert refused.status == status, refused.body
    assert says in refused.json["detail"]
    assert left(server) == []
    assert (await client.get(f"{TRIGGERED}/bad")).status == 404


async def test_an_evil_zip_leaves_the_old_job_as_it_was(client: Client, server: Server) -> None:
    assert (await client.ask("PUT", f"{TRIGGERED}/a", b"echo old", headers=script())).status == 200
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("run.sh", "echo new")
        archive.writestr("../../outside", "x")
    refused = await client.ask("PUT", f"{TRIGGERED}/a", evil.getvalue(), headers=ZIP)
    assert refused.status == 400
    assert "outside" in refused.json["detail"]
    assert (await run(client, "a"))["output"] == "old\n"
    assert len(left(server)) == 1


async def test_bad_names_and_sizes_are_refused(client: Client, server: Server) -> None:
    for name in ("-x", "a.b", "ä", "a b", "x" * 300):
        refused = await client.ask("PUT", f"{TRIGGERED}/{name}", b"x", headers=script())
        assert refused.status == 400, name
    server.options.max_job_size = 1000
    large = await client.ask("PUT", f"{TRIGGERED}/a", io.BytesIO(bytes(1001)), headers=script())
    assert large.status == 413
    assert "max_job_size" in large.json["detail"]
    assert left(server) == []


async def test_the_other_kind_with_that_name_is_a_conflict(client: Client) -> None:
    await client.ask("PUT", f"{TRIGGERED}/Mail", b"true", headers=script())
    refused = await client.ask("PUT", f"{CONTINUOUS}/mail", b"sleep 60", headers=script())
    assert refused.status == 409


async def test_a_continuous_job_is_replaced_when_the_new_one_lives(
    client: Client, server: Server
) -> None:
    made = await client.ask(
        "PUT", f"{CONTINUOUS}/t", TICK.format("one").encode(), headers=script("run.py")
    )
    assert made.status == 200, made.body

    async def pid() -> int | None:
        return (await client.get(f"{CONTINUOUS}/t")).json["pid"]

    first = await eventually(pid)
    dying = await client.ask("PUT", f"{CONTINUOUS}/t", b"echo broken; exit 3", headers=script())
    assert dying.status == 400
    assert "exit code 3" in dying.json["detail"]
    assert "broken" in dying.json["detail"]
    assert await pid() == first
    again = await client.ask(
        "PUT", f"{CONTINUOUS}/t", TICK.format("two").encode(), headers=script("run.py")
    )
    assert again.status == 200, again.body
    assert await pid() not in (None, first)

    async def gone() -> bool:
        return len(left(server)) == 1

    await eventually(gone, what="the old generation")


async def test_delete_takes_job_data_and_history_and_is_200_without_a_job(
    client: Client, server: Server
) -> None:
    await client.ask(
        "PUT", f"{TRIGGERED}/a", b'echo x > "$WEBJOBS_DATA_PATH/kept"', headers=script()
    )
    await run(client, "a")
    home = server.home.app("shop")
    assert (home.job_data("triggered", "a") / "kept").exists()
    assert (await client.ask("DELETE", f"{TRIGGERED}/A")).status == 200
    assert (await client.get(f"{TRIGGERED}/a")).status == 404
    assert not home.job_data("triggered", "a").exists()
    assert not home.executions("triggered", "a").exists()
    assert left(server) == []
    assert (await client.ask("DELETE", f"{TRIGGERED}/a")).status == 200
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    assert (await client.get(f"{TRIGGERED}/a/history")).json == {"runs": []}


async def test_deleting_a_job_ends_what_runs_of_it(client: Client, server: Server) -> None:
    await client.ask("PUT", f"{TRIGGERED}/slow", b"sleep 600", headers=script())
    await client.ask("PUT", f"{CONTINUOUS}/c", b"sleep 600", headers=script())
    await client.ask("POST", f"{TRIGGERED}/slow/run")
    assert (await client.ask("DELETE", f"{TRIGGERED}/slow")).status == 200
    assert (await client.ask("DELETE", f"{CONTINUOUS}/c")).status == 200
    assert (await client.get(f"{BASE}/webjobs")).json == []
    assert not any(
        each.app == "shop"
        for each in await server.store.executions.open((await server.store.fact("instance")) or "")
    )


async def test_uploads_survive_deployments_and_win_over_a_job_of_their_name(
    client: Client, shop: Site, server: Server
) -> None:
    await client.ask("PUT", f"{TRIGGERED}/mail", b"echo uploaded", headers=script())
    await client.ask("PUT", f"{CONTINUOUS}/t", b"sleep 600", headers=script())

    async def pid() -> int | None:
        return (await client.get(f"{CONTINUOUS}/t")).json["pid"]

    before = await eventually(pid)
    await shop.deploy(
        {
            "App_Data/jobs/triggered/mail/run.sh": "echo deployed",
            "App_Data/jobs/triggered/other/run.sh": "echo other",
        }
    )
    assert await pid() == before
    assert (await run(client, "mail"))["output"] == "uploaded\n"
    assert (await run(client, "other"))["output"] == "other\n"
    tail = [e.record for e in server.events.app_journal("shop").tail(200)]
    warned = [r["what"] for r in tail if r["event"] == "deploy.warning"]
    assert any("an uploaded triggered job has this name" in what for what in warned)
    assert (await client.ask("DELETE", f"{TRIGGERED}/mail")).status == 200
    assert (await run(client, "mail"))["output"] == "deployed\n"
    assert (await client.ask("DELETE", f"{TRIGGERED}/other")).status == 200
    assert (await client.get(f"{TRIGGERED}/other")).status == 404
    await shop.deploy({"App_Data/jobs/triggered/mail/run.sh": "echo deployed again"})
    assert (await run(client, "other"))["output"] == "other\n"


async def test_settings_are_replaced_at_once_and_restart_nothing(
    client: Client, server: Server
) -> None:
    await client.ask("PUT", f"{CONTINUOUS}/c", b"sleep 600", headers=script())
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == {}
    wanted = {"schedule": "0 0 3 * * *", "mine": {"kept": [1]}}
    put = await client.ask("PUT", f"{TRIGGERED}/a/settings", wanted)
    assert put.status == 200, put.body
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == wanted
    job = (await client.get(f"{TRIGGERED}/a")).json
    assert job["settings"] == wanted
    assert job["next_run"] is not None
    bad = await client.ask("PUT", f"{TRIGGERED}/a/settings", {"schedule": "0 0 99 * * *"})
    assert bad.status == 400
    assert "hour" in bad.json["detail"]
    assert (await client.get(f"{TRIGGERED}/a/settings")).json == wanted

    async def pid() -> int | None:
        return (await client.get(f"{CONTINUOUS}/c")).json["pid"]

    before = await eventually(pid)
    await client.ask(
        "PUT", f"{CONTINUOUS}/c/settings", {"stopping_wait_time": 1, "is_singleton": True}
    )
    assert await pid() == before
    assert (await client.ask("PUT", f"{TRIGGERED}/nobody/settings", {})).status == 404


async def test_settings_of_a_deployed_job_count_until_its_settings_job_changes(
    client: Client, shop: Site
) -> None:
    files = {
        "App_Data/jobs/triggered/a/run.sh": "true",
        "App_Data/jobs/triggered/a/settings.job": '{"schedule": "0 0 1 * * *"}',
    }
    await shop.deploy(files)
    await client.ask("PUT", f"{TRIGGERED}/a/settings", {"schedule": "0 0 2 * * *"})
    await shop.deploy({"README.md": "another commit"})
    assert (await client.get(f"{TRIGGERED}/a/settings")).json["schedule"] == "0 0 2 * * *"
    await shop.deploy(
        {**files, "App_Data/jobs/triggered/a/settings.job": '{"schedule": "0 0 3 * * *"}'}
    )
    assert (await client.get(f"{TRIGGERED}/a/settings")).json["schedule"] == "0 0 3 * * *"


async def test_an_action_alone_is_a_job_and_its_secrets_are_never_shown(
    client: Client, server: Server
) -> None:
    request = {
        "method": "POST",
        "uri": "https://example.org/ping",
        "authentication": {"type": "basic", "username": "me", "password": "very-secret-word"},
    }
    settings = {"schedule": "0 0 3 * * *", "action": {"type": "https", "request": request}}
    made = await client.ask(
        "PUT", f"{TRIGGERED}/ping", settings, headers={"Content-Type": "application/json"}
    )
    assert made.status == 200, made.body
    assert made.json["run_command"] == "POST https://example.org/ping"
    shown = await client.get(f"{TRIGGERED}/ping/settings")
    assert "very-secret-word" not in shown.text
    again = await client.ask("PUT", f"{TRIGGERED}/ping/settings", shown.json)
    assert again.status == 200, again.body
    name = shown.json["action"]["request"]["authentication"]["password"]["secret"]
    assert await server.store.secrets.get("shop", name) == "very-secret-word"
    for file in server.home.app("shop").uploads.rglob("*"):
        assert not file.is_file() or b"very-secret-word" not in file.read_bytes()
    await client.ask("DELETE", f"{TRIGGERED}/ping")
    assert await server.store.secrets.values("shop") == []


async def test_only_who_may_deploy_uploads(admin: Client, client: Client) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    runner = await admin.token_for("run", apps=["shop"])
    assert (await runner.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())).status == 403
    assert (await runner.ask("DELETE", f"{TRIGGERED}/a")).status == 403
    assert (await runner.ask("PUT", f"{TRIGGERED}/a/settings", {})).status == 403
    assert (await runner.get(f"{TRIGGERED}/a/settings")).status == 200


async def test_every_older_spelling_leads_there(client: Client) -> None:
    for number, path in enumerate(
        (
            "jobs/triggered",
            "api/jobs/triggered",
            "triggeredjobs",
            "api/triggeredjobs",
            "triggeredwebjobs",
        )
    ):
        url = f"/apps/shop/{path}/x{number}"
        assert (await client.ask("PUT", url + "/", b"true", headers=script())).status == 200
        settings = await client.ask("PUT", url + "/settings", json.loads('{"a": 1}'))
        assert settings.status == 200
        assert (await client.ask("DELETE", url)).status == 200
