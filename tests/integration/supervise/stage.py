"""A home with one app, real processes and a Supervisor, without git: releases are written here.

Also a program: `python -m tests.integration.supervise.stage HOME LEVEL` serves a home until it is
killed, reading one JSON command a line and answering with one.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gitdeploy.clock import Clock, SystemClock
from gitdeploy.config import Options
from gitdeploy.events import Events
from gitdeploy.home import Home, Kind
from gitdeploy.jobs import discover, with_identity
from gitdeploy.logs import Watcher
from gitdeploy.sandbox import choose
from gitdeploy.store import Execution, Store
from gitdeploy.supervise import Desired, JobView, Prepared, RunRequest, Supervisor

APP = "shop"
TICKER = """
import os, sys, time, signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(os.environ["WEBJOBS_NAME"], "VERSION", flush=True)
while True:
    time.sleep(0.05)
"""


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie doesn't)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_of(execution: Execution) -> set[int]:
    """Every process that was started with this execution's environment."""
    entry = f"WEBJOBS_RUN_ID={execution.id}".encode()
    return {int(p.parent.name) for p in Path("/proc").glob("[0-9]*/environ") if _has(p, entry)}


def _has(environ: Path, entry: bytes) -> bool:
    try:
        return entry in environ.read_bytes().split(b"\0")
    except OSError:
        return False


class Stage:
    """Everything that a Supervisor needs, below one directory."""

    def __init__(
        self, root: Path, *, clock: Clock | None = None, level: Any = None, **options: Any
    ) -> None:
        self.home = Home(root)
        self.clock = clock or SystemClock()
        self.options = Options(home=root, **{"swap_grace": 0.4, **options})
        self.level = level
        self.stderr = io.StringIO()
        self.store = Store(self.home.database)
        self.wrote: list[Path] = []

    async def start(self, *, supervise: bool = True) -> Stage:
        self.home.root.mkdir(exist_ok=True, parents=True)
        self.store.open()
        await self.store.apps.create(APP, at=self.clock.now())
        self.events = Events(self.home, self.clock, instance="1a2b3c", stderr=self.stderr)
        self.holders = await choose(self.level, self.events.log)
        self.watcher = Watcher(self.events.log)
        await self.watcher.start()
        self.supervisor = Supervisor(
            home=self.home,
            store=self.store,
            events=self.events,
            clock=self.clock,
            options=self.options,
            holders=self.holders,
            watcher=self.watcher,
            instance="1a2b3c",
        )
        if supervise:
            await self.supervisor.start()
        return self

    async def close(self, *, stop_jobs: bool = True) -> None:
        await self.supervisor.close(stop_jobs=stop_jobs)
        await self.watcher.close()
        await self.holders.close()
        self.events.close()
        self.store.close()

    async def write(self, files: Mapping[str, str]) -> Desired:
        """A release with these files (paths below App_Data/jobs) as a deployment would leave it."""
        release = await self.store.releases.add(APP, "d" * 40, at=self.clock.now())
        root = self.home.app(APP).release(release.number)
        manifest: dict[str, tuple[int, str]] = {}
        for name, text in files.items():
            path = root / "App_Data/jobs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(0o755)
            blob = b"blob %d\0" % len(text.encode()) + text.encode()
            mode = 0o100755 if text.startswith("#!") else 0o100644
            manifest[f"App_Data/jobs/{name}"] = mode, hashlib.sha1(blob).hexdigest()
        root.mkdir(parents=True, exist_ok=True)
        found, _ = discover(root)
        return Desired(
            app=APP,
            release=release,
            root=root,
            jobs=tuple(
                with_identity(job, manifest, settings={}, environment=None) for job in found
            ),
            settings=await self.store.apps.settings(APP),
            environment=None,
        )

    async def prepare(self, files: Mapping[str, str]) -> tuple[Prepared, Desired]:
        desired = await self.write(files)
        log = self.events.deployment_log(APP, "d" * 40, 1)

        async def given() -> Desired:
            return desired

        return await self.supervisor.prepare(APP, given, log), desired

    async def activate(self, desired: Desired) -> None:
        bodies: list[tuple[str, str, str]] = [
            (j.kind, j.name, msgspec.json.encode(j).decode()) for j in desired.jobs
        ]
        await self.store.releases.activate(APP, desired.release.number, bodies, at=self.clock.now())

    async def deploy(self, files: Mapping[str, str]) -> Prepared:
        """Both phases, with the store's change between them."""
        prepared, desired = await self.prepare(files)
        await self.activate(desired)
        await prepared.commit()
        return prepared

    async def set(self, **settings: str) -> None:
        await self.store.apps.merge_settings(APP, settings)
        await self.supervisor.refresh(APP)

    def view(self, name: str) -> JobView:
        return next(view for view in self.supervisor.jobs(APP) if view.job.name == name)

    def pid(self, name: str) -> int:
        pid = self.view(name).pid
        assert pid, f"{name} doesn't run: {self.view(name)}"
        return pid

    async def newest(self, kind: Kind, name: str) -> Execution:
        return (await self.store.executions.newest(APP, kind, name, limit=1))[0]

    def output(self, execution: Execution, stream: str = "stdout") -> str:
        app = self.home.app(APP)
        return (app.execution(execution.kind, execution.job, execution.id) / stream).read_text()

    def recorded(self, event: str) -> list[dict[str, Any]]:
        """The app's events of that name so far."""
        tail = self.events.app_journal(APP).tail(10_000)
        return [entry.record for entry in tail if entry.record["event"] == event]


async def _serve(root: Path, level: str) -> None:
    stage = await Stage(root, level=level).start()
    loop = asyncio.get_running_loop()

    async def half(files: Mapping[str, str]) -> None:
        _, desired = await stage.prepare(files)
        await stage.activate(desired)

    commands: dict[str, Callable[[Any], Any]] = {
        "deploy": lambda files: stage.deploy(files),
        "run": lambda job: stage.supervisor.run(APP, job, RunRequest(trigger="External - t")),
        "prepare": lambda files: stage.prepare(files),
        "half": half,
    }
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, argument = json.loads(line)
        await commands[name](argument)
        pids = {v.job.name: v.pid for v in stage.supervisor.jobs(APP)}
        print(json.dumps(pids), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), sys.argv[2]))
