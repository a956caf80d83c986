"""A repository elsewhere, served by stock git's http-backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.support import GIT_ENVIRONMENT, git


class Origin:
    """The repository; `gate` holds its answers back while it is cleared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()
        path.mkdir()
        git("init", "-q", "-b", "main", cwd=path)

    def commit(self, text: str, branch: str = "main") -> str:
        (self.path / "index.txt").write_text(text)
        git("checkout", "-q", "-B", branch, cwd=self.path)
        git("add", "-A", cwd=self.path)
        git("commit", "-q", "-m", f"Say {text}", cwd=self.path)
        return git("rev-parse", "HEAD", cwd=self.path).stdout.strip()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        await self.gate.wait()
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                **GIT_ENVIRONMENT,
                "GIT_PROJECT_ROOT": str(self.path.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": request.path,
                "REQUEST_METHOD": request.method,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            },
        )
        output, _ = await process.communicate(await request.read())
        head, _, body = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=fields, body=body)


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[Origin]:
    """Make a repository at this path and serve it at `url`."""
    made = Origin(path)
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{path.name}/.git"
        yield made
    finally:
        made.gate.set()
        await runner.cleanup()
