"""A server without its web: every room below deploy, real repositories, real processes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.config import Options
from gitdeploy.deploy import Deployer
from gitdeploy.events import Events
from gitdeploy.home import Home
from gitdeploy.logs import Watcher
from gitdeploy.repos import ZERO, Caller, Push, RefUpdate, Repositories
from gitdeploy.sandbox.holders import choose
from gitdeploy.store import Deployment, Store
from gitdeploy.supervise import Supervisor
from tests.support import git

APP = "demo"
TICKER = """\
import time
print("hello from", VERSION, flush=True)
while True:
    time.sleep(0.1)
"""


class Repo:
    """A working copy whose pushes go straight into the app's bare repository."""

    def __init__(self, path: Path, remote: Path) -> None:
        self.path = path
        path.mkdir()
        git("init", "-q", "-b", "main", cwd=path)
        git("remote", "add", "origin", str(remote), cwd=path)

    def write(self, name: str, text: str | bytes, *, executable: bool = False) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(0o755 if executable else 0o644)

    def job(self, name: str, text: str, script: str = "run.py") -> None:
        self.write(f"App_Data/jobs/{name}/{script}", text)

    def ticker(self, name: str = "ticker", version: str = "1") -> None:
        self.job(f"continuous/{name}", f"VERSION = {version!r}\n{TICKER}")

    def commit(self, message: str = "Change") -> str:
        git("add", "-A", cwd=self.path)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.path)
        return self.head()

    def head(self) -> str:
        return git("rev-parse", "HEAD", cwd=self.path).stdout.strip()

    def push(self, ref: str = "main") -> RefUpdate:
        """Push HEAD to a branch with stock git; the update as receive-pack would report it."""
        full = f"refs/heads/{ref}"
        listed = git("ls-remote", "origin", full, cwd=self.path).stdout.split()
        git("push", "-q", "-f", "origin", f"HEAD:{full}", cwd=self.path)
        return RefUpdate(full, listed[0] if listed else ZERO, self.head())


class Server:
    """The rooms, put together as app.py does; `start` again to see a restart."""

    def __init__(self, root: Path, **options: object) -> None:
        self.root = root
        self.home = Home(root / "home")
        self.options = Options(home=self.home.root, **{"swap_grace": 0.3, **options})  # type: ignore[arg-type]
        self.clock = SystemClock()
        self.environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    async def start(self) -> Server:
        self.home.root.mkdir(exist_ok=True, mode=0o700)
        self.stderr = (self.root / "server.log").open("a")
        self.store = Store(self.home.database)
        self.store.open()
        self.events = Events(self.home, self.clock, instance="one", stderr=self.stderr)
        log = self.events.log
        self.holders = await choose(self.options.isolation, log)
        self.watcher = Watcher(log)
        await self.watcher.start()
        self.repositories = Repositories(self.home, self.options, log)
        await self.repositories.start()
        self.supervisor = Supervisor(
            home=self.home,
            store=self.store,
            events=self.events,
            clock=self.clock,
            options=self.options,
            holders=self.holders,
            watcher=self.watcher,
            instance="one",
        )
        await self.supervisor.start()
        self.deployer = self.make_deployer()
        await self.deployer.start()
        return self

    def make_deployer(self) -> Deployer:
        return Deployer(
            home=self.home,
            store=self.store,
            events=self.events,
            clock=self.clock,
            options=self.options,
            repositories=self.repositories,
            supervisor=self.supervisor,
            holders=self.holders,
            watcher=self.watcher,
            instance="one",
            ui_url=lambda app: f"http://test/ui/{app}/",
            environ=self.environ,
        )

    async def close(self, *, stop_jobs: bool = True) -> None:
        await self.deployer.close()
        await self.supervisor.close(stop_jobs=stop_jobs)
        await self.repositories.close()
        await self.watcher.close()
        await self.holders.close()
        self.store.close()
        self.events.close()
        self.stderr.close()

    async def app(self) -> Repo:
        """Make the app and a working copy that pushes to it."""
        await self.store.apps.create(APP, at=self.clock.now())
        repository = await self.repositories.create(APP)
        return Repo(self.root / "work", repository.path)

    @property
    def paths(self):
        return self.home.app(APP)

    async def push(self, *updates: RefUpdate, options: tuple[str, ...] = ()) -> list[str]:
        """What the pushing client reads."""
        caller = Caller(who="ada", address="127.0.0.1")
        push = Push(app=APP, updates=updates, options=options, caller=caller)
        return [line async for line in self.deployer.post_receive(push)]

    async def deploy(self, commit: str, *, clean: bool = False) -> Deployment:
        """Deploy as the API does and wait for the end."""
        row = await self.deployer.deploy(
            APP, commit, ref=None, trigger="api", deployer="ada", wait_turn=True, clean=clean
        )
        return await self.deployer.wait(APP, row.id, row.attempt)

    async def records(self, deployment: str) -> list[dict]:
        return [entry.record async for entry in self.deployer.follow(APP, deployment)]

    def pid(self, job: str) -> int | None:
        """The pid of a continuous job as the supervisor has it."""
        return next((v.pid for v in self.supervisor.jobs(APP) if v.job.name == job), None)


@pytest.fixture
async def make_server(tmp_path) -> AsyncIterator:
    servers: list[Server] = []

    async def make(**options: object) -> Server:
        server = await Server(tmp_path, **options).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        await server.close()


@pytest.fixture
async def server(make_server) -> Server:
    return await make_server()


@pytest.fixture
async def repo(server) -> Repo:
    return await server.app()
