"""PUT and DELETE below `/api/vfs`, and zips down and up below `/api/zip`."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitdeploy.app import Server
from tests.integration.web.conftest import Answer, Client, Site

API = "/apps/shop/api"
VFS = f"{API}/vfs"
SITE = {
    "index.html": "<h1>shop</h1>",
    "lib/a.txt": "a",
    "App_Data/jobs/triggered/report/run.sh": "echo hello\n",
}


@pytest.fixture
def data(server: Server, shop: Site) -> Path:
    return server.home.app("shop").data


@pytest.fixture
async def commit(shop: Site) -> str:
    return await shop.deploy(SITE)


def zipped(files: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def unzipped(answer: Answer) -> dict[str, bytes]:
    assert answer.status == 200, answer.body
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}


def nothing_came_to_stay(server: Server) -> bool:
    """Whether no body or unpacked zip was left behind."""
    return not list(server.home.app("shop").uploads.glob("incoming-*"))


async def put(client: Client, path: str, body: Any = b"x", **headers: str) -> Answer:
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    return await client.ask("PUT", f"{VFS}/{path}", body, headers=sent)


async def delete(client: Client, path: str, **headers: str) -> Answer:
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    return await client.ask("DELETE", f"{VFS}/{path}", headers=sent)


async def test_a_file_of_the_data_directory_is_written_read_and_replaced(
    admin: Client, data: Path, server: Server
) -> None:
    made = await put(admin, "data/a/b/c.txt", b"one", If_Match="*")
    assert (made.status, made.body) == (201, b"")
    assert (data / "a/b/c.txt").read_bytes() == b"one"
    got = await admin.get(f"{VFS}/data/a/b/c.txt")
    assert (got.headers["ETag"], got.body) == (made.headers["ETag"], b"one")
    assert got.headers["Last-Modified"] == made.headers["Last-Modified"]
    again = await put(admin, "data/a/b/c.txt", b"two", If_Match=made.headers["ETag"])
    assert again.status == 204
    assert again.headers["ETag"] != made.headers["ETag"]
    assert (data / "a/b/c.txt").read_bytes() == b"two"
    assert nothing_came_to_stay(server)


async def test_what_is_there_is_replaced_and_removed_only_with_its_etag(
    admin: Client, data: Path, server: Server
) -> None:
    tag = (await put(admin, "data/x", b"one", If_None_Match="*")).headers["ETag"]
    for headers in ({}, {"If_Match": '"other"'}, {"If_Match": "*", "If_None_Match": "*"}):
        for refused in (await put(admin, "data/x", b"two", **headers),):
            assert (refused.status, refused.headers["ETag"]) == (412, tag), headers
            assert refused.json["fix"]
    for refused in (await delete(admin, "data/x"), await delete(admin, "data/x", If_Match='"o"')):
        assert (refused.status, refused.headers["ETag"]) == (412, tag)
    assert (data / "x").read_bytes() == b"one"
    assert (await put(admin, "data/new", b"two", If_Match=tag)).status == 412
    assert not (data / "new").exists()
    assert (await delete(admin, "data/x/", If_Match="*")).status == 307
    assert (await delete(admin, "data/x", If_Match=tag)).status == 200
    assert not (data / "x").exists()
    assert (await delete(admin, "data/x", If_Match="*")).status == 404
    assert nothing_came_to_stay(server)


async def test_directories_are_made_and_removed(admin: Client, data: Path) -> None:
    assert (await put(admin, "data/a/b/")).status == 201
    assert (data / "a/b").is_dir()
    for taken in ("data/a/b/", "data/a/b", "data/", "data/jobs/"):
        assert (await put(admin, taken)).status == 409, taken
    assert (await put(admin, "data/a/f", b"x")).status == 201
    for taken in ("data/a/f/", "data/a/f/g", "data/a/f/g/"):
        assert (await put(admin, taken)).status == 409, taken
    assert (await delete(admin, "data/a/b/")).status == 200
    assert (await delete(admin, "data/a/")).status == 409
    assert (await delete(admin, "data/a")).status == 409
    assert (await delete(admin, "data/a/?recursive=true")).status == 200
    assert not (data / "a").exists()
    for kept in ("data/", "data/jobs/", "data/jobs/triggered/"):
        assert (await delete(admin, f"{kept}?recursive=true")).status == 409, kept


async def test_a_directory_too_large_to_list_is_zipped_and_removed(
    admin: Client, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitdeploy.web.files._MOST", 10)
    (data / "many").mkdir(parents=True)
    for number in range(11):
        (data / f"many/{number}").write_text(str(number))
    assert (await admin.get(f"{VFS}/data/many/")).status == 413
    assert len(unzipped(await admin.get(f"{API}/zip/data/many/"))) == 11
    assert (await delete(admin, "data/many/")).status == 409
    assert (await delete(admin, "data/many/?recursive=true")).status == 200
    assert not (data / "many").exists()


async def test_names_that_no_disk_takes_are_refused(admin: Client, data: Path) -> None:
    for path in ("n" * 256, f"a/{'ä' * 128}/b", f"{'n' * 256}/"):
        assert (await put(admin, f"data/{path}")).status == 400
        assert (await admin.ask("PUT", f"{API}/zip/data/{path}", zipped({"a": "b"}))).status == 400
    assert (await put(admin, f"data/{'ä' * 127}.txt")).status == 400
    assert (await put(admin, f"data/{'ä' * 125}.txt")).status == 201
    assert not (data / "a").exists()


async def test_links_lead_no_write_out_of_the_data_directory(
    admin: Client, data: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    data.mkdir(exist_ok=True)
    (data / "out").symlink_to(outside)
    (data / "file").symlink_to(outside / "kept")
    (data / "nowhere").symlink_to(outside / "made")
    (data / "dir").mkdir()
    (data / "dir/out").symlink_to(outside)
    for path in ("out/x", "out/kept", "out/sub/", "file", "nowhere", "dir/out/x"):
        for method, status in (("PUT", 409), ("DELETE", 404)):
            answer = await admin.ask(method, f"{VFS}/data/{path}", headers={"If-Match": "*"})
            assert answer.status == status, (method, path)
    packed = zipped({"x": "x"})
    for path in ("out/", "file/", "dir/out/sub/"):
        assert (await admin.ask("PUT", f"{API}/zip/data/{path}", packed)).status == 409
    assert (await admin.ask("PUT", f"{API}/zip/data/", zipped({"out/x": "x"}))).status == 409
    assert (await admin.ask("PUT", f"{API}/zip/data/", zipped({"file": "x"}))).status == 409
    assert (await delete(admin, "data/dir/?recursive=true")).status == 200
    assert {file.name: file.read_text() for file in outside.iterdir()} == {"kept": "kept"}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "site/",
        "site/x",
        "site/repository/index.html",
        "site/repository/new",
        "site/deployments/x",
        "LogFiles/x",
        "LogFiles/deployments/",
        "repo.git/config",
    ],
)
async def test_what_the_server_keeps_is_read_only(admin: Client, commit: str, path: str) -> None:
    for method, where in (("PUT", VFS), ("DELETE", VFS), ("PUT", f"{API}/zip")):
        answer = await admin.ask(method, f"{where}/{path}", b"x", headers={"If-Match": "*"})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), (method, where)


async def test_the_logs_of_jobs_are_read_only_and_their_own_files_are_not(
    admin: Client, commit: str, data: Path
) -> None:
    job = "data/jobs/triggered/report"
    for method in ("PUT", "DELETE"):
        run = await admin.ask("POST", f"{API}/triggeredwebjobs/report/run")
        run_id = run.headers["Location"].rsplit("/", 1)[1]
        for log in (f"{run_id}/status", f"{run_id}/output_log.txt"):
            answer = await admin.ask(method, f"{VFS}/{job}/{log}", b"x", headers={"If-Match": "*"})
            assert answer.status == 405, (method, log)
        await admin.ask("DELETE", f"{API}/triggeredwebjobs/report/history/{run_id}")
    assert (await put(admin, "data/jobs/triggered/REPORT/own.txt", b"mine")).status == 201
    assert (data / "jobs/triggered/report/own.txt").read_bytes() == b"mine"


async def test_only_those_who_deploy_write(admin: Client, commit: str) -> None:
    reader = await admin.token_for("read", "run", apps=["shop"])
    other = await admin.token_for("deploy", apps=["else"])
    for client, status in ((reader, 403), (other, 404), (admin.with_token(None), 401)):
        for path in ("vfs/data/x", "vfs/site/wwwroot/x", "zip/data/", "zip/site/wwwroot/"):
            assert (await client.ask("PUT", f"{API}/{path}", b"x")).status == status
        assert (await client.ask("DELETE", f"{VFS}/data/x")).status == status
        for path in ("zipdeploy", "publish?type=zip"):
            assert (await client.ask("POST", f"{API}/{path}", b"x")).status == status
    assert (await reader.get(f"{API}/zip/site/wwwroot/")).status == 200
    assert (await other.get(f"{API}/zip/site/wwwroot/")).status == 404


async def test_a_write_below_the_site_is_a_release_of_its_own(
    admin: Client, commit: str, server: Server
) -> None:
    old = server.home.app("shop").release(1)
    tag = (await admin.get(f"{VFS}/site/wwwroot/lib/a.txt")).headers["ETag"]
    assert (await put(admin, "site/wwwroot/lib/a.txt", b"b")).status == 412
    made = await put(admin, "site/wwwroot/lib/new/c.txt", b"c")
    assert made.status == 201, made.body
    changed = await put(admin, "site/wwwroot/lib/a.txt", b"b", If_Match=tag)
    assert changed.status == 204, changed.body
    got = await admin.get(f"{VFS}/site/wwwroot/lib/a.txt")
    assert (got.text, got.headers["ETag"]) == ("b", changed.headers["ETag"])
    assert (await put(admin, "site/wwwroot/lib/a.txt", b"d", If_Match=tag)).status == 412
    assert (old / "lib/a.txt").read_text() == "a"
    assert not (old / "lib/new").exists()
    newest = (await admin.get(f"{API}/deployments")).json[0]
    assert (newest["trigger"], newest["status"], newest["active"]) == ("vfs", 4, True)
    assert newest["message"] == "PUT site/wwwroot/lib/a.txt"
    assert (await put(admin, "site/wwwroot/empty/")).status == 201
    assert (await delete(admin, "site/wwwroot/lib/a.txt", If_Match="*")).status == 200
    assert (await delete(admin, "site/wwwroot/lib/")).status == 409
    assert (await delete(admin, "site/wwwroot/lib/?recursive=true")).status == 200
    names = [one["name"] for one in (await admin.get(f"{VFS}/site/wwwroot/")).json]
    assert names == ["App_Data", "empty", "index.html"]
    assert (await delete(admin, "site/wwwroot/?recursive=true")).status == 200
    assert (await admin.get(f"{VFS}/site/wwwroot/")).json == []
    assert nothing_came_to_stay(server)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("lib", 409),
        ("lib/", 409),
        ("lib/a.txt/", 409),
        ("lib/a.txt/b", 409),
        (".git/config", 400),
        ("lib/.GIT/x", 400),
        ("n" * 256, 400),
    ],
)
async def test_a_refused_write_leaves_the_site_as_it_was(
    admin: Client, commit: str, server: Server, path: str, status: int
) -> None:
    answer = await put(admin, f"site/wwwroot/{path}", b"x", If_Match="*")
    assert answer.status == status, answer.body
    newest = (await admin.get(f"{API}/deployments")).json
    assert [one["id"] for one in newest if one["active"]] == [commit]
    failed = [one["url"] for one in newest if one["status"] == 3]
    assert answer.json.get("deployment", "") in (failed or [""])
    assert nothing_came_to_stay(server)


async def test_a_locked_app_refuses_writes_to_its_site_with_the_reason(
    admin: Client, commit: str, server: Server
) -> None:
    await admin.ask("PATCH", "/api/apps/shop", {"locked": "an audit"})
    for method, path in (
        ("PUT", "vfs/site/wwwroot/x"),
        ("DELETE", "vfs/site/wwwroot/index.html"),
        ("PUT", "zip/site/wwwroot/"),
        ("POST", "zipdeploy"),
        ("POST", "publish?type=zip"),
    ):
        answer = await admin.ask(method, f"{API}/{path}", zipped({"a": "b"}))
        assert answer.status == 409, (method, path)
        assert "an audit" in answer.json["detail"]
    assert (await put(admin, "data/x")).status == 201
    assert nothing_came_to_stay(server)


async def test_a_directory_comes_down_as_a_zip(admin: Client, commit: str, data: Path) -> None:
    (data / "own").mkdir(parents=True)
    (data / "own/x.bin").write_bytes(b"\0" * 300_000)
    (data / "own/link").symlink_to("/etc/passwd")
    answer = await admin.get(f"{API}/zip/site/wwwroot/")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="wwwroot.zip"'
    assert unzipped(answer) == {name: text.encode() for name, text in SITE.items()}
    assert unzipped(await admin.get(f"{API}/zip/site/wwwroot/lib/")) == {"a.txt": b"a"}
    assert unzipped(await admin.get(f"{API}/zip/site/repository/")) == {
        name: text.encode() for name, text in SITE.items()
    }
    assert unzipped(await admin.get(f"{API}/zip/data/own/")) == {"x.bin": b"\0" * 300_000}
    await admin.ask("POST", f"{API}/triggeredwebjobs/report/run")
    every = unzipped(await admin.get(f"{API}/zip/?fileName=all%20%C3%A4.zip"))
    assert {
        "data/own/x.bin",
        "site/wwwroot/index.html",
        f"site/deployments/{commit}/log.log",
    } <= set(every)
    assert any(name.endswith("/output_log.txt") for name in every)
    named = await admin.ask("HEAD", f"{API}/zip/data/?FILENAME=all%20%C3%A4.zip")
    assert (named.status, named.body) == (200, b"")
    assert named.headers["Content-Disposition"] == (
        "attachment; filename=\"all _.zip\"; filename*=UTF-8''all%20%C3%A4.zip"
    )
    assert (await admin.get(f"{API}/zip/data")).status == 307
    for none in ("site/wwwroot/none/", "site/wwwroot/index.html", "data/own/x.bin", "x/"):
        assert (await admin.get(f"{API}/zip/{none}")).status == 404, none


async def test_a_zip_is_unpacked_into_the_data_directory(
    admin: Client, data: Path, server: Server
) -> None:
    await put(admin, "data/in/old.txt", b"old")
    await put(admin, "data/in/sub/x.txt", b"old")
    packed = zipped({"sub/x.txt": "new", "sub/deep/y.txt": "y", "z": "z"})
    assert (await admin.ask("PUT", f"{API}/zip/data/in/", packed)).status == 200
    found = {
        str(file.relative_to(data / "in")): file.read_text()
        for file in (data / "in").rglob("*")
        if file.is_file()
    }
    assert found == {"old.txt": "old", "sub/x.txt": "new", "sub/deep/y.txt": "y", "z": "z"}
    assert (await admin.ask("PUT", f"{API}/zip/data/more/deep", packed)).status == 200
    assert stat.S_IMODE((data / "more/deep/z").stat().st_mode) == 0o644
    clash = zipped({"a-first": "1", "sub": "no directory any more"})
    refused = await admin.ask("PUT", f"{API}/zip/data/in/", clash)
    assert refused.status == 409
    assert not (data / "in/a-first").exists()
    evil = await admin.ask("PUT", f"{API}/zip/data/in/", zipped({"../../evil": "x"}))
    assert (evil.status, "../../evil" in evil.json["detail"]) == (400, True)
    assert (await admin.ask("PUT", f"{API}/zip/data/in/", b"no zip")).status == 400
    assert nothing_came_to_stay(server)


async def test_a_zip_below_the_site_is_a_release_of_its_own(
    admin: Client, commit: str, server: Server
) -> None:
    packed = zipped({"b.txt": "b", "deep/c.txt": "c"})
    answer = await admin.ask("PUT", f"{API}/zip/site/wwwroot/lib/", packed)
    assert answer.status == 200, answer.body
    assert unzipped(await admin.get(f"{API}/zip/site/wwwroot/lib/")) == {
        "a.txt": b"a",
        "b.txt": b"b",
        "deep/c.txt": b"c",
    }
    assert not (server.home.app("shop").release(1) / "lib/b.txt").exists()
    evil = await admin.ask("PUT", f"{API}/zip/site/wwwroot/", zipped({"/etc/evil": "x"}))
    assert evil.status == 400
    assert "/etc/evil" in evil.json["detail"]
    failed = await admin.get(evil.json["deployment"])
    assert (failed.json["status"], failed.json["trigger"]) == (3, "zip")
    assert nothing_came_to_stay(server)


@pytest.mark.parametrize("options", [{"max_site_size": 1000}])
async def test_a_body_over_the_limit_is_413_and_leaves_nothing(
    admin: Client, data: Path, server: Server
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    for body in (b"x" * 1001, None):
        for method, path in (
            ("PUT", "vfs/data/x"),
            ("PUT", "vfs/site/wwwroot/x"),
            ("PUT", "zip/data/"),
            ("POST", "zipdeploy"),
            ("POST", "publish?type=static&path=x"),
        ):
            async with admin.session.request(
                method,
                f"{admin.url}{API}/{path}",
                data=body or endless(),
                headers=admin._headers(None),
            ) as answer:
                told = await answer.json(content_type=None)
            assert (answer.status, "max_site_size" in told["detail"]) == (413, True), path
    assert not (data / "x").exists()
    assert nothing_came_to_stay(server)
