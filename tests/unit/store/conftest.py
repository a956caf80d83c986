from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitdeploy.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "gitdeploy.db")
    opened.open()
    yield opened
    opened.close()
