"""A host of repositories for a test: stock `git http-backend` behind HTTP, up and down as it likes."""

from __future__ import annotations

import asyncio
import base64
import socket
from pathlib import Path

from aiohttp import web

from tests.support import GIT_ENVIRONMENT, git


class GitHost:
    """Serves the repository at `work`, whose branch `main` a test commits to.

    `status` is answered in place of the repository where it is set; `asked` are the paths that
    were asked for. With a `password` a request needs it; it is answered while `gate` is set.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        self.work = root / "shop"
        self.status: int | None = None
        self.password: str | None = None
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        # bound and never listening: while the host is down nobody else gets its port
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = int(self._reserved.getsockname()[1])
        self._runner: web.AppRunner | None = None
        git("init", "-q", "-b", "main", str(self.work), cwd=root)
        (root / "ada").mkdir()
        (root / "ada" / "shop.git").symlink_to(self.work / ".git")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ada/shop.git"

    def write(self, name: str, text: str) -> None:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, message: str = "change") -> str:
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work).stdout.strip()

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_port=True).start()

    async def stop(self) -> None:
        self.gate.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def close(self) -> None:
        """Go down for ever."""
        await self.stop()
        self._reserved.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        await self.gate.wait()
        if self.status is not None:
            return web.Response(status=self.status)
        if self.password is not None:
            wanted = "Basic " + base64.b64encode(f"bot:{self.password}".encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return web.Response(status=401)
        environment = {
            **GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.content_type,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        child = await asyncio.create_subprocess_exec(
            "git", "http-backend", env=environment, stdin=-1, stdout=-1
        )
        out, _ = await child.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        fields = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=fields, body=body)
