"""Releases without a commit: zips, files, removals, through a real pipeline with real jobs."""

import asyncio
import json
import os
import zipfile
from pathlib import Path

import pytest

from gitdeploy.deploy.content import File, Folder, Removed, Unzipped, WholeSite, site_path
from gitdeploy.errors import Conflict, Invalid, NotFound
from tests.support import eventually

from .conftest import APP

TICK = "import time\nprint('up', flush=True)\nwhile True: time.sleep(60)\n"


@pytest.fixture
def spool(tmp_path):
    """Files as the web room leaves them for a content."""
    made = 0

    def make(content: str | bytes | dict[str, str]) -> Path:
        nonlocal made
        made += 1
        path = tmp_path / f"spool{made}"
        if isinstance(content, dict):
            with zipfile.ZipFile(path, "w") as zipped:
                for name, text in content.items():
                    zipped.writestr(name, text)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


async def bring(server, content, *, trigger="zip"):
    row = await server.deployer.deploy_content(
        APP, content, trigger=trigger, deployer="ada", wait_turn=True, message="By hand"
    )
    return await server.deployer.outcome(row)


def job(name: str, text: str = TICK) -> dict[str, str]:
    return {f"App_Data/jobs/continuous/{name}/run.py": text}


async def site(server) -> Path:
    active = await server.store.releases.active(APP)
    return server.paths.release(active.number) / active.project


async def test_a_zip_becomes_the_whole_site_and_its_job_runs(server, repo, spool):
    row = await bring(server, WholeSite(spool({**job("ticker"), "index.html": "hi"})))

    assert (row.status, row.trigger, row.commit_id, row.release) == ("success", "zip", None, 1)
    assert len(row.id) == 40
    await eventually(lambda: server.pid("ticker"))
    assert (await site(server) / "index.html").read_text() == "hi"
    started = (await server.records(row.id))[0]
    assert (started["source"], started["subject"]) == ("the zip", "By hand")


async def test_a_second_zip_replaces_the_first_and_an_unchanged_job_keeps_its_pid(
    server, repo, spool
):
    await bring(server, WholeSite(spool({**job("ticker"), **job("old")})))
    pid = await eventually(lambda: server.pid("ticker"))
    await bring(server, WholeSite(spool({**job("ticker"), **job("new")})))

    jobs = await site(server) / "App_Data/jobs/continuous"
    assert sorted(os.listdir(jobs)) == ["new", "ticker"]
    assert server.pid("ticker") == pid


async def test_a_push_and_a_zip_of_the_same_files_are_the_same_to_a_job(server, repo, spool):
    repo.ticker()
    repo.commit()
    await server.push(repo.push())
    pid = await eventually(lambda: server.pid("ticker"))
    text = (await site(server) / "App_Data/jobs/continuous/ticker/run.py").read_text()
    await bring(server, WholeSite(spool(job("ticker", text))))
    assert server.pid("ticker") == pid


async def test_a_file_makes_a_release_of_its_own_and_the_old_one_stays_as_it_was(
    server, repo, spool
):
    await bring(server, WholeSite(spool({"a/b.txt": "old", "c.txt": "c"})))
    before = await site(server)
    row = await bring(server, File(spool("new"), "a/b.txt"), trigger="vfs")

    after = await site(server)
    assert (before / "a/b.txt").read_text() == "old"
    assert (after / "a/b.txt").read_text() == "new"
    assert (after / "c.txt").read_text() == "c"
    assert row.trigger == "vfs"
    again = await server.deployer.redeploy(
        APP, (await server.store.deployments.newest(APP))[1].id, deployer="ada"
    )
    assert (await server.deployer.outcome(again)).status == "success"
    assert (await site(server) / "a/b.txt").read_text() == "old"


async def test_a_changed_script_restarts_its_job_alone(server, repo, spool):
    await bring(server, WholeSite(spool({**job("one"), **job("two")})))
    one = await eventually(lambda: server.pid("one"))
    two = await eventually(lambda: server.pid("two"))
    await bring(server, File(spool(TICK + "# new\n"), "App_Data/jobs/continuous/one/run.py"))
    assert server.pid("two") == two
    assert await eventually(lambda: server.pid("one")) != one


async def test_a_file_that_the_check_refuses_changes_nothing(server, repo, spool):
    await bring(server, WholeSite(spool({"a.txt": "old"})))
    seen = []

    def check(file: Path, there: bool) -> None:
        seen.append((file.read_text(), there))
        raise Conflict("It has changed.", "Look again.")

    path = spool("new")
    with pytest.raises(Conflict, match="has changed"):
        await bring(server, File(path, "a.txt", check=check))
    assert seen == [("old", True)]
    assert (await site(server) / "a.txt").read_text() == "old"
    assert not path.exists()
    assert sorted(os.listdir(server.paths.releases)) == ["1", "1.json"]


