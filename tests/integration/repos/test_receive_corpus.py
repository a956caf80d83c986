"""Every pack of the corpus, pushed: refused with its reason, and nothing of it is left."""

from __future__ import annotations

import re

import pytest

from gitdeploy.repos import ZERO
from gitdeploy.repos.pktline import FLUSH, pkt
from tests.integration.repos.receiving import Host, take
from tests.unit.repos.pack.corpus import CORPUS, INCOMPLETE, TIP, WHOLE

HEAD = pkt(f"{ZERO} {TIP} refs/heads/main\0report-status side-band-64k") + FLUSH


@pytest.mark.parametrize("name", sorted(CORPUS))
async def test_a_corrupt_pack_is_refused_and_leaves_nothing(host: Host, name: str) -> None:
    pack = CORPUS[name].make()
    before = host.files()
    for size in (5 if len(pack) < 20_000 else 50_000, 1 << 20):
        push, answer = await take(host.repository, HEAD + pack, size=size)
        assert push is None
        assert b"ng refs/heads/main unpacker error" in answer
        assert re.search(CORPUS[name].reason.encode(), answer)
        assert host.files() == before
    assert (await take(host.repository, HEAD + WHOLE))[0] is not None
    host.fsck()


@pytest.mark.parametrize("name", sorted(INCOMPLETE))
async def test_a_pack_that_leaves_something_out_is_refused(host: Host, name: str) -> None:
    before = host.files()
    push, answer = await take(host.repository, HEAD + INCOMPLETE[name])
    assert push is None
    assert b"unpack missing " in answer
    assert host.files() == before
