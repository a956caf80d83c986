"""A CI job that sends a zip: `/api/zipdeploy`, `/api/publish`, `/api/isdeploying`."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gitdeploy.app import Server
from tests.integration.web.conftest import Answer, Client, Site
from tests.support import eventually

API = "/apps/shop/api"
OLD = {"index.html": "old", "App_Data/jobs/triggered/report/run.sh": "echo old\n"}
NEW = {"index.html": "new", "lib/a.txt": "a", "App_Data/jobs/triggered/other/run.sh": "echo new\n"}


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
async def deployed(shop: Site) -> str:
    """The commit that is live before the zip."""
    return await shop.deploy(OLD)


async def site(client: Client) -> dict[str, str]:
    """The files that are live."""
    answer = await client.get(f"{API}/zip/site/wwwroot/")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {n: archive.read(n).decode() for n in archive.namelist() if n[-1] != "/"}


def nothing_came_to_stay(server: Server) -> bool:
    return not list(server.home.app("shop").uploads.glob("incoming-*"))


async def test_a_zip_becomes_the_whole_site(admin: Client, deployed: str, server: Server) -> None:
    query = "deployer=ci&author=Ada&authorEmail=ada%40example.org&message=Build%2012"
    answer = await admin.ask("POST", f"{API}/zipdeploy?{query}", zipped(NEW))
    assert answer.status == 200, answer.body
    shown = answer.json
    assert answer.headers["SCM-DEPLOYMENT-ID"] == shown["id"]
    assert {key: shown[key] for key in ("deployer", "author", "author_email", "message")} == {
        "deployer": "ci",
        "author": "Ada",
        "author_email": "ada@example.org",
        "message": "Build 12",
    }
    assert (shown["status"], shown["complete"], shown["trigger"]) == (4, True, "zip")
    assert (await admin.get(shown["url"])).json["active"] is True
    assert await site(admin) == NEW
    jobs = [job["name"] for job in (await admin.get(f"{API}/webjobs")).json]
    assert jobs == ["other"]
    assert nothing_came_to_stay(server)


async def test_nobody_waits_for_an_async_one_and_its_location_works_until_it_ends(
    admin: Client, deployed: str, server: Server
) -> None:
    answer = await admin.ask("PUT", f"{API}/zipdeploy?isAsync=true", zipped(NEW))
    assert answer.status == 202
    location = answer.headers["Location"]
    assert location == f"{server.url}{API}/deployments/{answer.json['id']}"

    async def ended() -> bool:
        asked = await admin.get(location)
        assert asked.status in (200, 202)
        return bool(asked.json["status"] == 4)

    await eventually(ended)
    latest = await admin.get(f"{API}/deployments/latest")
    assert (latest.status, latest.json["id"]) == (200, answer.json["id"])
    assert await site(admin) == NEW
    assert (await admin.get(f"{API}/isdeploying")).json == {"value": False}
    await eventually(lambda: nothing_came_to_stay(server))


async def test_one_deploys_at_a_time(admin: Client, shop: Site, server: Server) -> None:
    slow = {"App_Data/jobs/continuous/ticker/run.sh": "sleep 60\n"}
    await shop.deploy(slow)
    server.options.swap_grace = 5.0
    changed = {"App_Data/jobs/continuous/ticker/run.sh": "sleep 61\n"}
    first = await admin.ask("POST", f"{API}/zipdeploy?isAsync=true", zipped(changed))
    assert first.status == 202
    assert (await admin.get(f"{API}/isdeploying")).json == {"value": True}
    assert (await admin.get(f"{API}/deployments/latest")).status == 202
    for path in ("zipdeploy", "publish?type=zip", "publish?type=static&path=x"):
        second = await admin.ask("POST", f"{API}/{path}", zipped(NEW))
        assert second.status == 409, path
        assert second.headers["Retry-After"]
    await server.deployer.cancel_all("shop", who="test")
    assert nothing_came_to_stay(server)


async def test_who_waits_is_told_that_the_deployment_was_cancelled_or_the_server_stopped(
    admin: Client, shop: Site, server: Server
) -> None:
    await shop.deploy({"App_Data/jobs/continuous/ticker/run.sh": "sleep 60\n"})
    server.options.swap_grace = 30.0
    changed = zipped({"App_Data/jobs/continuous/ticker/run.sh": "sleep 61\n"})

    async def under_way() -> Any:
        latest = await admin.get(f"{API}/deployments/latest")
        return latest.json["url"] if latest.status == 202 else None

    waiting = asyncio.create_task(admin.ask("POST", f"{API}/zipdeploy", changed))
    url = await eventually(under_way)
    assert (await admin.ask("DELETE", url)).status == 200
    told = await waiting
    assert (told.status, told.json["deployment"]) == (409, url)
    assert "Cancelled" in told.json["detail"]
    waiting = asyncio.create_task(admin.ask("POST", f"{API}/publish?type=zip", changed))
    await eventually(under_way)
    await server.deployer.close()
    assert (await waiting).status == 503
    assert nothing_came_to_stay(server)


async def test_a_job_that_dies_fails_the_zip_and_its_last_words_are_told(
    admin: Client, shop: Site, server: Server
) -> None:
    server.options.swap_grace = 5.0
    await shop.deploy({"App_Data/jobs/continuous/ticker/run.sh": "sleep 60\n"})
    broken = zipped({"App_Data/jobs/continuous/ticker/run.sh": "echo no such rate; exit 3\n"})
    answer = await admin.ask("POST", f"{API}/zipdeploy", broken)
    assert answer.status == 400, answer.body
    assert "ticker" in answer.json["detail"]
    assert "no such rate" in answer.json["detail"]
    assert (await site(admin))["App_Data/jobs/continuous/ticker/run.sh"] == "sleep 60\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no zip",
        zipped(NEW)[:-30],
        zipped({"../evil": "x"}),
        zipped({"a": "x", "A": "y"}),
        zipped({".git/config": "x"}),
    ],
)
@pytest.mark.parametrize("path", ["zipdeploy", "publish?type=zip", "publish?type=zip&path=lib"])
async def test_a_bad_zip_changes_nothing_and_the_next_good_one_works(
    admin: Client, deployed: str, server: Server, path: str, body: bytes
) -> None:
    answer = await admin.ask("POST", f"{API}/{path}", body)
    assert answer.status == 400, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    failed = await admin.get(answer.json["deployment"])
    assert (failed.json["status"], failed.json["active"]) == (3, False)
    assert await site(admin) == OLD
    assert nothing_came_to_stay(server)
    assert [d.name for d in server.home.app("shop").releases.iterdir() if d.is_dir()] == ["1"]
    assert (await admin.ask("POST", f"{API}/zipdeploy", zipped(NEW))).status == 200
    assert await site(admin) == NEW


async def test_an_entry_that_is_refused_is_named(admin: Client, deployed: str) -> None:
    answer = await admin.ask("POST", f"{API}/zipdeploy", zipped({"x/../../evil.txt": "x"}))
    assert (answer.status, "x/../../evil.txt" in answer.json["detail"]) == (400, True)
    assert answer.json["fix"]


async def test_a_form_with_one_file_and_a_bare_zip_that_says_form_are_taken(
    admin: Client, deployed: str, server: Server
) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "hello")
    form.add_field("zipFile", zipped(NEW), filename="site.zip", content_type="application/zip")
    async with admin.session.post(
        f"{admin.url}{API}/zipdeploy", data=form, headers=admin._headers(None)
    ) as answer:
        assert answer.status == 200, await answer.text()
    assert await site(admin) == NEW
    for media in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json"):
        bare = await admin.ask(
            "POST", f"{API}/zipdeploy", zipped(OLD), headers={"Content-Type": media}
        )
        assert bare.status == 200, (media, bare.body)
    assert await site(admin) == OLD
    assert nothing_came_to_stay(server)


async def test_publish_puts_a_zip_where_its_path_says(admin: Client, deployed: str) -> None:
    async def publish(query: str, files: dict[str, str]) -> dict[str, str]:
        answer = await admin.ask("POST", f"{API}/publish?type=zip&{query}", zipped(files))
        assert answer.status == 200, answer.body
        assert answer.json["trigger"] == "publish"
        return await site(admin)

    assert await publish("clean=false&restart=true", {"lib/a": "a"}) == {**OLD, "lib/a": "a"}
    assert await publish("path=/home/site/wwwroot/lib&clean=false", {"b": "b"}) == {
        **OLD,
        "lib/a": "a",
        "lib/b": "b",
    }
    assert await publish("path=lib", {"c": "c"}) == {**OLD, "lib/c": "c"}
    assert await publish("ignorestack=true", NEW) == NEW


async def test_publish_puts_one_file_where_its_path_says(
    admin: Client, deployed: str, server: Server
) -> None:
    async def publish(query: str, body: bytes) -> Answer:
        answer: Answer = await admin.ask("POST", f"{API}/publish?{query}", body)
        return answer

    assert (await publish("type=static&path=css/a.css", b"a")).status == 200
    assert (await publish("type=static&path=css/b.css", b"b")).status == 200
    assert await site(admin) == {**OLD, "css/a.css": "a", "css/b.css": "b"}
    assert (await publish("type=static&path=css/c.css&clean=true", b"c")).status == 200
    assert await site(admin) == {**OLD, "css/c.css": "c"}
    assert (await publish("type=startup", b"echo up\n")).status == 200
    assert (await publish("type=script&path=/home/site/scripts/x.sh", b"echo x\n")).status == 200
    assert await site(admin) == {
        **OLD,
        "css/c.css": "c",
        "startup.sh": "echo up\n",
        "scripts/x.sh": "echo x\n",
    }
    assert (await publish("type=static&path=css", b"x")).status in (400, 409)
    for query, status in (
        ("", 400),
        ("type=exe", 400),
        ("type=static", 400),
        ("type=static&path=../x", 400),
        ("type=static&path=x&clean=perhaps", 400),
        ("type=war", 501),
        ("type=lib&path=x.jar", 501),
    ):
        refused = await publish(query, b"x")
        assert refused.status == status, query
        assert refused.json["fix"], query
    waited = await publish("type=static&path=x&async=true", b"x")
    assert (waited.status, waited.json["trigger"]) == (202, "publish")

    async def ended() -> bool:
        return bool((await admin.get(waited.headers["Location"])).json["status"] == 4)

    await eventually(ended)
    assert (await site(admin))["x"] == "x"
    await eventually(lambda: nothing_came_to_stay(server))


async def test_a_deployment_before_the_zip_can_be_gone_back_to(
    admin: Client, deployed: str
) -> None:
    zip_id = (await admin.ask("POST", f"{API}/zipdeploy", zipped(NEW))).json["id"]
    for deployment, files in ((deployed, OLD), (zip_id, NEW)):
        back = await admin.ask("PUT", f"{API}/deployments/{deployment}")
        assert back.status in (200, 202), back.body

        async def active(wanted: str = deployment) -> bool:
            return bool((await admin.get(f"{API}/deployments/{wanted}")).json["active"])

        await eventually(active)
        assert await site(admin) == files


@pytest.fixture
async def shelf() -> AsyncIterator[dict[str, Any]]:
    """A server elsewhere with zips on it; what it was asked."""
    asked: list[Any] = []
    packed = zipped(NEW)

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, request.headers.get("Authorization")))
        match request.path:
            case "/good.zip":
                return web.Response(body=packed)
            case "/moved":
                raise web.HTTPFound("/good.zip")
            case "/loop":
                raise web.HTTPFound("/loop")
            case "/file":
                raise web.HTTPFound("file:///etc/passwd")
            case "/cut":
                response = web.StreamResponse(headers={"Content-Length": str(len(packed))})
                await response.prepare(request)
                await response.write(packed[:100])
                assert request.transport is not None
                request.transport.abort()
                return response
        raise web.HTTPNotFound

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    yield {"port": runner.addresses[0][1], "asked": asked}
    await runner.cleanup()


@pytest.mark.parametrize("options", [{"allow_private_fetch": True}])
async def test_a_zip_is_fetched_from_where_a_json_body_says(
    admin: Client, deployed: str, server: Server, shelf: dict[str, Any]
) -> None:
    async def sent(path: str, uri: str) -> Answer:
        answer: Answer = await admin.ask(
            "POST",
            f"{API}/{path}",
            {"packageUri": uri},
            headers={"Content-Type": "application/json"},
        )
        return answer

    base = f"127.0.0.1:{shelf['port']}"
    for path in ("cut", "none", "loop", "file"):
        answer = await sent("zipdeploy", f"http://{base}/{path}?sig=secret")
        assert answer.status == 400, (path, answer.body)
        assert "packageUri" in answer.json["detail"] or path == "file"
        assert "secret" not in answer.text
    for uri in ("file:///etc/passwd", "-x", "", "ftp://example.org/x", "http://"):
        assert (await sent("zipdeploy", uri)).status == 400, uri
    assert await site(admin) == OLD
    assert nothing_came_to_stay(server)
    done = await sent("publish?type=zip", f"http://u:p@{base}/moved")
    assert done.status == 200, done.body
    assert shelf["asked"][-2:] == [("/moved", "Basic dTpw"), ("/good.zip", None)]
    assert await site(admin) == NEW
    into = await admin.ask(
        "PUT",
        f"{API}/zip/data/in/",
        {"packageUri": f"http://{base}/good.zip"},
        headers={"Content-Type": "application/json"},
    )
    assert into.status == 200
    assert (server.home.app("shop").data / "in/index.html").read_text() == "new"
    assert nothing_came_to_stay(server)


async def test_private_addresses_aren_t_fetched_from(
    admin: Client, deployed: str, shelf: dict[str, Any]
) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]"):
        answer = await admin.ask(
            "POST",
            f"{API}/zipdeploy",
            {"packageUri": f"http://{host}:{shelf['port']}/good.zip"},
            headers={"Content-Type": "application/json"},
        )
        assert answer.status == 400, host
        assert "allow_private_fetch" in answer.text, host
    assert shelf["asked"] == []
    assert await site(admin) == OLD


async def test_a_client_that_leaves_half_way_leaves_the_old_site_and_no_file(
    admin: Client, deployed: str, server: Server
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for path in ("zipdeploy", "vfs/site/wwwroot/new.txt", "vfs/data/new.txt", "zip/data/in/"):
        method = "POST" if path == "zipdeploy" else "PUT"
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"{method} {API}/{path} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n"
        head += f"Authorization: Bearer {admin.token}\r\n\r\n"
        writer.write(head.encode() + b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        await writer.drain()
        uploads = server.home.app("shop").uploads

        def arrived(uploads: Any = uploads) -> bool:
            return any(file.stat().st_size for file in uploads.glob("incoming-*"))

        await eventually(arrived, what=f"{path}: the first bytes are on the disk")
        writer.transport.abort()
        await eventually(lambda: nothing_came_to_stay(server), what=f"{path}: the file is gone")
    assert await site(admin) == OLD
    assert not (server.home.app("shop").data / "new.txt").exists()
    assert [d["id"] for d in (await admin.get(f"{API}/deployments")).json] == [deployed]
