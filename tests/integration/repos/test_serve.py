"""Stock git fetches over HTTP from `advertise` and `upload_pack`, in each protocol version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.errors import GitdeployError
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.repos import Repositories, Repository, serve
from gitdeploy.repos.pktline import FLUSH, pkt
from gitdeploy.repos.serve import advertise, protocol_version, upload_pack
from tests.support import eventually, git, git_version

VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


@pytest.fixture
async def repositories(tmp_path: Path) -> AsyncIterator[Repositories]:
    home = Home(tmp_path / "home")
    events = Events(home, SystemClock(), instance="test")
    opened = Repositories(home, Options(home=home.root), events.log)
    await opened.start()
    yield opened
    await opened.close()
    events.close()


@pytest.fixture
async def repository(repositories: Repositories) -> Repository:
    return await repositories.create("shop")


@pytest.fixture
async def url(repository: Repository) -> AsyncIterator[str]:
    async def refs(request: web.Request) -> web.Response:
        version = protocol_version(request.headers.get("Git-Protocol"))
        body = await asyncio.to_thread(advertise, repository, request.query["service"], version)
        kind = f"application/x-{request.query['service']}-advertisement"
        return web.Response(body=body, content_type=kind)

    async def pack(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/x-git-upload-pack-result"

        async def send(piece: bytes) -> None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(piece)

        version = protocol_version(request.headers.get("Git-Protocol"))
        try:
            await upload_pack(repository, request.content.iter_any(), send, version=version)
        except GitdeployError as error:
            return web.Response(status=400, text=str(error))
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_get("/shop.git/info/refs", refs)
    app.router.add_post("/shop.git/git-upload-pack", pack)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/shop.git"
    await runner.cleanup()


@pytest.fixture
def work(tmp_path: Path, repository: Repository) -> Path:
    """A clone with three commits, a branch and an annotated tag, all of it pushed by file."""
    path = tmp_path / "work"
    git("init", "-q", "-b", "main", str(path), cwd=tmp_path)
    for number in range(3):
        (path / "file").write_text(f"{number}\n" * (number + 1))
        git("add", "file", cwd=path)
        git("commit", "-q", "-m", f"commit {number}", cwd=path)
    git("tag", "-a", "v1", "-m", "one", cwd=path)
    git("branch", "side", "HEAD~1", cwd=path)
    git("remote", "add", "disk", str(repository.path), cwd=path)
    git("push", "-q", "--mirror", "disk", cwd=path)
    return path


async def run(*arguments: str, cwd: Path, version: int = 2, check: bool = True) -> str:
    argv = ("-c", f"protocol.version={version}", *arguments)
    done = await asyncio.to_thread(git, *argv, cwd=cwd, check=check)
    return done.stdout + done.stderr


async def refs_of(path: Path) -> set[str]:
    return set((await run("for-each-ref", "--format=%(objectname)", cwd=path)).split())


@VERSIONS
async def test_a_clone_has_everything_and_is_clean(
    url: str, work: Path, tmp_path: Path, version: int
) -> None:
    await run("clone", "-q", url, "copy", cwd=tmp_path, version=version)
    copy = tmp_path / "copy"
    assert "commit 2" in await run("log", "--oneline", cwd=copy)
    assert (await run("symbolic-ref", "HEAD", cwd=copy)).strip() == "refs/heads/main"
    assert (await run("tag", cwd=copy)).strip() == "v1"
    assert (await run("branch", "-r", cwd=copy)).count("origin/") == 4
    assert await run("fsck", "--strict", "--full", cwd=copy) == ""


@VERSIONS
async def test_a_fetch_brings_just_what_is_new(
    url: str, work: Path, tmp_path: Path, version: int
) -> None:
    await run("clone", "-q", url, "copy", cwd=tmp_path, version=version)
    copy = tmp_path / "copy"
    (work / "file").write_text("later\n")
    await run("commit", "-q", "-am", "later", cwd=work)
    await run("push", "-q", "disk", "main", cwd=work)
    said = await run("fetch", "--progress", cwd=copy, version=version)
    assert "main" in said
    assert "3 (delta" in said or "Unpacking objects: 100% (3/3)" in said
    assert (await run("log", "-1", "--format=%s", "origin/main", cwd=copy)).strip() == "later"
    assert await run("fetch", cwd=copy, version=version) == ""
    assert await run("fsck", "--strict", cwd=copy) == ""


@VERSIONS
async def test_a_shallow_clone_deepens_later(
    url: str, work: Path, tmp_path: Path, version: int
) -> None:
    await run("clone", "-q", "--depth", "1", url, "copy", cwd=tmp_path, version=version)
    copy = tmp_path / "copy"
    assert (await run("rev-list", "--count", "HEAD", cwd=copy)).strip() == "1"
    await run("fetch", "-q", "--deepen", "1", cwd=copy, version=version)
    assert (await run("rev-list", "--count", "HEAD", cwd=copy)).strip() == "2"
    await run("fetch", "-q", "--unshallow", cwd=copy, version=version)
    assert (await run("rev-list", "--count", "HEAD", cwd=copy)).strip() == "3"
    assert await run("fsck", "--strict", cwd=copy) == ""


@VERSIONS
async def test_a_single_branch_comes_alone(
    url: str, work: Path, tmp_path: Path, version: int
) -> None:
    arguments = ("clone", "-q", "--single-branch", "--no-tags", "-b", "side", url, "copy")
    await run(*arguments, cwd=tmp_path, version=version)
    copy = tmp_path / "copy"
    assert (await run("rev-list", "--count", "--all", cwd=copy)).strip() == "2"
    assert (await run("tag", cwd=copy)).strip() == ""


@VERSIONS
async def test_an_empty_repository_can_be_cloned(url: str, tmp_path: Path, version: int) -> None:
    said = await run("clone", url, "copy", cwd=tmp_path, version=version)
    assert "empty repository" in said


@pytest.mark.skipif(git_version() < (2, 31), reason="git clone asks for `unborn` since 2.31")
async def test_an_unborn_branch_is_followed_in_protocol_2(
    url: str, repository: Repository, tmp_path: Path
) -> None:
    repository.set_head("trunk")
    await run("clone", "-q", url, "copy", cwd=tmp_path)
    assert (await run("symbolic-ref", "HEAD", cwd=tmp_path / "copy")).strip() == "refs/heads/trunk"


@VERSIONS
async def test_our_own_refs_are_not_shown(
    url: str, work: Path, repository: Repository, tmp_path: Path, version: int
) -> None:
    await run("update-ref", "refs/gitdeploy/keep", "main", cwd=repository.path)
    assert "gitdeploy" not in await run("ls-remote", url, cwd=tmp_path, version=version)


@VERSIONS
async def test_ten_thousand_refs_are_listed(
    url: str, work: Path, repository: Repository, tmp_path: Path, version: int
) -> None:
    tip = (await run("rev-parse", "main", cwd=work)).strip()
    packed = repository.path / "packed-refs"
    kept = (
        packed.read_text() if packed.exists() else "# pack-refs with: peeled fully-peeled sorted \n"
    )
    packed.write_text(kept + "".join(f"{tip} refs/many/{n:05}\n" for n in range(10_000)))
    listed = (
        await run("ls-remote", url, "refs/many/*", cwd=tmp_path, version=version)
    ).splitlines()
    assert len(listed) == 10_000
    assert listed[0] == f"{tip}\trefs/many/00000"


async def test_a_second_identical_clone_starts_no_child(
    url: str,
    work: Path,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await run("clone", "-q", url, "one", cwd=tmp_path)

    async def refuse(*_: object, **__: object) -> bool:
        raise AssertionError("the answer is known already")

    monkeypatch.setattr(serve, "_from_git", refuse)
    await run("clone", "-q", url, "two", cwd=tmp_path)
    assert await refs_of(tmp_path / "one") == await refs_of(tmp_path / "two")
    assert repository.answers.hits == 1
    assert await run("fsck", "--strict", cwd=tmp_path / "two") == ""


async def test_many_who_clone_at_once_share_one_child(
    url: str,
    work: Path,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = 0
    gate = asyncio.Event()
    real = serve._from_git

    async def counted(*arguments: object) -> bool:
        nonlocal starts
        starts += 1
        await gate.wait()
        return await real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(serve, "_from_git", counted)
    clones = [asyncio.create_task(run("clone", "-q", url, f"c{n}", cwd=tmp_path)) for n in range(5)]
    await eventually(lambda: repository.answers.hits + repository.answers.misses == 5)
    gate.set()
    await asyncio.gather(*clones)
    assert starts == 1
    for number in range(5):
        assert await run("fsck", "--strict", cwd=tmp_path / f"c{number}") == ""


async def test_a_moved_ref_is_never_answered_from_before(
    url: str, work: Path, tmp_path: Path
) -> None:
    for number in range(3):
        (work / "file").write_text(f"again {number}\n")
        await run("commit", "-q", "-am", f"again {number}", cwd=work)
        await run("push", "-q", "disk", "main", cwd=work)
        await run("clone", "-q", url, f"c{number}", cwd=tmp_path)
        said = await run("log", "-1", "--format=%s", cwd=tmp_path / f"c{number}")
        assert said.strip() == f"again {number}"


async def test_an_answer_that_says_no_is_not_kept(
    url: str, work: Path, repository: Repository, tmp_path: Path
) -> None:
    await run("init", "-q", "other", cwd=tmp_path)
    said = await run("fetch", url, "1" * 40, cwd=tmp_path / "other", check=False)
    assert "not our ref" in said
    assert list(repository.answers._directory.glob("*/*")) == []


async def test_a_client_that_leaves_takes_its_child_along(
    repository: Repository, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()
    children: list[asyncio.subprocess.Process] = []
    real = serve.start_git

    async def slow(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        children.append(await real(*arguments, **options))  # type: ignore[arg-type]
        started.set()
        return children[-1]

    async def body() -> AsyncIterator[bytes]:
        tip = repository.branch_tip("main")
        yield pkt(f"want {tip} side-band-64k thin-pack ofs-delta\n") + FLUSH

    async def send(piece: bytes) -> None:
        raise AssertionError("nothing comes while the child waits for its input")

    async def unfed(stdin: asyncio.StreamWriter, request: bytes) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(serve, "start_git", slow)
    monkeypatch.setattr(serve, "_feed", unfed)
    task = asyncio.create_task(upload_pack(repository, body(), send, version=0))
    await asyncio.wait_for(started.wait(), 20)
    assert children[0].returncode is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await eventually(lambda: children[0].returncode is not None)
    await eventually(lambda: not list(repository.answers._directory.glob("*/*")))


async def test_git_gc_by_hand_does_no_harm(
    url: str, work: Path, repository: Repository, tmp_path: Path
) -> None:
    await run("clone", "-q", url, "one", cwd=tmp_path)
    await run("gc", "-q", "--prune=now", cwd=repository.path)
    repository.answers.forget("shop")
    await run("clone", "-q", url, "two", cwd=tmp_path)
    assert await refs_of(tmp_path / "one") == await refs_of(tmp_path / "two")
    assert await asyncio.to_thread(repository.commit_info, repository.branch_tip("main") or "")


class TestWithoutGit:
    """The server's machine has no git: dulwich's generator answers, in protocol 0."""

    @pytest.fixture(autouse=True)
    def no_git(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serve, "git_program", lambda: None)

    @VERSIONS
    async def test_clone_and_fetch_work(
        self, url: str, work: Path, tmp_path: Path, version: int
    ) -> None:
        await run("clone", "-q", url, "copy", cwd=tmp_path, version=version)
        copy = tmp_path / "copy"
        (work / "file").write_text("later\n")
        await run("commit", "-q", "-am", "later", cwd=work)
        await run("push", "-q", "disk", "main", cwd=work)
        await run("fetch", "-q", cwd=copy, version=version)
        assert (await run("log", "-1", "--format=%s", "origin/main", cwd=copy)).strip() == "later"
        assert (await run("tag", cwd=copy)).strip() == "v1"
        assert await run("fsck", "--strict", cwd=copy) == ""

    async def test_a_shallow_clone_works(self, url: str, work: Path, tmp_path: Path) -> None:
        await run("clone", "-q", "--depth", "1", url, "copy", cwd=tmp_path)
        copy = tmp_path / "copy"
        assert (await run("rev-list", "--count", "HEAD", cwd=copy)).strip() == "1"
        assert await run("fsck", "--strict", cwd=copy) == ""

    async def test_a_bad_request_is_told(
        self, url: str, work: Path, tmp_path: Path, repository: Repository
    ) -> None:
        sent: list[bytes] = []

        async def send(piece: bytes) -> None:
            sent.append(piece)

        async def body() -> AsyncIterator[bytes]:
            want = pkt(f"want {'1' * 40} side-band-64k thin-pack ofs-delta\n")
            yield want + FLUSH + pkt("done\n")

        await upload_pack(repository, body(), send, version=0)
        assert b"ERR upload-pack: " in b"".join(sent)
