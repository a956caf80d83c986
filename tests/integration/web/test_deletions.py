"""DELETE of a job is whole: what a crash or a failure cut off is finished."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.app import Server
from gitdeploy.config import Options
from gitdeploy.errors import Unavailable
from tests.integration.web.conftest import ADMIN, Client, Site
from tests.integration.web.uploading import TRIGGERED, run, script

KEEP = (
    'echo "$WEBJOBS_RUN_ID" >> "$WEBJOBS_DATA_PATH/kept"; cat "$WEBJOBS_DATA_PATH/kept" | wc -l\n'
)


@pytest.fixture
async def client(admin: Client, shop: Site) -> AsyncIterator[Client]:
    yield await admin.token_for("deploy", apps=["shop"])


async def upload(client: Client) -> None:
    made = await client.ask("PUT", f"{TRIGGERED}/mail", KEEP.encode(), headers=script())
    assert made.status == 200, made.body


async def runs(server: Server) -> int:
    return len(await server.store.executions.newest("shop", "triggered", "mail"))


def directories(server: Server) -> list[Path]:
    paths = server.home.app("shop")
    each = paths.executions("triggered", "mail"), paths.job_data("triggered", "mail")
    return [path for path in each if path.exists()]


async def after_a_crash(server: Server, tmp_path: Path) -> Server:
    """A server that finds the home as this one has it now."""
    home = tmp_path / "copy"
    shutil.copytree(server.home.root, home, symlinks=True)
    return Server(Options(home=home, listen="127.0.0.1:0", admin_token=ADMIN, isolation="process"))


@pytest.mark.parametrize("deployed", [False, True], ids=["uploaded", "deployed"])
async def test_a_deletion_that_a_crash_cut_off_is_finished_at_the_next_start(
    client: Client,
    server: Server,
    shop: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deployed: bool,
) -> None:
    if deployed:
        await shop.deploy({"App_Data/jobs/triggered/mail/run.sh": KEEP})
    else:
        await upload(client)
    await run(client, "mail")
    reached, go_on = asyncio.Event(), asyncio.Event()
    forget = server.supervisor.forget_job

    async def held(*arguments: Any) -> None:
        reached.set()
        await go_on.wait()
        await forget(*arguments)

    monkeypatch.setattr(server.supervisor, "forget_job", held)
    deleting = asyncio.create_task(client.ask("DELETE", f"{TRIGGERED}/mail"))
    await reached.wait()
    assert await runs(server) == 1
    next_one = await after_a_crash(server, tmp_path)
    await next_one.start()
    try:
        assert next_one.supervisor.jobs("shop") == []
        assert await runs(next_one) == 0
        assert directories(next_one) == []
        assert await next_one.store.uploads.deletions("shop") == []
    finally:
        await next_one.close(stop_jobs=True)
        go_on.set()
    assert (await deleting).status == 200
    assert directories(server) == []
    assert await server.store.uploads.deletions("shop") == []


async def test_a_job_that_comes_back_after_a_failed_deletion_begins_with_nothing(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(client)
    await run(client, "mail")

    async def fails(*arguments: Any) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(server.store.executions, "forget_job", fails)
        assert (await client.ask("DELETE", f"{TRIGGERED}/mail")).status == 503
    await upload(client)
    assert (await client.get(f"{TRIGGERED}/mail/history")).json["runs"] == []
    assert (await run(client, "mail"))["output"].strip() == "1"


async def test_what_a_deployment_has_brought_back_is_not_deleted_later(
    client: Client, server: Server, shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"App_Data/jobs/triggered/mail/run.sh": KEEP}
    await shop.deploy(files)

    async def fails(*arguments: Any) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(server.supervisor, "forget_job", fails)
        assert (await client.ask("DELETE", f"{TRIGGERED}/mail")).status == 503
    await server.supervisor.refresh("shop")
    assert (await client.get(f"{TRIGGERED}/mail")).status == 404
    await shop.deploy({"other": "more"})
    await run(client, "mail")
    next_one = await after_a_crash(server, tmp_path)
    await next_one.start()
    try:
        assert await runs(next_one) == 1
        assert len(directories(next_one)) == 2
    finally:
        await next_one.close(stop_jobs=True)
