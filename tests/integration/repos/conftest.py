"""A repository behind HTTP and a clone that pushes to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.repos.receiving import Clone, Host


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path / "home")
    await host.start()
    yield host
    await host.close()


@pytest.fixture
def clone(tmp_path: Path, host: Host) -> Clone:
    return Clone(tmp_path / "clone", host.url)
