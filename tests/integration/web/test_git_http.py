"""Stock git and curl against the routes of git, with real repositories and a pipeline that talks."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import re
import subprocess
import time
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from aiohttp import web

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.repos import Push, Repositories, Repository, Upkeep
from gitdeploy.repos.pktline import DELIM, FLUSH, pkt
from gitdeploy.store import Store, Token
from gitdeploy.store.tokens import Scope
from gitdeploy.web.git import git_routes
from gitdeploy.web.principal import administrator, digest
from gitdeploy.web.routes import build_application
from gitdeploy.web.services import Services
from tests.support import GIT_ENVIRONMENT, eventually, git

ADMIN = "gd_" + "a" * 43
VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


class Pipeline:
    """What stands in the deployer's place: says lines, holds them at a gate, and goes on alone."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.finished = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def busy(self, app: str) -> bool:
        return False

    async def post_receive(self, push: Push) -> AsyncIterator[str]:
        self.pushes.append(push)
        task = asyncio.create_task(self._work())
        self._tasks.add(task)
        yield "checkout   1 file"
        await asyncio.shield(task)
        yield "deployed   release 1"

    async def _work(self) -> None:
        await self.gate.wait()
        self.finished.set()


class Server:
    """The routes of git on a port, and what a test looks at."""

    def __init__(self, services: Services, pipeline: Pipeline) -> None:
        self.services = services
        self.pipeline = pipeline
        self.port = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str = "/shop.git", token: str = ADMIN) -> str:
        return f"http://x:{token}@127.0.0.1:{self.port}{path}"

    @property
    def repository(self) -> Repository:
        return self.services.repositories.open("shop")

    async def token(self, *scopes: Scope, apps: list[str] | None = None) -> str:
        secret = "gd_" + os.urandom(16).hex()
        token = Token(
            id=secret[-8:],
            name="ci",
            scopes=list(scopes),
            apps=apps,
            expires_at=None,
            created_at=0,
        )
        await self.services.store.tokens.add(token, digest(secret).hex())
        return secret

    async def audit(self) -> list[tuple[str, str, str, str]]:
        entries = await self.services.store.audit.newest()
        return [(e.who, e.what, e.target, e.result) for e in entries]

    def leftovers(self) -> list[str]:
        objects = self.repository.path / "objects"
        return [p.name for p in objects.iterdir() if p.name.startswith("incoming-")]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o700)
    options = Options(home=home.root)
    clock = SystemClock()
    store = Store(home.database)
    store.open()
    events = Events(home, clock, instance="test", stderr=io.StringIO())
    repositories = Repositories(home, options, events.log)
    await repositories.start()
    pipeline = Pipeline()
    upkeep = Upkeep(repositories, events.log)
    services = Services(
        options=options,
        home=home,
        clock=clock,
        events=events,
        store=store,
        repositories=repositories,
        upkeep=upkeep,
        deployer=cast(Any, pipeline),
        supervisor=cast(Any, SimpleNamespace(asked=lambda _: None)),
        uploads=cast(Any, None),
        watcher=cast(Any, None),
        holders=cast(Any, None),
        instance="test",
        admin_token=ADMIN,
        delete_app=cast(Any, None),
    )
    runner = web.AppRunner(
        build_application(services, tuple(git_routes())),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=1,
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made = Server(services, pipeline)
    made.port = cast(Any, site._server).sockets[0].getsockname()[1]
    yield made
    pipeline.gate.set()
    await runner.cleanup()
    await upkeep.close()
    await repositories.close()
    events.close()
    store.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    git("init", "-q", "-b", "main", str(path), cwd=tmp_path)
    commit(path, "one")
    return path


def commit(work: Path, text: str, size: int = 0) -> str:
    (work / "file").write_text(text)
    if size:
        (work / "big").write_bytes(os.urandom(size))
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", text, cwd=work)
    return git("rev-parse", "HEAD", cwd=work).stdout.strip()


async def run(
    *arguments: str,
    cwd: Path,
    version: int = 2,
    check: bool = True,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    argv = ("-c", f"protocol.version={version}", *arguments)
    return await asyncio.to_thread(git, *argv, cwd=cwd, check=check, env=env)


async def curl(*arguments: str, input: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case) and body."""
    done = await asyncio.to_thread(
        lambda: subprocess.run(
            ["curl", "-sS", "-i", "--max-time", "30", *arguments],
            input=input,
            capture_output=True,
            check=True,
        )
    )
    rest = done.stdout
    while True:  # a 100 Continue has headers of its own
        head, _, rest = rest.partition(b"\r\n\r\n")
        if b" 100 " not in head.split(b"\r\n")[0]:
            break
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, rest


@VERSIONS
async def test_a_push_and_a_clone_carry_everything(
    server: Server, work: Path, tmp_path: Path, version: int
) -> None:
    tip = commit(work, "two", size=400_000)
    pushed = await run("push", server.url(), "main", cwd=work, version=version)
    assert "remote: checkout   1 file" in pushed.stderr
    assert "remote: deployed   release 1" in pushed.stderr
    assert server.repository.branch_tip("main") == tip
    await run("clone", "-q", server.url(), "copy", cwd=tmp_path, version=version)
    assert (await run("rev-parse", "HEAD", cwd=tmp_path / "copy")).stdout.strip() == tip
    assert (await run("fsck", "--strict", cwd=tmp_path / "copy")).stderr == ""
    assert server.pipeline.pushes[0].caller.who == administrator().who
    assert server.leftovers() == []


@pytest.mark.parametrize(
    "path", ["/shop.git", "/apps/shop.git", "/apps/shop", "/apps/shop/shop.git", "/apps/shop/x.git"]
)
async def test_each_way_leads_to_the_same_repository(
    server: Server, work: Path, tmp_path: Path, path: str
) -> None:
    await run("push", "-q", server.url(path), "main", cwd=work)
    assert server.repository.branch_tip("main") is not None
    listed = await run("ls-remote", server.url(path), cwd=tmp_path)
    assert "refs/heads/main" in listed.stdout


async def test_lines_arrive_while_the_pipeline_runs(server: Server, work: Path) -> None:
    server.pipeline.gate.clear()
    child = await asyncio.create_subprocess_exec(
        "git", "push", server.url(), "main", cwd=work, env=GIT_ENVIRONMENT, stderr=-1
    )
    assert child.stderr is not None
    seen = b""
    while b"checkout   1 file" not in seen:
        seen += await asyncio.wait_for(child.stderr.read(1000), 20)
    assert b"deployed" not in seen
    assert child.returncode is None
    server.pipeline.gate.set()
    seen += await asyncio.wait_for(child.stderr.read(), 20)
    assert b"deployed   release 1" in seen
    assert await child.wait() == 0


async def test_a_client_that_leaves_does_not_stop_the_deployment(
    server: Server, work: Path
) -> None:
    server.pipeline.gate.clear()
    child = await asyncio.create_subprocess_exec(
        "git", "push", server.url(), "main", cwd=work, env=GIT_ENVIRONMENT, stderr=-1,
        start_new_session=True,
    )  # fmt: skip
    await eventually(lambda: server.pipeline.pushes)
    os.killpg(child.pid, 9)
    await child.communicate()
    assert server.repository.branch_tip("main") is not None
    assert not server.pipeline.finished.is_set()
    server.pipeline.gate.set()
    await asyncio.wait_for(server.pipeline.finished.wait(), 10)

    async def moved() -> int:
        return sum("refs/heads/main" in entry[3] for entry in await server.audit())

    assert await eventually(moved) == 1


async def test_a_body_that_is_cut_off_leaves_nothing(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    before = server.repository.refs()
    tip = commit(work, "two", size=300_000)
    old = before["refs/heads/main"]
    pack = subprocess.run(
        ["git", "pack-objects", "--stdout", "--revs", "-q"],
        cwd=work,
        input=f"{tip}\n^{old}\n".encode(),
        capture_output=True,
        env=GIT_ENVIRONMENT,
        check=True,
    ).stdout
    line = pkt(f"{old} {tip} refs/heads/main\0report-status side-band-64k\n") + FLUSH
    head = (
        "POST /shop.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {ADMIN}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        f"Content-Length: {len(line) + len(pack)}\r\n\r\n"
    ).encode()
    for share in (0.0, 0.3, 0.9):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + line + pack[: int(len(pack) * share)])
        await writer.drain()
        if share:
            await eventually(server.leftovers)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: server.leftovers() == [])
    assert server.repository.refs() == before
    await eventually(lambda: count(server, "broken off", 3))
    await run("fsck", "--strict", cwd=server.repository.path)
    await run("push", "-q", server.url(), "main", cwd=work)


async def count(server: Server, result: str, wanted: int) -> bool:
    return [entry[3] for entry in await server.audit()].count(result) == wanted


async def test_every_push_is_in_the_audit_log(server: Server, work: Path) -> None:
    tip = await asyncio.to_thread(commit, work, "two")
    await run("push", "-q", server.url(), "main", cwd=work)
    hook = server.repository.path / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho not today\nexit 1\n")
    hook.chmod(0o755)
    refused = await run("push", server.url(), "main:other", cwd=work, check=False)
    assert refused.returncode != 0
    assert "remote: not today" in refused.stderr
    assert await server.audit() == [
        (administrator().who, "git.push", "shop", "refused"),
        (administrator().who, "git.push", "shop", f"refs/heads/main {'0' * 12}..{tip[:12]}"),
    ]


async def test_an_admins_push_creates_the_app(server: Server, work: Path) -> None:
    await run("ls-remote", server.url(), cwd=work, check=False)
    assert await server.services.store.apps.get("shop") is None
    await run("push", "-q", server.url(), "main", cwd=work)
    assert await server.services.store.apps.get("shop") is not None


@pytest.mark.parametrize("scope", ["read", "run", "deploy"])
async def test_nobody_else_does(server: Server, work: Path, scope: Scope) -> None:
    token = await server.token(scope)
    pushed = await run("push", server.url(token=token), "main", cwd=work, check=False)
    assert pushed.returncode != 0
    assert await server.services.store.apps.get("shop") is None


async def test_not_even_an_admin_where_create_on_push_is_off(server: Server, work: Path) -> None:
    server.services.options = msgspec.structs.replace(server.services.options, create_on_push=False)
    pushed = await run("push", server.url(), "main", cwd=work, check=False)
    assert "not found" in pushed.stderr
    status, _, body = await curl(
        f"{server.url()}/info/refs?service=git-receive-pack",
    )
    assert status == 404
    assert b"create_on_push" in body


async def test_a_name_that_no_app_can_have_creates_nothing(server: Server, work: Path) -> None:
    for name in ("Shop", "-x", "a_b", "a" * 64):
        pushed = await run("push", server.url(f"/{name}.git"), "main", cwd=work, check=False)
        assert pushed.returncode != 0
    assert await server.services.store.apps.all() == []


async def test_without_credentials_git_is_asked_for_them(server: Server, work: Path) -> None:
    for service in ("git-upload-pack", "git-receive-pack"):
        status, headers, _ = await curl(f"{server.base}/shop.git/info/refs?service={service}")
        assert status == 401
        assert headers["www-authenticate"] == 'Basic realm="gitdeploy"'
    status, _, _ = await curl("-u", "x:wrong-token", f"{server.base}/shop.git/info/refs")
    assert status == 401


async def test_an_unknown_and_a_forbidden_app_answer_alike(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    token = await server.token("read", apps=["other"])
    answers = [
        await curl(f"{server.url(f'/{name}.git', token)}/info/refs?service=git-upload-pack")
        for name in ("shop", "nope")
    ]
    assert [status for status, _, _ in answers] == [404, 404]
    assert answers[0][2].replace(b"shop", b"nope") == answers[1][2]


async def test_a_reader_fetches_and_may_not_push(
    server: Server, work: Path, tmp_path: Path
) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    token = await server.token("read", apps=["shop"])
    await run("clone", "-q", server.url(token=token), "copy", cwd=tmp_path)
    commit(work, "two")
    pushed = await run("push", server.url(token=token), "main", cwd=work, check=False)
    assert "403" in pushed.stderr
    deploy = await server.token("deploy", apps=["shop"])
    await run("push", "-q", server.url(token=deploy), "main", cwd=work)
    assert server.pipeline.pushes[-1].caller.who == "ci"


async def test_the_content_types_and_cache_headers_are_gits(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    for service in ("git-upload-pack", "git-receive-pack"):
        status, headers, body = await curl(f"{server.url()}/info/refs?service={service}")
        assert status == 200
        assert headers["content-type"] == f"application/x-{service}-advertisement"
        assert "no-cache" in headers["cache-control"] and "no-store" in headers["cache-control"]
        assert body.startswith(pkt(f"# service={service}\n") + FLUSH)
    status, headers, body = await curl(
        *("-H", "Git-Protocol: version=2", "-H", "Accept-Encoding: gzip"),
        f"{server.url()}/info/refs?service=git-upload-pack",
    )
    assert body.startswith(pkt("version 2\n"))
    assert "content-encoding" not in headers


async def test_the_probe_before_a_large_push_is_answered(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    for service in ("git-receive-pack", "git-upload-pack"):
        status, headers, body = await curl(
            *("-H", f"Content-Type: application/x-{service}-request"),
            *("--data-binary", "0000", f"{server.url()}/{service}"),
        )
        assert (status, body) == (200, b"")
        assert headers["content-type"] == f"application/x-{service}-result"
    assert len(await server.audit()) == 1


async def test_a_push_in_chunks_with_its_probe_works(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    tip = commit(work, "two", size=3_000_000)
    trace = work.parent / "trace"
    pushed = await run(
        *("-c", "http.postBuffer=65536", "push", server.url(), "main"),
        cwd=work,
        env={"GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"},
    )
    assert "deployed" in pushed.stderr
    assert "Transfer-Encoding: chunked" in trace.read_text()
    assert server.repository.branch_tip("main") == tip


def ls_refs() -> bytes:
    return pkt("command=ls-refs\n") + DELIM + pkt("ref-prefix refs/heads/\n") + FLUSH


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", sorted(CODERS))
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_coded_body_is_undone(
    server: Server, work: Path, coding: str, chunked: bool
) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    status, headers, body = await curl(
        *("-H", "Content-Type: application/x-git-upload-pack-request"),
        *("-H", "Git-Protocol: version=2", "-H", f"Content-Encoding: {coding}"),
        *(("-H", "Transfer-Encoding: chunked") if chunked else ()),
        *("--data-binary", "@-", f"{server.url()}/git-upload-pack"),
        input=CODERS[coding](ls_refs()),
    )
    assert status == 200
    assert re.fullmatch(rb"003d[0-9a-f]{40} refs/heads/main\n0000", body)
    assert headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("version", [0, 2])
async def test_a_fetch_with_many_haves_comes_gzipped(
    server: Server, work: Path, tmp_path: Path, version: int
) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    await run("clone", "-q", server.url(), "copy", cwd=tmp_path)
    copy = tmp_path / "copy"
    own = b"".join(
        b"commit refs/heads/own\ncommitter A <a@example.org> %d +0000\ndata 2\nx\n\n"
        % (at + 4_000_000_000)
        for at in range(200)
    )
    await asyncio.to_thread(git, "fast-import", "--quiet", cwd=copy, input=own)
    commit(work, "later")
    await run("push", "-q", server.url(), "main", cwd=work)
    trace = tmp_path / "trace"
    variables = {"GIT_TRACE_CURL": str(trace), "GIT_TRACE_CURL_NO_DATA": "1"}
    await run("fetch", "-q", cwd=copy, version=version, env=variables)
    assert "Content-Encoding: gzip" in trace.read_text()
    assert (await run("log", "-1", "--format=%s", "origin/main", cwd=copy)).stdout == "later\n"
    assert (await run("fsck", "--strict", cwd=copy)).stderr == ""


async def test_expect_100_continue_is_answered(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    started = time.monotonic()
    status, _, body = await curl(
        *("-H", "Content-Type: application/x-git-upload-pack-request"),
        *("-H", "Git-Protocol: version=2", "-H", "Expect: 100-continue"),
        *("--expect100-timeout", "20", "--data-binary", "@-", f"{server.url()}/git-upload-pack"),
        input=ls_refs(),
    )
    assert (status, body[-4:]) == (200, FLUSH)
    assert time.monotonic() - started < 10
    status, _, _ = await curl(
        *("-H", "Content-Type: application/x-git-receive-pack-request"),
        *("-H", "Expect: 100-continue", "--expect100-timeout", "20"),
        *("--data-binary", "@-", f"{server.base}/shop.git/git-receive-pack"),
        input=b"x" * 2_000_000,
    )
    assert status == 401
    assert time.monotonic() - started < 15


async def test_other_media_types_and_codings_are_refused(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    for service in ("git-upload-pack", "git-receive-pack"):
        for headers in (
            ("-H", "Content-Type: application/json"),
            (
                "-H",
                f"Content-Type: application/x-{service}-request",
                "-H",
                "Content-Encoding: x-gzip",
            ),
        ):
            arguments = (*headers, "--data-binary", "0000", f"{server.url()}/{service}")
            status, found, _ = await curl(*arguments)
            assert status == 415
            assert found["content-type"].startswith("application/problem+json")


async def test_the_dumb_protocol_is_refused_with_a_sentence(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    for query in ("", "?service=git-upload-archive", "?service="):
        status, _, body = await curl(f"{server.url()}/info/refs{query}")
        assert status == 403
        assert b"smart HTTP" in body
    for path in ("HEAD", "config", "objects/info/packs"):
        status, _, _ = await curl(f"{server.url()}/{path}")
        assert status == 404


@pytest.mark.parametrize(
    "body", [b"garbage", b"0009junk\n0000", pkt("command=what\n") + FLUSH, b"0014command=ls-refs\n"]
)
async def test_nonsense_is_400_and_not_500(server: Server, work: Path, body: bytes) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    for service in ("git-upload-pack", "git-receive-pack"):
        status, _, said = await curl(
            *("-H", f"Content-Type: application/x-{service}-request"),
            *("-H", "Git-Protocol: version=2", "--data-binary", "@-"),
            f"{server.url()}/{service}",
            input=body,
        )
        assert status == 400, said


async def test_a_request_that_is_too_long_is_413(server: Server, work: Path) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    bomb = gzip.compress(b"\0" * (40 << 20))
    for extra, data in (((), b"0" * (11 << 20)), (("-H", "Content-Encoding: gzip"), bomb)):
        status, _, said = await curl(
            *("-H", "Content-Type: application/x-git-upload-pack-request", *extra),
            *("--data-binary", "@-", f"{server.url()}/git-upload-pack"),
            input=data,
        )
        assert status == 413, said


async def test_a_proxy_that_speaks_http_1_0_gets_the_whole_answer(
    server: Server, work: Path, tmp_path: Path
) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    tip = server.repository.branch_tip("main")
    want = pkt(f"want {tip} side-band-64k ofs-delta\n") + FLUSH + pkt("done\n")
    status, headers, body = await curl(
        *("--http1.0", "-H", "Content-Type: application/x-git-upload-pack-request"),
        *("--data-binary", "@-", f"{server.url()}/git-upload-pack"),
        input=want,
    )
    assert status == 200
    assert "transfer-encoding" not in headers
    assert body.endswith(FLUSH) and b"PACK" in body


async def test_a_push_considers_upkeep(
    server: Server, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    considered: list[str] = []
    monkeypatch.setattr(server.services.upkeep, "consider", considered.append)
    await run("push", "-q", server.url(), "main", cwd=work)
    assert considered == ["shop"]


async def test_many_refs_arrive_in_one_push(server: Server, work: Path, tmp_path: Path) -> None:
    tip = git("rev-parse", "HEAD", cwd=work).stdout.strip()
    packed = "".join(f"{tip} refs/heads/b{n:05}\n" for n in range(500))
    (work / ".git" / "packed-refs").write_text(
        "# pack-refs with: peeled fully-peeled sorted \n" + packed
    )
    await run("push", "-q", "--mirror", server.url(), cwd=work)
    assert len(server.repository.refs()) == 501
    listed = await run("ls-remote", server.url(), cwd=tmp_path)
    assert len(listed.stdout.splitlines()) == 502


async def test_two_pushes_to_a_ref_at_once_have_one_winner(
    server: Server, work: Path, tmp_path: Path
) -> None:
    await run("push", "-q", server.url(), "main", cwd=work)
    await run("clone", "-q", server.url(), "other", cwd=tmp_path)
    commit(work, "mine")
    commit(tmp_path / "other", "theirs")
    both = await asyncio.gather(
        run("push", server.url(), "main", cwd=work, check=False),
        run("push", server.url(), "main", cwd=tmp_path / "other", check=False),
    )
    assert sorted(done.returncode for done in both) == [0, 1]
    loser = next(done for done in both if done.returncode)
    assert "rejected" in loser.stderr
    assert server.leftovers() == []


async def test_a_stalled_reader_is_cut(
    server: Server, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitdeploy.web import git as web_git

    commit(work, "two", size=12_000_000)
    await run("push", "-q", server.url(), "main", cwd=work)
    monkeypatch.setattr(web_git, "STALL", 0.3)
    tip = server.repository.branch_tip("main")
    want = pkt(f"want {tip} side-band-64k ofs-delta\n") + FLUSH + pkt("done\n")
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 10) as session,
        session.post(
            f"{server.base}/shop.git/git-upload-pack",
            data=want,
            headers={
                "Authorization": f"Bearer {ADMIN}",
                "Content-Type": "application/x-git-upload-pack-request",
            },
        ) as response,
    ):
        assert response.status == 200
        repository = server.repository
        await eventually(lambda: not repository.answers._tasks)
        await asyncio.sleep(1.0)
        with pytest.raises(aiohttp.ClientError):
            await response.read()
