"""An execution's directory to write to, and a watcher that really watches."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gitdeploy.clock import SystemClock
from gitdeploy.events import Events, Log
from gitdeploy.home import Home
from gitdeploy.logs import Watcher
from gitdeploy.logs.times import entry


class Execution:
    """Writes what a job, the watcher of an earlier server and a supervisor would write."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory

    def write(self, data: bytes, stream: str = "stdout") -> None:
        with (self.directory / stream).open("ab") as file:
            file.write(data)

    def stamp(self, time: int, stream: str = "stdout") -> None:
        """Note in the index that what is there by now was there at `time` (µs)."""
        number = 0 if stream == "stdout" else 1
        with (self.directory / "times").open("ab") as file:
            file.write(entry(number, (self.directory / stream).stat().st_size, time))

    def at(self, time: int, data: bytes, stream: str = "stdout") -> None:
        self.write(data, stream)
        self.stamp(time, stream)

    def end(self, exit_code: int | None = 0, ended_at: int = 0) -> None:
        temporary = self.directory / "end.tmp"
        temporary.write_bytes(msgspec.json.encode({"exit_code": exit_code, "ended_at": ended_at}))
        temporary.replace(self.directory / "end.json")


class Logs:
    """What went to the server's log."""

    def __init__(self, home: Path) -> None:
        self.text = io.StringIO()
        self.events = Events(Home(home), SystemClock(), instance="i1", stderr=self.text)
        self.log: Log = self.events.log

    def records(self, event: str) -> list[dict[str, object]]:
        decoded = [msgspec.json.decode(line) for line in self.text.getvalue().splitlines()]
        return [record for record in decoded if record["event"] == event]


@pytest.fixture
def execution(tmp_path: Path) -> Execution:
    return Execution(tmp_path / "execution")


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "home")


@pytest.fixture(params=["inotify", "polling"])
async def watcher(request: pytest.FixtureRequest, logs: Logs) -> AsyncIterator[Watcher]:
    watcher = Watcher(logs.log, retention=0, polling=request.param == "polling")
    await watcher.start()
    yield watcher
    await watcher.close()
