"""What a proxy with a read limit sees while a push is being checked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gitdeploy.repos import connectivity, sideband
from tests.integration.repos.receiving import Clone, Host


async def test_a_long_check_is_not_silent(
    host: Host, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sideband, "KEEP_ALIVE", 0.05)
    check = connectivity.check
    sent: list[bytes] = []
    write = sideband.Sideband._write

    async def noted(self: sideband.Sideband, data: bytes) -> None:
        sent.append(data)
        await write(self, data)

    def slow(*arguments: Any, **named: Any) -> None:
        time.sleep(0.4)  # a large history: the thread that checks says nothing
        assert sent.count(b"0005\x02") >= 3, "the client heard of us meanwhile"
        check(*arguments, **named)

    monkeypatch.setattr(sideband.Sideband, "_write", noted)
    monkeypatch.setattr(connectivity, "check", slow)
    tip = clone.commit({"a.txt": "one"})
    (await clone.push("origin", "main")).ok()
    assert host.repository.branch_tip("main") == tip
