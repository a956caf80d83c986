"""Reading objects: whatever git stores, however it is packed, is read as git reads it."""

from __future__ import annotations

import random
import shutil
import threading
from pathlib import Path

import pytest

from gitdeploy.repos import RepositoryError, layout, objects
from gitdeploy.repos.objects import BLOB, COMMIT, TAG, TREE, TYPES, Objects
from gitdeploy.repos.packfile import Entry, PackFile
from tests.support import git

MISSING = bytes.fromhex("12" * 20)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with history, deltas, a tag and a file of some size."""
    path = tmp_path / "repo.git"
    layout.create(path)
    tree = tmp_path / "tree"
    tree.mkdir()
    run = {"GIT_DIR": str(path), "GIT_WORK_TREE": str(tree)}
    randomly = random.Random(7)
    text = [f"line {n} {randomly.random()}\n" for n in range(500)]
    for number in range(8):
        text[randomly.randrange(500)] = f"changed {number}\n"
        (tree / "text").write_text("".join(text))
        (tree / f"d{number}").mkdir()
        (tree / f"d{number}" / "f").write_bytes(randomly.randbytes(300))
        (tree / "big").write_bytes(b"0123456789abcdef" * 20_000 + str(number).encode())
        git("add", "-A", cwd=tree, env=run)
        git("commit", "-q", "-m", f"change {number}", cwd=tree, env=run)
    git("tag", "-a", "v1", "-m", "one", cwd=path)
    return path


def every_object(repo: Path) -> dict[str, tuple[str, int]]:
    lines = git("cat-file", "--batch-all-objects", "--batch-check", cwd=repo).stdout.splitlines()
    return {oid: (kind, int(size)) for oid, kind, size in (line.split() for line in lines)}


def content(repo: Path, oid: str, kind: str) -> bytes:
    import subprocess

    return subprocess.run(
        ["git", "cat-file", kind, oid], cwd=repo, capture_output=True, check=True
    ).stdout


def check(repo: Path, database: Objects) -> None:
    for oid, (kind, size) in every_object(repo).items():
        raw = bytes.fromhex(oid)
        assert database.has(raw)
        header = database.header(raw)
        assert header is not None
        assert (TYPES[header[0]], header[1]) == (kind, size)
        found = database.read(raw)
        assert found is not None
        assert found == (header[0], content(repo, oid, kind))
        pieces = database.pieces(raw)
        assert pieces is not None
        assert b"".join(pieces) == found[1]


def test_loose_and_packed_objects_are_read_as_git_reads_them(repo: Path) -> None:
    database = Objects(repo / "objects")
    check(repo, database)
    git("repack", "-q", "-a", "-d", "--depth=50", cwd=repo)
    check(repo, database)
    assert (
        "chain length"
        in git(
            "verify-pack", "-v", *map(str, (repo / "objects/pack").glob("*.idx")), cwd=repo
        ).stdout
    )


def test_deltas_on_a_base_named_by_its_id_are_read(repo: Path) -> None:
    git("-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", cwd=repo)
    check(repo, Objects(repo / "objects"))


def test_offsets_in_the_64_bit_table_are_read(repo: Path) -> None:
    git("-c", "pack.indexVersion=2", "repack", "-q", "-a", "-d", cwd=repo)
    (pack,) = (repo / "objects/pack").glob("*.pack")
    idx = pack.with_suffix(".idx")
    idx.unlink()
    git("index-pack", "--index-version=2,0x40", str(pack), cwd=repo)
    check(repo, Objects(repo / "objects"))


def test_big_deltas_are_read_by_a_child(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "BIG", 1000)
    git("repack", "-q", "-a", "-d", cwd=repo)
    check(repo, Objects(repo / "objects"))


def test_what_is_not_there_is_none(repo: Path) -> None:
    database = Objects(repo / "objects")
    assert not database.has(MISSING)
    assert database.header(MISSING) is None
    assert database.read(MISSING) is None
    assert database.pieces(MISSING) is None


@pytest.mark.parametrize("few", [True, False])
def test_presence_of_many_is_asked_at_once(repo: Path, few: bool) -> None:
    names = [bytes.fromhex(oid) for oid in every_object(repo)]
    database = Objects(repo / "objects")
    asked = [names[0], MISSING] if few else [*names, MISSING]
    assert database.present(asked) == set(asked) - {MISSING}
    git("repack", "-q", "-a", "-d", cwd=repo)
    assert database.present(asked) == set(asked) - {MISSING}


def test_abbreviations_are_found_in_packs_and_loose(repo: Path) -> None:
    names = list(every_object(repo))
    database = Objects(repo / "objects")
    for _ in range(2):
        for name in names[:10]:
            assert name in database.with_prefix(name[:6])
            assert database.with_prefix(name[:2]) == {n for n in names if n[:2] == name[:2]}
        git("repack", "-q", "-a", "-d", cwd=repo)


def test_many_threads_read_while_git_repacks(repo: Path) -> None:
    names = {bytes.fromhex(oid): kind for oid, (kind, _) in every_object(repo).items()}
    database = Objects(repo / "objects")
    stop, failures = threading.Event(), list[object]()

    def read() -> None:
        while not stop.is_set():
            for oid, kind in names.items():
                found = database.read(oid)
                if found is None or TYPES[found[0]] != kind:
                    failures.append((oid.hex(), found))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(6):
        git("repack", "-q", "-a", "-d", "-f", f"--depth={number + 1}", cwd=repo)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("question", ["has", "header", "read", "pieces", "present"])
def test_a_loose_object_that_is_packed_while_it_is_looked_for_is_found(
    question: str, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was in no pack a moment ago, and isn't loose any more."""
    oid = bytes.fromhex(git("rev-parse", "HEAD", cwd=repo).stdout.strip())
    database = Objects(repo / "objects")
    real = database._loose

    def packed_first(wanted: bytes) -> Path:
        if real(wanted).exists():
            git("repack", "-q", "-a", "-d", cwd=repo)
        return real(wanted)

    monkeypatch.setattr(database, "_loose", packed_first)
    if question == "present":
        assert database.present({oid, MISSING}) == {oid}
    else:
        assert getattr(database, question)(oid)
    assert not real(oid).exists()


