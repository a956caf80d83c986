"""report-status: dulwich's client reads it as meant."""

from __future__ import annotations

import pytest
from dulwich.client import ReportStatusParser

from gitdeploy.repos import ZERO, RefUpdate
from gitdeploy.repos.pktline import Special, parse
from gitdeploy.repos.report import report

UPDATES = [RefUpdate(f"refs/heads/{name}", ZERO, "1" * 40) for name in "ab"]


def read(data: bytes) -> dict[bytes, str | None]:
    parser = ReportStatusParser()
    for packet in parse(data):
        parser.handle_packet(None if isinstance(packet, Special) else packet)
    return dict(parser.check())


def test_each_ref_has_its_answer() -> None:
    assert read(report(UPDATES, {"refs/heads/b": "hook declined"})) == {
        b"refs/heads/a": None,
        b"refs/heads/b": "hook declined",
    }


def test_a_refused_pack_refuses_every_ref() -> None:
    data = report(UPDATES, {}, "pack\x1b[2J\nis broken " + "x" * 5000)
    lines = [p for p in parse(data) if not isinstance(p, Special)]
    assert lines[0].startswith(b"unpack pack\\x1b[2J\\x0ais broken")
    assert len(lines[0]) < 1100
    assert lines[1:] == [b"ng refs/heads/a unpacker error\n", b"ng refs/heads/b unpacker error\n"]
    with pytest.raises(Exception, match="is broken"):
        read(data)
