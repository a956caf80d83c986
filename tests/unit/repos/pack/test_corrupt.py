"""Every pack of the corpus is refused, for the right reason, however its bytes are split."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitdeploy.repos.pack import PackError, PackIndexer, PackLimits
from tests.unit.repos.pack.conftest import Index, git_index, nothing
from tests.unit.repos.pack.corpus import CORPUS, INCOMPLETE, TIP, WHOLE

# Limits of ours, and what git leaves to its connectivity check.
_OURS = {"a path too long", "size of a terabyte", "delta says a terabyte", "delta bomb"}
_GITS_LATER = {"truncated at 0"}


def test_the_whole_pack_is_taken(index: Index) -> None:
    done = index(WHOLE)
    assert bytes.fromhex(TIP) in done
    assert len(done.missing_links) == 0


@pytest.mark.parametrize("name", CORPUS)
def test_a_corrupt_pack_is_refused_with_its_reason(name: str, index: Index) -> None:
    with pytest.raises(PackError) as refused:
        index(CORPUS[name].make())
    assert re.search(CORPUS[name].reason, refused.value.reason), refused.value.reason
    assert "\n" not in refused.value.reason


@pytest.mark.parametrize("name", CORPUS)
def test_a_corrupt_pack_is_refused_in_small_pieces_too(name: str, index: Index) -> None:
    pack = CORPUS[name].make()
    step = 1 if len(pack) < 2000 else 997
    with pytest.raises(PackError):
        index(pack, pieces=[pack[at : at + step] for at in range(0, len(pack), step)])


@pytest.mark.parametrize("name", sorted(CORPUS.keys() - _OURS))
def test_git_refuses_the_same_packs(name: str, bare: Path) -> None:
    code, said = git_index(bare, CORPUS[name].make(), "--strict")
    assert code != 0, said


@pytest.mark.parametrize("name", INCOMPLETE)
def test_an_incomplete_pack_is_sound_but_says_what_it_lacks(name: str, index: Index) -> None:
    done = index(INCOMPLETE[name])
    assert len(done.missing_links) > 0 or bytes.fromhex(TIP) not in done


def test_a_pack_that_failed_stays_failed(tmp_path: Path) -> None:
    indexer = PackIndexer(tmp_path / "x.pack", limits=PackLimits(), find_base=nothing)
    with pytest.raises(PackError, match="signature"):
        indexer.feed(b"nonsense, and long enough")
    with pytest.raises(PackError, match="signature"):
        indexer.feed(WHOLE)
    with pytest.raises(PackError, match="signature"):
        indexer.finish()
    indexer.abort()
    indexer.abort()
    assert list(tmp_path.iterdir()) == []


def test_each_limit_is_named_with_its_setting(index: Index) -> None:
    for limits, setting in (
        (PackLimits(max_bytes=len(WHOLE) - 1), "max_push_size"),
        (PackLimits(max_objects=2), "max_push_objects"),
        (PackLimits(max_object_size=12), "max_object_size"),
        (PackLimits(max_path_length=8), "max_path_length"),
    ):
        with pytest.raises(PackError, match=setting):
            index(WHOLE, limits=limits)
    exact = PackLimits(max_bytes=len(WHOLE), max_objects=3, max_path_length=9)
    assert index(WHOLE, limits=exact).count == 3