@pytest.mark.parametrize("question", ["has", "header", "read", "pieces"])
def test_an_object_is_found_however_many_packs_of_it_vanish_meanwhile(
    question: str, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repack removes old packs one by one, and each may be the one that was just chosen."""
    git("repack", "-q", "-a", "-d", cwd=repo)
    oid = bytes.fromhex(git("rev-parse", "HEAD", cwd=repo).stdout.strip())
    (pack,) = (repo / "objects/pack").glob("pack-*.pack")
    for number in range(20):
        for ending in (".pack", ".idx"):
            shutil.copy(pack.with_suffix(ending), pack.with_name(f"pack-{number:040x}{ending}"))
    real = PackFile.entry

    def gone_first(self: PackFile, offset: int) -> Entry:
        if len(list(pack.parent.glob("*.pack"))) > 1:
            self.path.with_suffix(".idx").unlink()
            self.path.unlink()
        return real(self, offset)

    monkeypatch.setattr(PackFile, "entry", gone_first)
    found = getattr(Objects(repo / "objects"), question)(oid)
    assert found if question != "pieces" else b"".join(found)


def test_a_pack_that_a_repack_has_under_way_is_not_looked_at(repo: Path) -> None:
    git("repack", "-q", "-a", "-d", cwd=repo)
    (idx,) = (repo / "objects/pack").glob("pack-*.idx")
    (idx.parent / f".tmp-1-{idx.name}").write_bytes(idx.read_bytes())
    database = Objects(repo / "objects")
    assert [pack.path.name for pack in database.packs()] == [idx.with_suffix(".pack").name]


def test_a_broken_pack_is_named(repo: Path) -> None:
    git("repack", "-q", "-a", "-d", cwd=repo)
    (pack,) = (repo / "objects/pack").glob("*.pack")
    names = [bytes.fromhex(oid) for oid in every_object(repo)]
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:12] + b"\xff" * (pack.stat().st_size - 12))
    database = Objects(repo / "objects")
    for oid in names:
        with pytest.raises(RepositoryError, match=r"pack-.*\.pack"):
            database.read(oid)


def test_a_broken_loose_object_is_named(repo: Path) -> None:
    oid = next(oid for oid, (kind, _) in every_object(repo).items() if kind == "commit")
    path = repo / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"not deflated")
    with pytest.raises(RepositoryError, match=oid):
        Objects(repo / "objects").read(bytes.fromhex(oid))


def test_a_cut_off_index_is_named(repo: Path) -> None:
    git("repack", "-q", "-a", "-d", cwd=repo)
    (idx,) = (repo / "objects/pack").glob("*.idx")
    idx.chmod(0o644)
    for data in (idx.read_bytes()[:1100], b"\0" * 2000):
        idx.write_bytes(data)
        with pytest.raises(RepositoryError, match=idx.name):
            Objects(repo / "objects").has(MISSING)


def test_the_numbers_are_those_of_the_pack_format() -> None:
    assert (COMMIT, TREE, BLOB, TAG) == (1, 2, 3, 4)