async def test_a_zip_is_unpacked_into_a_directory_beside_what_is_there(server, repo, spool):
    await bring(server, WholeSite(spool({"x/keep.txt": "1", "x/over.txt": "1", "y.txt": "1"})))
    await bring(server, Unzipped(spool({"over.txt": "2", "d/new.txt": "2"}), "x"))
    root = await site(server)
    files = {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}
    assert files == {"x/keep.txt": "1", "x/over.txt": "2", "x/d/new.txt": "2", "y.txt": "1"}

    await bring(server, Unzipped(spool({"only.txt": "3"}), "x", clean=True))
    assert sorted(os.listdir(await site(server) / "x")) == ["only.txt"]


async def test_a_file_or_a_directory_goes(server, repo, spool):
    await bring(server, WholeSite(spool({"x/a.txt": "1", "x/b.txt": "1", **job("gone")})))
    await eventually(lambda: server.pid("gone"))
    await bring(server, Removed("x/a.txt"))
    assert sorted(os.listdir(await site(server) / "x")) == ["b.txt"]
    with pytest.raises(Conflict, match="isn't empty"):
        await bring(server, Removed("App_Data"))
    await bring(server, Removed("App_Data", recursive=True))
    assert server.pid("gone") is None
    with pytest.raises(NotFound):
        await bring(server, Removed("nothing"))


async def test_a_directory_is_made(server, repo):
    await bring(server, Folder("new/empty"))
    assert (await site(server) / "new/empty").is_dir()


async def test_a_bad_zip_is_told_and_nothing_is_left(server, repo, spool):
    await bring(server, WholeSite(spool({"a.txt": "1"})))
    for bad in ({"../evil": "x"}, {"a": "1", "a/b": "2"}):
        path = spool(bad)
        with pytest.raises(Invalid):
            await bring(server, WholeSite(path))
        assert not path.exists()
    with pytest.raises(Invalid):
        await bring(server, Unzipped(spool(b"no zip"), "x"))
    assert sorted(os.listdir(server.paths.releases)) == ["1", "1.json"]
    assert (await site(server) / "a.txt").read_text() == "1"
    row = await bring(server, WholeSite(spool({"a.txt": "2"})))
    assert row.status == "success"


async def test_a_link_of_the_release_is_never_written_through(server, repo, spool, tmp_path):
    (repo.path / "real").mkdir()
    repo.write("real/a.txt", "1")
    (repo.path / "link").symlink_to("real")
    repo.commit()
    await server.push(repo.push())
    with pytest.raises(Invalid, match="symbolic link"):
        await bring(server, File(spool("2"), "link/b.txt"))
    await bring(server, File(spool("2"), "link"))  # the link itself is replaced
    root = await site(server)
    assert (root / "link").read_text() == "2"
    assert not (root / "link").is_symlink()
    assert (root / "real/a.txt").read_text() == "1"


async def test_two_changes_at_once_are_made_one_after_the_other(server, repo, spool):
    await bring(server, WholeSite(spool({"a.txt": "1"})))
    await asyncio.gather(*(bring(server, File(spool("x"), f"n{n}.txt")) for n in range(5)))
    assert len(os.listdir(await site(server))) == 6


async def test_a_locked_app_refuses_and_drops_what_was_sent(server, repo, spool):
    await server.store.apps.update(APP, {"locked": "release day"})
    path = spool({"a.txt": "1"})
    with pytest.raises(Conflict, match="release day"):
        await bring(server, WholeSite(path))
    assert not path.exists()


async def test_content_whose_files_are_gone_cant_be_deployed_again(make_server, spool):
    server = await make_server(keep_releases=1)
    await server.app()
    first = await bring(server, WholeSite(spool({"a.txt": "1"})))
    await bring(server, WholeSite(spool({"a.txt": "2"})))
    with pytest.raises(NotFound, match="aren't on the disk"):
        await server.deployer.redeploy(APP, first.id, deployer="ada")


async def test_a_project_is_where_paths_begin(server, repo, spool):
    repo.write(".deployment", "[config]\nproject = web\n")
    repo.write("web/index.html", "1")
    repo.commit()
    await server.push(repo.push())
    await bring(server, File(spool("2"), "index.html"))
    root = await site(server)
    assert root.name == "web"
    assert (root / "index.html").read_text() == "2"
    manifest = json.loads((server.paths.releases / "2.json").read_text())["manifest"]
    assert sorted(manifest) == [".deployment", "web/index.html"]


@pytest.mark.parametrize("path", ["../a", "a/../../b", ".git/config", "a/.GIT/x", "a\0b"])
def test_a_path_that_leads_out_or_spells_git_is_refused(path):
    with pytest.raises(Invalid):
        site_path(path)


def test_a_path_is_taken_in_its_plain_form():
    assert site_path("/a//b/./c/") == "a/b/c"
    assert site_path("") == ""
