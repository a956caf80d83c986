"""Jobs for somebody who has a zip or a script and no git."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Client, Site
from tests.integration.web.uploading import (
    BASE,
    CONTINUOUS,
    TRIGGERED,
    ZIP,
    left,
    run,
    script,
    zipped,
)
from tests.support import eventually

TICK = "import time\nprint('{}', flush=True)\nwhile True: time.sleep(1)\n"


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    """May deploy to an app that nothing was pushed to."""
    yield await admin.token_for("deploy", apps=["shop"])


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


async def test_a_form_is_refused_with_what_to_do(client: Client, server: Server) -> None:
    part = b'--xyz\r\nContent-Disposition: form-data; name="f"; filename="job.zip"\r\n\r\n'
    form = {"Content-Type": "multipart/form-data; boundary=xyz"}
    body = part + zipped(run_dot_sh="true") + b"\r\n--xyz--\r\n"
    refused = await client.ask("PUT", f"{TRIGGERED}/a", body, headers=form)
    assert refused.status == 400
    assert "curl -T" in refused.json["fix"]
    assert left(server) == []


@pytest.mark.parametrize(
    ("name", "media", "is_zip", "command"),
    [
        ("job", "application/octet-stream", True, "run.sh"),
        ("job.zip", "application/octet-stream", True, "run.sh"),
        ("anything.php", "application/zip", True, "run.sh"),
        ("run.sh", "application/zip", False, "run.sh"),
        ("run.py", "application/octet-stream", True, "run.py"),
    ],
)
async def test_the_bytes_and_the_name_tell_what_came_when_the_type_lies(
    client: Client, name: str, media: str, is_zip: bool, command: str
) -> None:
    body = zipped(run_dot_sh="true") if is_zip else b"true"
    made = await client.ask(
        "PUT", f"{TRIGGERED}/a", body, headers={**script(name), "Content-Type": media}
    )
    assert made.status == 200, made.body
    assert made.json["run_command"] == command


async def test_writes_are_in_the_audit_log(client: Client, server: Server) -> None:
    await client.ask("PUT", f"{TRIGGERED}/a", b"true", headers=script())
    await client.ask("PUT", f"{TRIGGERED}/a/settings", {"mine": 1})
    await client.ask("PUT", f"{TRIGGERED}/a", b"no name")
    await client.ask("DELETE", f"{TRIGGERED}/a")
    entries = await server.store.audit.newest(limit=4)
    assert [(e.what, e.target, e.result) for e in reversed(entries)] == [
        ("triggered.put", "shop/a", "200 OK"),
        ("triggered.put_settings", "shop/a", "200 OK"),
        ("triggered.put", "shop/a", "400 Bad Request"),
        ("triggered.delete", "shop/a", "200 OK"),
    ]
