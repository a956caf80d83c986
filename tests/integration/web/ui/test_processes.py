"""The page of an app's processes."""

from __future__ import annotations

from gitdeploy.app import Server
from tests.integration.web.conftest import SITE, Client, Site
from tests.integration.web.ui.browsing import Browsing, field
from tests.support import eventually

HERE = "/ui/shop/processes"


async def pid_of(server: Server) -> int | None:
    found = await server.supervisor.processes("shop")
    return next((each.details.pid for each in found if each.first), None)


async def test_processes_are_listed_and_one_is_ended(
    admin: Client, shop: Site, server: Server
) -> None:
    reader = await Browsing.begin(admin)
    assert "at the moment" in (await reader.get(f"{HERE}/")).text
    await shop.deploy(SITE)

    async def runs() -> bool:
        return await pid_of(server) is not None

    await eventually(runs)
    page = await reader.get(f"{HERE}/")
    pid = await pid_of(server)
    assert f"{HERE}/{pid}/" in page.text
    one = await reader.get(f"{HERE}/{pid}/")
    assert "run.py" in one.text
    token = field(one, "form_token")
    wrong = await reader.post(f"{HERE}/{pid}", token, start="1")
    assert wrong.status == 409, "another process than the one that was seen"
    ended = await reader.post(f"{HERE}/{pid}", token, start=field(one, "start"))
    assert ended.status == 303, ended.text

    async def other() -> bool:
        return await pid_of(server) != pid

    await eventually(other)
    assert (await reader.get(f"{HERE}/{pid}/", status=404)).text


async def test_who_may_only_read_ends_nothing(admin: Client, shop: Site, server: Server) -> None:
    await shop.deploy(SITE)

    async def runs() -> bool:
        return await pid_of(server) is not None

    await eventually(runs)
    reader = await Browsing.begin(await admin.token_for("read"))
    pid = await pid_of(server)
    page = await reader.get(f"{HERE}/{pid}/")
    assert "End process" not in page.text
    refused = await reader.post(f"{HERE}/{pid}", field(page, "form_token"), start="0")
    assert refused.status == 403
    assert await pid_of(server) == pid
