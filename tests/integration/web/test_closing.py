"""The server's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitdeploy.app import Server
from gitdeploy.config import Options


async def test_a_room_that_fails_to_end_is_logged_and_keeps_no_other_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    options = Options(home=tmp_path / "home", listen="127.0.0.1:0", isolation="process")
    server = Server(options)
    await server.start()
    closed = server.deployer.close

    async def fails() -> None:
        await closed()
        raise RuntimeError("the deployer won't")

    monkeypatch.setattr(server.deployer, "close", fails)
    await server.close(stop_jobs=True)
    await server.close(stop_jobs=True)
    words = capfd.readouterr().err
    assert words.count("server.close_failed") == 1
    assert words.count("server.stopped") == 1
    following = Server(options)
    await following.start()  # the home's lock was let go
    await following.close(stop_jobs=True)
