"""Who acts in a scenario: the server's operator and a developer with a remote called deploy."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import GIT_ENVIRONMENT, eventually, git

ADMIN = "gd_" + "scenario-admin-token-of-43-characters-00000"


def basic(token: str) -> dict[str, str]:
    """HTTP Basic with a token as the password."""
    credentials = base64.b64encode(f"dev:{token}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


class Server:
    """`gitdeploy serve` as a process, and an API client with the administrator's token."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        wrapper: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self.wrapper = wrapper
        self.arguments = arguments
        self.env = env or {}
        self.url = ""
        self.log = home.with_name(home.name + ".log")
        self.process: subprocess.Popen[str] | None = None
        self.stdout: list[str] = []

    async def start(self, listen: str = "127.0.0.1:0") -> None:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith(("GITDEPLOY_", "GIT_"))
        }
        environment |= {"GITDEPLOY_ADMIN_TOKEN": ADMIN, **self.env}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *self.wrapper,
                    sys.executable,
                    "-m",
                    "gitdeploy",
                    "serve",
                    "--home",
                    str(self.home),
                    "--listen",
                    listen,
                    *self.arguments,
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line.startswith("gitdeploy ready http://"), self.words()
        self.url = line.split()[-1]

    def words(self) -> str:
        """What the server said on standard error."""
        return self.log.read_text()[-6000:]

    async def kill(self) -> None:
        """kill -9, as an out-of-memory killer would."""
        assert self.process is not None
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def end(self) -> int:
        """SIGTERM and wait; the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.to_thread(self.process.wait, 40)
        finally:
            self.process.kill()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def remote(self, app: str, token: str = ADMIN) -> str:
        return self.url.replace("://", f"://dev:{token}@") + f"/{app}.git"

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int | tuple[int, ...] = (200, 201, 202, 204),
        token: str | None = ADMIN,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """One request; the decoded JSON (or text) of an answer whose status must be as told."""
        expected = (status,) if isinstance(status, int) else status
        sent = {**(basic(token) if token else {}), **(headers or {})}
        async with aiohttp.ClientSession() as session:
            data = body if isinstance(body, bytes | str) else None
            kwargs: dict[str, Any] = {"data": data} if data is not None else {"json": body}
            if body is None:
                kwargs = {}
            url = path if path.startswith("http") else self.url + path
            async with session.request(
                method, url, headers=sent, allow_redirects=False, **kwargs
            ) as response:
                text = await response.text()
                assert response.status in expected, (method, path, response.status, text)
                self.headers = response.headers
                return json.loads(text) if "json" in response.content_type else text

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, accept: str = "application/x-ndjson", **headers: str
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a streamed answer as they come."""
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 22) as session,
            session.request(
                method,
                self.url + path,
                headers={
                    **basic(ADMIN),
                    "Accept": accept,
                    **{k.replace("_", "-"): v for k, v in headers.items()},
                },
            ) as response,
        ):
            assert response.status in (200, 202), (response.status, await response.text())

            async def lines() -> AsyncIterator[str]:
                async for line in response.content:
                    yield line.decode().rstrip("\n")

            yield lines()

    async def job(self, name: str, *, app: str = "demo", kind: str = "continuous") -> Any:
        return await self.call("GET", f"/apps/{app}/api/{kind}webjobs/{name}")

    async def pid(self, name: str, *, app: str = "demo") -> int | None:
        """The host's pid of a continuous job, from the app's own view of it."""
        return (await self.job(name, app=app)).get("pid")

    async def output(self, name: str, *, app: str = "demo") -> str:
        """All that a continuous job has written."""
        return str(await self.call("GET", f"/apps/{app}/api/continuouswebjobs/{name}/log"))

    async def says(self, name: str, text: str, *, app: str = "demo", limit: float = 20) -> None:
        """Wait until a continuous job has written a text."""

        async def said() -> bool:
            return text in await self.output(name, app=app)

        await eventually(said, limit=limit, what=f"{name} says {text!r}")


class Developer:
    """A work tree with a remote called deploy."""

    def __init__(self, path: Path, server: Server, *, app: str) -> None:
        self.path = path
        self.server = server
        self.app = app
        path.mkdir()
        git("init", "-q", "-b", "main", cwd=path)
        git("remote", "add", "deploy", server.remote(app), cwd=path)

    def write(self, name: str, text: str, *, executable: bool = False) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        if executable:
            target.chmod(0o755)

    def job(self, name: str, script: str, text: str, settings: Any = None) -> None:
        """Write `App_Data/jobs/{kind}/{name}/{script}` and its settings.job."""
        folder = f"App_Data/jobs/{name}"
        self.write(f"{folder}/{script}", text)
        if settings is not None:
            self.write(f"{folder}/settings.job", json.dumps(settings))

    def commit(self, message: str = "change") -> str:
        git("add", "-A", cwd=self.path)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.path)
        return git("rev-parse", "HEAD", cwd=self.path).stdout.strip()

    async def push(
        self, *arguments: str, message: str = "change", commit: bool = True, check: bool = True
    ) -> str:
        """Commit all and push main; what git printed (with `remote:` lines)."""
        if commit:
            self.commit(message)
        code, words = await self.push_result(*(arguments or ("deploy", "main")))
        assert not check or code == 0, words
        return words

    async def push_result(self, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            "git",
            "push",
            *arguments,
            cwd=self.path,
            env=GIT_ENVIRONMENT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        words, _ = await asyncio.wait_for(process.communicate(), 100)
        return process.returncode or 0, words.decode(errors="replace")
