"""A real server started as a user starts it, and a repository that a developer pushes from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.scenarios.actors import Developer, Server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def server(home: Path) -> AsyncIterator[Server]:
    """A server with short times, ended with its jobs after the test."""
    started = Server(home, "--swap-grace", "0.7", "--grace", "5")
    await started.start()
    yield started
    await started.end()


@pytest.fixture
def repo(tmp_path: Path, server: Server) -> Iterator[Developer]:
    """An empty repository with a remote `deploy` that leads to the app `demo`."""
    yield Developer(tmp_path / "work", server, app="demo")
