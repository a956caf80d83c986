"""Zips that aren't taken: the reason is told, and nothing of them is left."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitdeploy.archives import ArchiveError, ZipLimits
from gitdeploy.errors import Invalid
from tests.unit.archives.crafted import LIMITS, Item, build, files, unpacked
from tests.unit.archives.evil import EVIL, GOOD, NOT_ZIPS, WIDE


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("name", [*EVIL, *NOT_ZIPS])
def test_an_evil_zip_is_refused_by_name_and_leaves_nothing(name, tmp_path):
    data, reason = {**EVIL, **NOT_ZIPS}[name]
    before = descriptors()
    with pytest.raises(ArchiveError, match=reason) as caught:
        unpacked(data, tmp_path / "target")
    assert os.listdir(tmp_path) == []
    assert descriptors() == before
    assert isinstance(caught.value, Invalid)
    assert caught.value.fix.endswith(".")
    assert caught.value.what.isprintable()


def test_a_zip_cut_off_at_any_byte_is_refused_and_leaves_nothing(tmp_path):
    whole = build(GOOD, Item(b"lib/a.py", b"a = 1\n" * 9), Item(b"b", b"b", descriptor=True))
    for length in range(len(whole)):
        with pytest.raises(ArchiveError):
            unpacked(whole[:length], tmp_path / "target")
    assert os.listdir(tmp_path) == []


def test_a_zip_with_a_bit_flipped_is_refused_or_has_the_same_contents(tmp_path):
    whole = build(GOOD, Item(b"lib/a.py", b"a = 1\n" * 9, method=0))
    taken = 0
    for at in range(len(whole)):
        for bit in (0x01, 0x80):
            changed = bytearray(whole)
            changed[at] ^= bit
            target = tmp_path / f"{at}-{bit}"
            try:
                unpacked(bytes(changed), target)
            except ArchiveError:
                assert not target.exists()
            else:  # a time or a version; names stand twice, contents have a checksum
                assert files(target) == {"run.py": b"print(1)\n", "lib/a.py": b"a = 1\n" * 9}
                taken += 1
    assert 0 < taken < len(whole)


@given(st.data())
@settings(deadline=None, max_examples=400)
def test_any_damage_is_a_refusal_and_never_another_error(tmp_path_factory, data):
    whole = bytearray(
        build(GOOD, Item(b"b/c", b"text" * 50, extra=WIDE), Item(b"d", method=0), zip64=True)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        value = data.draw(st.one_of(st.binary(max_size=9), st.just(b"\xff" * 4), st.just(bytes(8))))
        whole[at : at + data.draw(st.sampled_from([0, len(value)]))] = value
    root = tmp_path_factory.mktemp("fuzz")
    try:
        unpacked(bytes(whole), root / "target")
    except ArchiveError:
        assert os.listdir(root) == []


def test_entries_are_counted_with_the_folders_that_only_names_imply(tmp_path):
    limits = ZipLimits(entries=10, unpacked=1 << 20, ratio=100)
    ten = build(Item(b"a/b/c/d/e/f/g/h/i/file"))
    assert len(unpacked(ten, tmp_path / "ten", limits).manifest) == 1
    with pytest.raises(ArchiveError, match=r"more than 10 files and folders.*max_zip_entries"):
        unpacked(build(Item(b"a/b/c/d/e/f/g/h/i/j/file")), tmp_path / "eleven", limits)
    with pytest.raises(ArchiveError, match="max_zip_entries"):
        unpacked(build(*[Item(b"%d" % n) for n in range(11)]), tmp_path / "eleven", limits)
    assert os.listdir(tmp_path) == ["ten"]


def test_the_count_is_looked_at_before_the_directory_is_read(tmp_path):
    with pytest.raises(ArchiveError, match="max_zip_entries"):
        unpacked(build(GOOD, count=1001), tmp_path / "target")


def test_files_up_to_the_limits_are_taken_and_a_byte_more_is_not(tmp_path):
    limits = ZipLimits(entries=9, unpacked=1000, ratio=2, floor=100)
    noise = os.urandom(500)
    two = build(Item(b"a", noise, method=0), Item(b"b", noise, method=0))
    assert unpacked(two, tmp_path / "two", limits).size == 1000
    with pytest.raises(ArchiveError, match=r"c in the zip .*more than 1000 bytes unpacked"):
        unpacked(
            build(*[Item(n, noise, method=0) for n in (b"a", b"b", b"c")]), tmp_path / "x", limits
        )
    assert unpacked(build(Item(b"z", bytes(100))), tmp_path / "zeros", limits).size == 100
    with pytest.raises(ArchiveError, match=r"z in the zip .*become 101, more than 2 times"):
        unpacked(build(Item(b"z", bytes(101))), tmp_path / "x", limits)


def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_is_unpacked(tmp_path, monkeypatch):
    written = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: written.append(len(data)) or real(fd, data))
    claims = Item(b"z", bytes(20 << 20), size=1 << 20, local_size=1 << 20)
    with pytest.raises(ArchiveError, match="more than the 1048576 bytes"):
        unpacked(build(claims), tmp_path / "target", LIMITS)
    assert sum(written) <= 1 << 20
    assert os.listdir(tmp_path) == []


def test_a_directory_of_comments_isnt_read_into_memory(tmp_path):
    with pytest.raises(ArchiveError, match=r"directory has .* bytes, more than"):
        unpacked(
            build(*[Item(b"%d" % n, comment=bytes(65000)) for n in range(520)]), tmp_path / "t"
        )


def test_a_disk_that_refuses_leaves_nothing(tmp_path, monkeypatch):
    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        unpacked(build(GOOD), tmp_path / "target")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


def test_a_target_that_exists_is_left_as_it_is(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "mine").write_text("kept")
    with pytest.raises(FileExistsError):
        unpacked(build(GOOD), tmp_path / "target")
    assert (tmp_path / "target" / "mine").read_text() == "kept"
