"""Links that are too many for memory go to disk, and come back in order."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gitdeploy.repos.pack import BLOB, TREE, PackError, PackLimits
from gitdeploy.repos.pack import links as module
from gitdeploy.repos.pack.links import Links
from gitdeploy.repos.pack.oids import OidIndex, Oids
from tests.unit.repos.pack.conftest import Index
from tests.unit.repos.pack.corpus import oid, pack, record, tree


def test_runs_on_disk_are_merged_and_repetitions_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RUN", 100)
    chance = random.Random(3)
    keys = [chance.randbytes(20) + b"\3" for _ in range(500)]
    links = Links(tmp_path)
    for key in keys + keys[:250]:
        links.pending[key] = 7
        links.bound()
    assert len(links.pending) < 100
    assert list(links) == [(key, 7) for key in sorted(keys)]
    assert list(tmp_path.iterdir()) == []
    links.close()
    assert list(links) == []


def test_many_missing_links_are_all_found(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RUN", 300)
    chance = random.Random(5)
    trees = [
        tree(*((b"100644", b"%03d" % n, chance.randbytes(20)) for n in range(200)))
        for _ in range(10)
    ]
    done = index(pack(*(record(TREE, one) for one in trees)))
    wanted = {one[at : at + 20]: oid(TREE, one) for one in trees for at in range(11, len(one), 31)}
    assert len(wanted) == 2000
    assert dict(done.missing_links) == {child: (parent, BLOB) for child, parent in wanted.items()}
    assert all(child in done.missing_links for child in wanted)
    assert dict(done.missing_links.items()) == dict(done.missing_links)
    assert b"\x55" * 20 not in done.missing_links
    with pytest.raises(KeyError):
        done.missing_links[b"\x55" * 20]


def test_more_missing_links_than_objects_allowed_are_refused(index: Index) -> None:
    root = tree(*((b"100644", b"%d" % n, bytes([n]) * 20) for n in range(1, 6)))
    with pytest.raises(PackError, match="max_push_objects = 4"):
        index(pack(record(TREE, root)), limits=PackLimits(max_objects=4))


def test_ids_are_found_by_their_first_byte_and_then_by_halves() -> None:
    chance = random.Random(8)
    ids = [bytes([n % 7]) + chance.randbytes(19) for n in range(300)]
    index = OidIndex(b"".join(ids))
    assert list(index.oids) == sorted(ids)
    assert [index.position(one) for one in ids] == list(range(300))
    assert index.position(b"\xff" * 20) == index.position(bytes(20)) == -1
    assert index.fanout[0] == 0
    assert index.fanout[256] == 300
    assert Oids(b"".join(sorted(ids))).find(sorted(ids)[17]) == 17
    assert index.oids[-1] == max(ids)
    assert index.oids[1:3] == sorted(ids)[1:3]
    with pytest.raises(IndexError):
        index.oids[300]
    assert "x" not in index.oids
