"""A whole server in this process and a client for it."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from gitdeploy.app import Server
from gitdeploy.config import Options
from tests.support import git

ADMIN = "an-admin-token-for-tests"
TICKER = """\
import time
n = 0
while True:
    n += 1
    print("tick", n, flush=True)
    time.sleep(0.05)
"""
REPORT = """\
import sys
print("reporting", *sys.argv[1:])
print("trouble", file=sys.stderr)
raise SystemExit(int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 0)
"""
SLOW = "import time\nprint('slow begins', flush=True)\ntime.sleep(30)\n"
SITE = {
    "App_Data/jobs/continuous/ticker/run.py": TICKER,
    "App_Data/jobs/triggered/report/run.py": REPORT,
    "App_Data/jobs/triggered/slow/run.py": SLOW,
    "App_Data/jobs/triggered/nightly/run.py": REPORT,
    "App_Data/jobs/triggered/nightly/settings.job": '{"schedule": "0 0 3 * * *", "mine": 1}',
}


class Answer(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """Asks the server with a token (None: without), following no redirect."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self.session = session
        self.url = url
        self.token = token

    def with_token(self, token: str | None) -> Client:
        return Client(self.session, self.url, token)

    def _headers(self, headers: dict[str, str] | None) -> dict[str, str]:
        if self.token is None:
            return headers or {}
        return {"Authorization": f"Bearer {self.token}", **(headers or {})}

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = (
            body
            if body is None or isinstance(body, bytes | io.IOBase)
            else json.dumps(body).encode()
        )
        url = path if path.startswith("http") else self.url + path
        async with self.session.request(
            method, url, data=data, headers=self._headers(headers), allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def stream(
        self,
        path: str,
        *,
        accept: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The response as a context manager, to be read as it comes."""
        return self.session.request(
            method, self.url + path, headers=self._headers({"Accept": accept, **(headers or {})})
        )

    async def token_for(self, *scopes: str, apps: list[str] | None = None) -> Client:
        """A client with a fresh token of these scopes."""
        made = await self.ask(
            "POST", "/api/tokens", {"name": "-".join(scopes), "scopes": scopes, "apps": apps}
        )
        assert made.status == 201, made.body
        return self.with_token(made.json["token"])


class Site:
    """A working copy whose commits go straight into the app's repository."""

    def __init__(self, server: Server, app: str, path: Path) -> None:
        self.server = server
        self.app = app
        self.path = path
        path.mkdir()
        git("init", "-q", "-b", "main", cwd=path)

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def commit(self, message: str = "Change", *, branch: str = "main") -> str:
        """Commit everything and bring it into the bare repository; its id."""
        git("add", "-A", cwd=self.path)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.path)
        bare = self.server.home.app(self.app).repository
        git("push", "-q", "-f", str(bare), f"HEAD:refs/heads/{branch}", cwd=self.path)
        return git("rev-parse", "HEAD", cwd=self.path).stdout.strip()

    async def deploy(self, files: dict[str, str] | None = None, message: str = "Change") -> str:
        """Commit and deploy as a push does; the commit, once that has ended well."""
        self.write(files or {})
        commit = self.commit(message)
        row = await self.server.deployer.deploy(
            self.app, commit, ref="refs/heads/main", trigger="push", deployer="t", wait_turn=True
        )
        row = await self.server.deployer.wait(self.app, row.id, row.attempt)
        assert row.status == "success", row.status_text
        return commit


@pytest.fixture
def options() -> dict[str, Any]:
    """Options of the server; a test module overrides this."""
    return {}


@pytest.fixture
async def server(tmp_path: Path, options: dict[str, Any]) -> AsyncIterator[Server]:
    defaults = {"home": tmp_path / "home", "listen": "127.0.0.1:0", "admin_token": ADMIN}
    settled = {**defaults, "isolation": "process", "swap_grace": 0.1, "grace": 5.0, **options}
    server = Server(Options(**settled))
    await server.start()
    yield server
    await server.close(stop_jobs=True)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(session, server.url, ADMIN)


@pytest.fixture
async def shop(server: Server, admin: Client, tmp_path: Path) -> Site:
    """The app `shop`, nothing deployed yet."""
    assert (await admin.ask("PUT", "/api/apps/shop")).status == 201
    return Site(server, "shop", tmp_path / "shop")
