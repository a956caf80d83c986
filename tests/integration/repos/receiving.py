"""A small HTTP server around `receive_pack`, and a repository that pushes to it with real git."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from gitdeploy.config import Options
from gitdeploy.errors import GitdeployError
from gitdeploy.home import Home
from gitdeploy.repos import Caller, PostReceive, Push, Repositories, Repository, receive_pack
from gitdeploy.repos.pktline import FLUSH, pkt
from gitdeploy.repos.types import HIDDEN, ZERO
from tests.support import GIT_ENVIRONMENT, git

CAPABILITIES = (
    "report-status report-status-v2 delete-refs side-band-64k side-band quiet atomic ofs-delta"
    " push-options object-format=sha1 agent=gitdeploy/test"
)
CALLER = Caller(who="ada", address="192.0.2.7")


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent


class Host:
    """One app's repository behind HTTP. `pushes` are those that `receive_pack` returned."""

    def __init__(self, root: Path, **options: int) -> None:
        self.home = Home(root)
        log = structlog.wrap_logger(
            None, processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger("debug")
        )
        self.repositories = Repositories(self.home, Options(home=root, **options), log)
        self.capabilities = CAPABILITIES
        self.post_receive: PostReceive | None = None
        self.pushes: list[Push] = []
        self.errors: list[GitdeployError] = []
        self.repository: Repository
        self.server: TestServer

    async def start(self) -> None:
        await self.repositories.start()
        self.repository = await self.repositories.create("shop")
        app = web.Application()
        app.router.add_get("/shop.git/info/refs", self._refs)
        app.router.add_post("/shop.git/git-receive-pack", self._receive)
        self.server = TestServer(app)
        await self.server.start_server()

    async def close(self) -> None:
        await self.server.close()
        await self.repositories.close()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/shop.git"))

    @property
    def path(self) -> Path:
        return self.repository.path

    def hook(self, name: str, script: str) -> Path:
        """Replace one of the repository's hooks."""
        path = self.path / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(0o755)
        return path

    def files(self) -> set[str]:
        """Everything in the repository's directory, to compare before with after."""
        return {
            str(p.relative_to(self.path))
            for p in self.path.rglob("*")
            if p.is_file() or p.name.startswith("incoming-")
        }

    def fsck(self) -> None:
        """`git fsck --strict` finds nothing at all to say, but for what no ref reaches."""
        done = git("fsck", "--strict", "--full", "--no-dangling", cwd=self.path)
        said = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if not line.startswith("notice:")
        ]
        assert not said, said

    async def _refs(self, request: web.Request) -> web.Response:
        refs = self.repository.refs()
        lines = [f"{oid} {ref}" for ref, oid in refs.items() if not ref.startswith(HIDDEN)]
        first, *rest = lines or [f"{ZERO} capabilities^{{}}"]
        body = [pkt("# service=git-receive-pack\n"), FLUSH, pkt(f"{first}\0{self.capabilities}\n")]
        body += [pkt(line + "\n") for line in rest]
        return web.Response(
            body=b"".join(body) + FLUSH,
            content_type="application/x-git-receive-pack-advertisement",
        )

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/x-git-receive-pack-result"

        async def send(data: bytes) -> None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)

        try:
            push = await receive_pack(
                self.repository,
                request.content.iter_any(),
                send,
                caller=CALLER,
                post_receive=self.post_receive,
            )
        except GitdeployError as error:
            self.errors.append(error)
            return web.Response(status=400, text=str(error))
        if push is not None:
            self.pushes.append(push)
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
        return response


class Clone:
    """A work tree with a remote `origin`."""

    def __init__(self, path: Path, url: str, branch: str = "main") -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", branch)
        self.git("remote", "add", "origin", url)

    def git(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return git(*arguments, cwd=self.path, check=check)

    def commit(self, files: dict[str, str | bytes], message: str = "change") -> str:
        """Write files, commit all; the commit's id."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.tip()

    def tip(self, revision: str = "HEAD") -> str:
        return self.git("rev-parse", revision).stdout.strip()

    async def push(self, *arguments: str) -> Pushed:
        """`git push ARGUMENTS`, with what it said on standard error."""
        child = await asyncio.create_subprocess_exec(
            "git",
            "push",
            *arguments,
            cwd=self.path,
            env=GIT_ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            output, _ = await child.communicate()
        assert child.returncode is not None
        return Pushed(child.returncode, output.decode())


class Pushed:
    """What became of a `git push`."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output

    @property
    def remote(self) -> list[str]:
        """The `remote:` lines."""
        lines = self.output.splitlines()
        return [line[8:].rstrip() for line in lines if line.startswith("remote: ")]

    def ok(self) -> Pushed:
        assert self.code == 0, self.output
        return self


def push_body(clone: Clone, commands: list[tuple[str, str, str]], *, extra: str = "") -> bytes:
    """The request that pushes (old, new, ref): made without a client that would think first."""
    capabilities = f"report-status side-band-64k {extra}".strip()
    lines = [f"{old} {new} {ref}" for old, new, ref in commands]
    head = pkt(f"{lines[0]}\0{capabilities}") + b"".join(pkt(line) for line in lines[1:]) + FLUSH
    new = [n for _, n, _ in commands if n != ZERO]
    if not new:
        return head
    old = [f"^{o}" for o, _, _ in commands if o != ZERO]
    return head + make_pack(clone, [*new, *old])


def make_pack(clone: Clone, revisions: list[str], *options: str) -> bytes:
    done = subprocess.run(
        ["git", "pack-objects", "--revs", "--stdout", "-q", *options],
        input="\n".join(revisions).encode() + b"\n",
        cwd=clone.path,
        env=GIT_ENVIRONMENT,
        capture_output=True,
        check=True,
    )
    return done.stdout


async def chunks(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def take(
    repository: Repository, body: bytes, *, size: int = 65536
) -> tuple[Push | None, bytes]:
    """Give a body to `receive_pack`; the push and the raw answer."""
    sent: list[bytes] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    push = await receive_pack(repository, chunks(body, size), send, caller=CALLER)
    return push, b"".join(sent)


__all__ = ["CALLER", "Clone", "Host", "Pushed", "chunks", "make_pack", "push_body", "take"]
