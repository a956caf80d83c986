"""Packs that stock git made: the same index, whatever way the bytes come in."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitdeploy.repos.pack import BLOB, COMMIT, TAG, TREE, PackError, PackIndexer, PackLimits
from tests.support import GIT_ENVIRONMENT, git, git_version
from tests.unit.repos.pack import corpus
from tests.unit.repos.pack.conftest import Index, git_index, nothing


def run(*arguments: str, cwd: Path, input: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        env=GIT_ENVIRONMENT,
        input=input,
        capture_output=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with history: 60 commits, deep directories, a tag of a tag, a 3 MiB file."""
    path = tmp_path_factory.mktemp("pack") / "project"
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    chance = random.Random(4)
    lines = [b"%d %s" % (n, chance.randbytes(12).hex().encode()) for n in range(400)]
    big = chance.randbytes(3 << 20)
    stream = []
    for n in range(60):
        lines[chance.randrange(400)] = b"line %d" % n
        big = big[:1000] + b"%04d" % n + big[1004:] if n % 20 == 0 else big
        files = {
            f"src/pkg{n % 7}/module{n % 11}.py": b"\n".join(lines),
            f"docs/a/b/c/d/{n % 5}.txt": b"doc %d\n" % n,
            "README.md": b"read me %d\n" % n,
            "big.bin": big,
        }
        stream.append(b"commit refs/heads/main\ncommitter A <a@b> %d +0000\n" % (1700000000 + n))
        stream.append(b"data 2\nm\n")
        for name, content in files.items():
            stream.append(
                b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(content), content)
            )
    run("fast-import", "--quiet", cwd=path, input=b"".join(stream))
    git("tag", "-a", "-m", "one", "one", "main", cwd=path)
    git("tag", "-a", "-m", "two", "two", "one", cwd=path)
    return path


def packed(project: Path, *options: str, revisions: str = "") -> bytes:
    """A pack of these revisions, or of everything."""
    if not revisions:
        options = ("--all", *options)
    return run(
        "pack-objects", "--stdout", "--revs", "-q", *options, cwd=project, input=revisions.encode()
    )


KINDS = {
    "offset deltas": ("--delta-base-offset", "--window=20", "--depth=50"),
    "deltas by id": ("--window=20", "--depth=50"),
    "no deltas": ("--window=0",),
    "stored, not deflated": ("--delta-base-offset", "--compression=0"),
}


@pytest.fixture(scope="module")
def packs(project: Path) -> dict[str, bytes]:
    return {name: packed(project, *options) for name, options in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_the_index_is_gits_byte_for_byte(
    name: str, packs: dict[str, bytes], index: Index, bare: Path
) -> None:
    done = index(packs[name])
    code, said = git_index(bare, packs[name], "--strict")
    assert code == 0, said
    assert done.idx.read_bytes() == (bare / "it.idx").read_bytes()
    assert done.path.read_bytes() == packs[name]
    assert done.name == packs[name][-20:].hex()
    assert len(done.missing_links) == 0
    assert done.rev is None


@pytest.mark.parametrize("name", KINDS)
def test_what_is_read_back_is_what_git_reads(
    name: str, packs: dict[str, bytes], project: Path, index: Index
) -> None:
    done = index(packs[name])
    listing = run("cat-file", "--batch-all-objects", "--batch-check", cwd=project).split(b"\n")
    known = {bytes.fromhex(line.split()[0].decode()): line.split() for line in listing if line}
    assert set(done.new_oids) == known.keys()
    for oid, (_, kind, size) in known.items():
        number, content = done.read(oid)
        assert corpus.NAMES[number] == kind
        assert done.type_of(oid) == number
        assert len(content) == int(size) == done.size_of(oid)
        assert corpus.oid(number, content) == oid
        assert b"".join(done.pieces(oid)) == content


@given(data=st.data())
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_split_gives_the_same_index(data: st.DataObject, packs: dict[str, bytes]) -> None:
    whole = data.draw(
        st.sampled_from([packs["deltas by id"], packs["offset deltas"], corpus.WHOLE])
    )
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=40)))
    near = data.draw(st.integers(0, len(whole)))
    cuts = sorted({*cuts, *range(near, min(near + 70, len(whole)))})
    results = []
    for edges in ([0, len(whole)], [0, *cuts, len(whole)]):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "tmp.pack")
            indexer = PackIndexer(path, limits=PackLimits(), find_base=nothing)
            for start, end in pairwise(edges):
                indexer.feed(whole[start:end])
            done = indexer.finish()
            done.close()
            results.append((path.read_bytes(), done.idx.read_bytes()))
    assert results[0] == results[1]


def finder(project: Path, asked: list[bytes]) -> Callable[[bytes], tuple[int, bytes] | None]:
    def find(oid: bytes) -> tuple[int, bytes] | None:
        asked.append(oid)
        kind = run("cat-file", "-t", oid.hex(), cwd=project).strip()
        return corpus.TYPES[kind], run("cat-file", kind.decode(), oid.hex(), cwd=project)

    return find


