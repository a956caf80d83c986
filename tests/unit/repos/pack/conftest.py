"""What tests of packs share: indexing bytes, and asking stock git for its opinion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from gitdeploy.repos.pack import IndexedPack, PackIndexer, PackLimits
from tests.support import git

Index = Callable[..., IndexedPack]


def nothing(_: bytes) -> None:
    return None


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """`index(pack, limits=…, find_base=…, fsck=…, pieces=…)`: what a push of these bytes makes.

    A refused pack is aborted, and leaves nothing.
    """
    made: list[IndexedPack] = []
    directory = tmp_path / "quarantine"
    directory.mkdir()

    def run(
        pack: bytes,
        *,
        limits: PackLimits = PackLimits(),  # noqa: B008
        find_base: Callable[[bytes], tuple[int, bytes] | None] = nothing,
        fsck: bool = True,
        pieces: Iterable[bytes] | None = None,
    ) -> IndexedPack:
        for left in directory.iterdir():
            left.unlink()
        indexer = PackIndexer(directory / "tmp.pack", limits=limits, find_base=find_base, fsck=fsck)
        try:
            for piece in pieces if pieces is not None else [pack]:
                indexer.feed(piece)
            done = indexer.finish()
        except BaseException:
            indexer.abort()
            assert list(directory.iterdir()) == []
            raise
        made.append(done)
        return done

    yield run
    for one in made:
        one.close()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty bare repository."""
    git("init", "-q", "--bare", "bare.git", cwd=tmp_path)
    return tmp_path / "bare.git"


def git_index(bare: Path, pack: bytes, *options: str) -> tuple[int, str]:
    """`git index-pack` of these bytes: exit code and what it says; the index is bare/it.idx."""
    (bare / "it.pack").write_bytes(pack)
    (bare / "it.idx").unlink(missing_ok=True)
    done = git("index-pack", *options, "-o", "it.idx", "it.pack", cwd=bare, check=False)
    return done.returncode, done.stderr
