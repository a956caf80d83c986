"""Undo: roll back with a reason, cancel, compare, lock and be strict."""

from __future__ import annotations

import io
import zipfile

from gitdeploy.app import Server
from gitdeploy.deploy.content import WholeSite
from tests.integration.web.conftest import Client, Site
from tests.integration.web.test_deployments import API, ended
from tests.support import eventually

JOB = "App_Data/jobs/triggered/report/run.sh"


def zipped(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


async def send(server: Server, files: dict[str, str]) -> str:
    """Deploy a zip; the deployment's id."""
    path = server.home.root / "sent.zip"
    path.write_bytes(zipped(files))
    row = await server.deployer.deploy_content(
        "shop", WholeSite(path), trigger="zip", deployer="ci", wait_turn=True
    )
    return (await server.deployer.outcome(row)).id


async def test_a_roll_back_says_why_and_by_whom(admin: Client, shop: Site) -> None:
    first = await shop.deploy({"index.txt": "1"}, "Good")
    await shop.deploy({"index.txt": "2"}, "Bad")
    body = {"message": "The second breaks the till"}
    started = await admin.ask("PUT", f"{API}/{first}", body)
    done = (await ended(admin, started.headers["Location"])).json
    assert (done["status"], done["active"], done["trigger"]) == (4, True, "api")
    assert done["note"] == "The second breaks the till"
    assert done["message"].startswith("Good")
    assert done["deployer"] == "administrator"
    entries = (await admin.get(done["log_url"])).json
    assert any("The second breaks the till" in entry["message"] for entry in entries)


async def test_a_zip_is_rolled_back_to_and_its_pruned_one_is_told(
    admin: Client, shop: Site, server: Server
) -> None:
    first = await send(server, {"index.txt": "1"})
    await send(server, {"index.txt": "2"})
    started = await admin.ask("PUT", f"{API}/{first}")
    assert started.status == 202, started.text
    done = (await ended(admin, started.headers["Location"])).json
    assert (done["active"], done["trigger"]) == (True, "zip")
    current = server.home.app("shop").current
    assert (current / "index.txt").read_text() == "1"
    for number in range(7):
        await send(server, {"index.txt": f"n{number}"})
    gone = await admin.ask("PUT", f"{API}/{first}")
    assert gone.status == 404
    assert "aren't on the disk" in gone.json["detail"] + gone.json["title"]


async def test_a_deployment_under_way_is_cancelled_whole(
    admin: Client, shop: Site, server: Server
) -> None:
    script = "setsid sh -c 'echo $$ > child; exec sleep 1000' & sleep 1000\n"
    shop.write({".deployment": "[config]\ncommand = sh build.sh\n", "build.sh": script})
    commit = shop.commit()
    await admin.ask("PUT", f"{API}/{commit}")
    child = server.home.app("shop").release(1) / "child"
    await eventually(lambda: child.exists() and child.read_text().strip())
    cancelled = await admin.ask("DELETE", f"{API}/{commit}")
    assert cancelled.status == 200
    assert (cancelled.json["status"], cancelled.json["status_text"]) == (
        3,
        "Cancelled by administrator.",
    )
    assert list(server.home.app("shop").releases.iterdir()) == []
    again = await shop.deploy({"build.sh": "true\n"})
    assert (await admin.get(f"{API}/{again}")).json["active"] is True


async def test_a_difference_names_jobs_files_and_settings(admin: Client, shop: Site) -> None:
    first = await shop.deploy({"lib/a.txt": "1", JOB: "echo 1", "old.txt": "1"})
    await admin.ask("POST", "/apps/shop/api/settings", {"COLOUR": "secret-red"})
    (shop.path / "old.txt").unlink()
    second = await shop.deploy({JOB: "echo 2", "App_Data/jobs/continuous/new/run.sh": "sleep 100"})
    found = await admin.get(f"{API}/{second}/diff")
    assert found.json["from"] == first
    assert found.json["jobs"] == {
        "added": ["continuous/new"],
        "changed": ["triggered/report"],
        "removed": [],
    }
    assert found.json["files"] == {
        "added": ["App_Data/jobs/continuous/new/run.sh"],
        "changed": [JOB],
        "removed": ["old.txt"],
    }
    assert found.json["settings"] == {"added": ["COLOUR"], "changed": [], "removed": []}
    assert "secret-red" not in found.text
    back = (await admin.get(f"{API}/{first}/diff?from={second}")).json
    assert back["files"]["added"] == ["old.txt"]
    assert (await admin.get(f"{API}/{first}/diff")).json["from"] is None
    assert (await admin.get(f"{API}/{first}/diff?from=nothing")).status == 404


async def test_a_failed_deployment_is_compared_with_what_was_in_effect_then(
    admin: Client, shop: Site
) -> None:
    worker = "App_Data/jobs/continuous/worker/run.sh"
    first = await shop.deploy({JOB: "echo 1", worker: "sleep 1000"})
    shop.write({worker: "exit 3"})
    failed = shop.commit()
    await admin.ask("PUT", f"{API}/{failed}")

    async def ended() -> bool:
        return bool((await admin.get(f"{API}/{failed}")).json["status"] == 3)

    await eventually(ended)
    await shop.deploy({worker: "sleep 1000", "note.txt": "later"})
    found = (await admin.get(f"{API}/{failed}/diff")).json
    assert found["from"] == first
    assert found["files"] == {"added": [], "changed": [worker], "removed": []}
    assert found["jobs"] == {"added": [], "changed": ["continuous/worker"], "removed": []}


async def test_a_commit_that_was_never_built_is_compared_by_its_tree(
    admin: Client, shop: Site
) -> None:
    first = await shop.deploy({JOB: "echo 1"})
    shop.write({".deployment": "[config]\ncommand = exit 1\n", JOB: "echo 2"})
    second = shop.commit()
    started = await admin.ask("PUT", f"{API}/{second}")
    await ended(admin, started.headers["Location"])
    found = (await admin.get(f"{API}/{second}/diff")).json
    assert found["from"] == first
    assert found["files"]["changed"] == [JOB]
    assert found["settings"] is None


async def test_a_locked_app_refuses_an_uploaded_job_too(admin: Client, shop: Site) -> None:
    await admin.ask("PATCH", "/api/apps/shop", {"locked": "stocktaking"})
    refused = await admin.ask(
        "PUT",
        "/apps/shop/api/triggeredwebjobs/new",
        b"echo 1",
        headers={"Content-Disposition": "attachment; filename=run.sh"},
    )
    assert refused.status == 409
    assert "stocktaking" in refused.text


async def test_a_strict_app_takes_no_job_with_a_problem(admin: Client, shop: Site) -> None:
    changed = await admin.ask("PATCH", "/api/apps/shop", {"strict": True})
    assert changed.json["strict"] is True
    settings = "App_Data/jobs/triggered/report/settings.job"
    shop.write({JOB: "echo 1", settings: '{"schedule": "not one"}'})
    started = await admin.ask("PUT", f"{API}/{shop.commit()}")
    done = (await ended(admin, started.headers["Location"])).json
    assert done["status"] == 3
    assert "settings.job" in done["status_text"]
    await admin.ask("PATCH", "/api/apps/shop", {"strict": False})
    started = await admin.ask("PUT", f"{API}/{done['id']}")
    assert (await ended(admin, started.headers["Location"])).json["status"] == 4