@pytest.mark.parametrize("offsets", [True, False])
def test_a_thin_pack_is_completed_so_that_git_can_use_it(
    offsets: bool, project: Path, index: Index, bare: Path
) -> None:
    options = ["--thin", *(["--delta-base-offset"] if offsets else [])]
    thin = packed(project, *options, revisions="main\n^main~5\n")
    assert git_index(bare, thin)[0] != 0
    asked: list[bytes] = []
    done = index(thin, find_base=finder(project, asked))
    assert asked
    sent = int.from_bytes(thin[8:12], "big")
    assert len(done.new_oids) == sent
    assert done.count == sent + len(asked)
    assert not set(asked) & set(done.new_oids)
    completed = done.path.read_bytes()
    code, said = git_index(bare, completed)
    assert code == 0, said
    assert done.idx.read_bytes() == (bare / "it.idx").read_bytes()
    for oid in (*done.new_oids, *asked):
        assert corpus.oid(*done.read(oid)) == oid
    old = {
        bytes.fromhex(line[:40])
        for line in run("rev-list", "--objects", "main~5", cwd=project).decode().splitlines()
    }
    assert set(done.missing_links) <= old
    assert (
        bytes.fromhex(run("rev-parse", "main~5", cwd=project).decode().strip())
        in done.missing_links
    )


def test_a_missing_base_is_named(project: Path, index: Index) -> None:
    thin = packed(project, "--thin", "--delta-base-offset", revisions="main\n^main~5\n")
    with pytest.raises(PackError, match=r"unresolved deltas, base [0-9a-f]{40} is missing"):
        index(thin)


def test_a_damaged_base_is_refused(index: Index) -> None:
    bent = corpus.ref_delta(corpus.HELLO_ID, corpus.delta(13, 13, corpus.copy(0, 13)))
    with pytest.raises(PackError, match="damaged"):
        index(corpus.pack(bent), find_base=lambda _: (BLOB, b"hello, worlD\n"))


def test_a_base_that_comes_later_as_a_delta_is_not_appended(index: Index) -> None:
    """`two` stands on `one`, which stands on HELLO; the repository has HELLO and `one`."""
    one, two = corpus.HELLO + b"1\n", corpus.HELLO + b"2\n"
    grow = corpus.delta(15, 15, corpus.copy(0, 13), corpus.insert(b"2\n"))
    have = {corpus.HELLO_ID: corpus.HELLO, corpus.oid(BLOB, one): one}
    done = index(
        corpus.pack(
            corpus.ref_delta(corpus.oid(BLOB, one), grow),
            corpus.ref_delta(
                corpus.HELLO_ID,
                corpus.delta(13, 15, corpus.copy(0, 13), corpus.insert(b"1\n")),
            ),
        ),
        find_base=lambda oid: (BLOB, have[oid]),
    )
    assert done.count == 3
    assert done.read(corpus.oid(BLOB, two)) == (BLOB, two)
    assert done.read(corpus.oid(BLOB, one)) == (BLOB, one)


def test_a_loop_that_the_repository_could_open_is_refused(index: Index) -> None:
    one, two = b"one of two, with words\n", b"two of two, with words\n"
    have = {corpus.oid(BLOB, content): content for content in (one, two)}
    with pytest.raises(PackError, match="stands on itself"):
        index(corpus.CORPUS["delta loop"].make(), find_base=lambda oid: (BLOB, have[oid]))


def test_an_empty_pack_is_taken(index: Index, bare: Path) -> None:
    done = index(corpus.pack())
    assert done.count == 0
    assert git_index(bare, corpus.pack())[0] == 0
    assert done.idx.read_bytes() == (bare / "it.idx").read_bytes()


def test_an_object_twice_is_indexed_as_git_does_where_nobody_checks(
    index: Index, bare: Path
) -> None:
    twice = corpus.CORPUS["an object twice"].make()
    done = index(twice, fsck=False)
    assert git_index(bare, twice)[0] == 0
    assert done.idx.read_bytes() == (bare / "it.idx").read_bytes()


def test_a_reverse_index_comes_with_a_thousand_objects(index: Index, bare: Path) -> None:
    for count in (999, 1000):
        blobs = corpus.pack(*(corpus.record(BLOB, b"%d\n" % n) for n in range(count)))
        done = index(blobs)
        assert (done.rev is not None) == (count == 1000)
    assert done.rev is not None
    if git_version() < (2, 31):
        pytest.skip("git index-pack has --rev-index since 2.31: nothing to compare with")
    assert git_index(bare, blobs, "--rev-index")[0] == 0
    assert done.rev.read_bytes() == (bare / "it.rev").read_bytes()


def test_tags_of_tags_are_followed(project: Path, packs: dict[str, bytes], index: Index) -> None:
    done = index(packs["no deltas"])
    two, one, tip = run("rev-parse", "two", "one", "main", cwd=project).decode().split()
    assert [done.type_of(bytes.fromhex(oid)) for oid in (two, one, tip)] == [TAG, TAG, COMMIT]
    assert one in done.read(bytes.fromhex(two))[1].decode()


def test_missing_links_say_who_wants_what(index: Index) -> None:
    parent, lost = b"\x11" * 20, b"\x22" * 20
    root = corpus.tree(
        (b"40000", b"d", lost), (b"100644", b"f", corpus.HELLO_ID), (b"160000", b"g", b"\x33" * 20)
    )
    tip = corpus.commit(corpus.oid(TREE, root), parent)
    done = index(corpus.pack(corpus.record(COMMIT, tip), corpus.record(TREE, root)))
    assert dict(done.missing_links) == {
        parent: (corpus.oid(COMMIT, tip), COMMIT),
        lost: (corpus.oid(TREE, root), TREE),
        corpus.HELLO_ID: (corpus.oid(TREE, root), BLOB),
    }
    assert list(done.missing_links) == sorted(done.missing_links)
    assert b"\x33" * 20 not in done.missing_links


def test_one_missing_object_of_two_types_is_refused(index: Index) -> None:
    root = corpus.tree((b"100644", b"a", b"\x11" * 20), (b"40000", b"b", b"\x11" * 20))
    with pytest.raises(PackError, match=f"{'11' * 20} is a blob, not a tree|is a tree, not a blob"):
        index(corpus.pack(corpus.record(TREE, root)))
